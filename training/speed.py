"""
Measure the pipeline's pace beside the machine's own: python -m training.speed.

The whole unguided pipeline runs on 320x240 frames of noise without tracking. Its frames a second
mean something only beside the rate of a plain convolution, measured between the runs.
"""

import argparse
import logging
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch import nn

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.frames import Frame, StageSeconds
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.models.load import load_backbone

WIDTH, HEIGHT = 320, 240
CAMERA = Camera(WIDTH, HEIGHT, 280.0, 280.0, 159.5, 119.5)
CHANNELS, SIDE = 128, 64  # of the convolution
STAGES = ('encode', 'denoise', 'decode', 'align', 'pose')

logger = logging.getLogger('training.speed')


@torch.no_grad()
def convolution_rate() -> float:
    """Measure a 3x3 convolution of 128 channels. Units: 1e9 operations a second."""
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(memory_format=torch.channels_last)
    images = torch.rand(8, CHANNELS, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    layer(images)
    begun, count = perf_counter(), 0
    while perf_counter() - begun < 1.0:
        layer(images)
        count += 1
    operations = 2.0 * 9.0 * CHANNELS**2 * images.shape[0] * SIDE**2
    return count * operations / (perf_counter() - begun) / 1e9


def run(pipeline: Pipeline, frames: list[Frame]) -> tuple[float, list[StageSeconds]]:
    """Push all frames; give the wall seconds of it all, and each window's stages."""
    pipeline.reset()
    begun, windows = perf_counter(), []
    for frame in frames:
        windows += pipeline.push(frame).reports
    windows += pipeline.flush().reports
    return perf_counter() - begun, [report.seconds for report in windows]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--windows', type=int, default=3, help='windows of each run')
    parser.add_argument('--runs', type=int, default=5, help='runs, of which the median is given')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads')
    parser.add_argument('--dtype', default='float32', help='arithmetic, as model.dtype')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    changes = {'model.threads': arguments.threads, 'model.dtype': arguments.dtype}
    settings = with_values(
        DepthSyncSettings(),
        {**changes, 'poses.derive': False, 'guidance.scale': 0.0, 'guidance.geometry': 0.0},
    )
    pipeline = Pipeline(load_backbone(settings.model), settings)
    count = pipeline.length + (arguments.windows - 1) * (pipeline.length - pipeline.overlap)
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames = [Frame(i * 33_333_333, 'camera', rgb, CAMERA) for i, rgb in enumerate(pictures)]
    run(pipeline, frames)
    rates, paces, shares = [], [], []
    for _ in range(arguments.runs):
        rates.append(convolution_rate())
        seconds, windows = run(pipeline, frames)
        paces.append(count / seconds)
        stages = [sum(getattr(w, name) for w in windows) / seconds for name in STAGES]
        shares.append([*stages, 1.0 - sum(stages)])
        logger.info('%.2f frames/s at %.0f GFLOP/s', paces[-1], rates[-1])
    logger.info('median: %.2f frames/s at %.0f GFLOP/s', median(paces), median(rates))
    names = (*STAGES, 'upsample and rest')
    parts = [f'{n} {median(s):.1%}' for n, s in zip(names, zip(*shares, strict=True), strict=True)]
    logger.info('%s', ', '.join(parts))


if __name__ == '__main__':
    main()
