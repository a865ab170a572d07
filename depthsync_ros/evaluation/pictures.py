"""Pictures of a result: colour, true depth, predicted depth and error, side by side."""

from pathlib import Path

import cv2
import numpy as np

from depthsync_ros.core.shapes import Map, Maps, RgbImage
from depthsync_ros.datasets.sequence import Video

SHARES = (0.1, 0.5, 0.9)  # where in the video the pictures are taken
WIDTH = 240  # of each of the four, in pixels
FULL_ERROR = 0.5  # relative error that is shown brightest
JPEG_QUALITY = 85
FOLDER = 'pictures'


def write_pictures(
    out: Path, name: str, video: Video, *, depth_m: Maps, truth_m: Maps, max_depth_m: float
) -> list[str]:
    """Write a strip for three frames and return the files' names below out."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    files = []
    for share in SHARES:
        index = int(share * (len(depth_m) - 1))
        rgb = video.read(index).frame.rgb
        strip = _strip(rgb, depth_m[index], truth_m[index], max_depth_m)
        file = f'{FOLDER}/{name}-{index:05d}.jpg'
        cv2.imwrite(str(out / file), strip, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        files.append(file)
    return files


def _strip(rgb: RgbImage, depth: Map, truth: Map, max_depth_m: float) -> np.ndarray:
    known = (truth > 0.0) & (truth < max_depth_m)
    near, far = np.percentile(1.0 / truth[known], (99.0, 1.0)) if known.any() else (1.0, 0.0)
    with np.errstate(divide='ignore', invalid='ignore'):
        true_shown = _coloured((1.0 / truth - far) / max(near - far, 1e-6), cv2.COLORMAP_TURBO)
        shown = _coloured((1.0 / depth - far) / max(near - far, 1e-6), cv2.COLORMAP_TURBO)
        error = _coloured(np.abs(depth - truth) / truth / FULL_ERROR, cv2.COLORMAP_INFERNO)
    true_shown[~known] = 0
    error[~known] = 0
    tiles = [cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), true_shown, shown, error]
    height = round(WIDTH * rgb.shape[0] / rgb.shape[1])
    size = (WIDTH, height)
    return np.hstack([cv2.resize(t, size, interpolation=cv2.INTER_AREA) for t in tiles])


def _coloured(share: Map, colours: int) -> np.ndarray:
    steps = np.clip(np.nan_to_num(share, nan=0.0), 0.0, 1.0) * 255.0
    return cv2.applyColorMap(steps.astype(np.uint8), colours)
