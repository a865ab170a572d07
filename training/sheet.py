"""
Draw image, prediction and truth side by side: python -m training.sheet SEQUENCE ... --out FILE.

One frame, the middle one of a window, is shown of each place; the prediction is put on the truth
by the window's one affine and both share the truth's colours (near is bright, unknown is black).
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.models.load import load_backbone
from training.validate import Clip, fit, Maps, predict, sequence_clips

CELL = (200, 150)
ACROSS = 3  # frames in a row of the sheet, three pictures each
LENGTH = 24

Picture = NDArray[np.uint8]


def places(folders: list[Path], count: int) -> list[Clip]:
    """Share the frames out among the sequences, spread over each."""
    parts = np.array_split(np.arange(count), len(folders))
    clips = []
    for folder, part in zip(folders, parts, strict=True):
        clips += sequence_clips(folder, LENGTH, len(part))
    return clips


def strip(clip: Clip, disparity: Maps) -> Picture:
    """Image, prediction and truth of the clip's middle frame."""
    middle = len(clip.rgb) // 2
    true = 1.0 / clip.depth_m[middle]
    ours = fit(disparity, clip.depth_m)[middle]
    far, near = np.nanpercentile(true, (1.0, 99.0))
    maps = [coloured((x - far) / max(near - far, 1e-6)) for x in (ours, true)]
    cells = [clip.rgb[middle][..., ::-1], *maps]
    return np.hstack([cv2.resize(c, CELL, interpolation=cv2.INTER_AREA) for c in cells])


def coloured(values: NDArray[np.float32]) -> Picture:
    shown = np.nan_to_num(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)
    picture: Picture = cv2.applyColorMap(shown, cv2.COLORMAP_INFERNO).astype(np.uint8)
    picture[~np.isfinite(values)] = 0
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('sequences', type=Path, nargs='+', help='folders with rgb/ and depth/')
    parser.add_argument('--out', type=Path, required=True, help='picture to write')
    parser.add_argument('--frames', type=int, default=12, help='frames to show')
    parser.add_argument('--model', default='embedded', help='model folder')
    arguments = parser.parse_args()
    backbone = load_backbone(ModelSettings(path=arguments.model))
    strips = [
        strip(clip, predict(backbone, clip))
        for clip in places(arguments.sequences, arguments.frames)
    ]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % ACROSS)
    rows = [np.hstack(strips[i : i + ACROSS]) for i in range(0, len(strips), ACROSS)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(arguments.out), np.vstack(rows)):
        raise SystemExit(f'{arguments.out} could not be written')


if __name__ == '__main__':
    main()
