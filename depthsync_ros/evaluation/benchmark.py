"""
Do the scores of a video take less time than reading it? Run this to see.

python -m depthsync_ros.evaluation.benchmark [FOLDER] [--frames 600]

FOLDER is a sequence in the folder layout; without one, 320x240 frames of noise over waves are
written and read. The prediction is the truth with noise in windows of 24 frames, 8 shared;
every score is computed. The best of three runs counts, for another program may be in the way.
"""

import argparse
from collections.abc import Callable
import json
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import cv2
import numpy as np

from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.evaluation.methods import Prediction
from depthsync_ros.evaluation.scoring import decode, score, Truth
from depthsync_ros.evaluation.windows import consecutive

WIDTH, HEIGHT = 320, 240
LENGTH, STRIDE = 24, 16
ROUNDS = 3


def main() -> int:
    """Measure, print both times and their ratio, and return 0 where scoring is the faster."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path, nargs='?', help='[frames of noise]')
    parser.add_argument('--frames', type=int, default=600, metavar='N', help='[600]')
    args = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = args.folder or write_noise(Path(temporary) / 'noise', args.frames)
        ratio = measure(folder, args.frames)
    return 0 if ratio < 1.0 else 1


def measure(folder: Path, frames: int) -> float:
    """Time both on the first frames of one sequence, and give scoring over reading."""
    (video,) = open_folder(folder)
    count = min(frames, len(video))
    _, truth = decode(video, count, video.max_depth_m)
    prediction = noisy(truth)
    reading = _best(lambda: decode(video, count, video.max_depth_m))
    scoring = _best(lambda: score(prediction, truth, 'video'))
    ratio = scoring[0] / reading[0]
    sys.stdout.write(
        f'{count} frames of {video.view.width}x{video.view.height}\n'
        f'reading {reading[0]:.2f} s ({reading[1]:.2f} s of CPU)\n'
        f'scoring {scoring[0]:.2f} s ({scoring[1]:.2f} s of CPU)\n'
        f'scoring / reading = {ratio:.2f}\n'
    )
    return ratio


def noisy(truth: Truth) -> Prediction:
    """Predict the truth's disparity with noise, and its poses."""
    random = np.random.default_rng(0)
    disparity = 0.5 / np.nan_to_num(truth.depth_m, nan=3.0)
    disparity += random.normal(0.0, 0.01, disparity.shape).astype(np.float32)
    count = len(disparity)
    starts = range(0, max(1, count - LENGTH + STRIDE), STRIDE)
    windows = [range(start, min(start + LENGTH, count)) for start in starts]
    own = [disparity[window.start : window.stop] for window in windows]
    poses = [pose if np.isfinite(pose).all() else None for pose in truth.world_T_cam]
    return Prediction(disparity, 'disparity', poses, consecutive(windows), own)


def write_noise(folder: Path, frames: int) -> Path:
    """Write a sequence whose files are about as large as a camera's."""
    for part in ('rgb', 'depth'):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    lines = []
    for index in range(frames):
        wave = np.sin(u / 40.0 + index / 50.0) + np.cos(v / 30.0)
        rgb = 120.0 + 40.0 * wave[..., None] + random.normal(0.0, 12.0, (HEIGHT, WIDTH, 3))
        depth = 3000.0 + 500.0 * wave + random.normal(0.0, 5.0, wave.shape)
        depth[:10] = 0.0  # unknown
        cv2.imwrite(str(folder / f'rgb/{index:06d}.jpg'), np.clip(rgb, 0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / f'depth/{index:06d}.png'), depth.astype(np.uint16))
        lines.append(f'{index / 30.0:.6f} {0.01 * index:.4f} {np.sin(index / 30.0):.4f} 0 0 0 0 1')
    (folder / 'poses.txt').write_text('\n'.join(lines), encoding='utf-8')
    camera = {'width': WIDTH, 'height': HEIGHT, 'fx': 260, 'fy': 260, 'cx': 159.5, 'cy': 119.5}
    (folder / 'intrinsics.json').write_text(json.dumps(camera), encoding='utf-8')
    return folder


def _best(work: Callable[[], object]) -> tuple[float, float]:
    """Give the wall and CPU seconds of the fastest of several runs."""
    runs = []
    for _ in range(ROUNDS):
        wall, cpu = perf_counter(), process_time()
        work()
        runs.append((perf_counter() - wall, process_time() - cpu))
    return min(runs)


if __name__ == '__main__':
    sys.exit(main())
