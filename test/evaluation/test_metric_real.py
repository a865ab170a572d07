"""
Metres on a real video, whose true poses or depth stand in for a robot's odometry or depth camera.

    pytest -s -m slow test/evaluation/test_metric_real.py
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
import os
from pathlib import Path
import sys

import numpy as np
import pytest

from depthsync_ros.core.evidence import Evidence, thin_out
from depthsync_ros.core.frames import DepthFrame
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.rigid import exponential, invert
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.datasets.sequence import Video
from depthsync_ros.evaluation.metrics import align, depth_errors, known

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('DEPTHSYNC_DATA', ROOT.parent / 'shared' / 'data'))
KITCHEN = DATA / '7scenes_redkitchen'
FRAMES = int(os.environ.get('DEPTHSYNC_FRAMES', '600'))
THIN = (slice(None, None, 4), slice(None, None, 4))
SLIP, NOISE = 0.02, 0.02  # of every step's length: always too long, and at random
TURN_RAD = 5e-4  # of every step, at random


@pytest.fixture(scope='module')
def video() -> Video:
    if not KITCHEN.is_dir():
        pytest.skip(f'{KITCHEN} is not here; set DEPTHSYNC_DATA')
    (video,) = open_folder(KITCHEN)
    return video.first(FRAMES)


def slipping(world_T_cam: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Compose the true steps, each with its share of slip and noise, as wheels would."""
    generator = np.random.default_rng(0)
    odom_T_cam = [np.eye(4)]
    for before, after in pairwise(world_T_cam):
        step = invert(before) @ after
        step[:3, 3] *= 1.0 + SLIP + NOISE * generator.normal()
        turned = exponential(np.r_[np.zeros(3), TURN_RAD * generator.normal(size=3)])
        odom_T_cam.append(odom_T_cam[-1] @ step @ turned)
    return odom_T_cam


def evidence_of(video: Video, source: str) -> Iterator[Evidence]:
    shots = [video.read(index) for index in range(len(video))]
    true = [shot.world_T_cam for shot in shots]
    if source == 'depth':
        yield from (Evidence(depth=thin_out(shot.depth_m)) for shot in shots)
        return
    poses = slipping(true) if source == 'odometry with slip' else true
    yield from (Evidence(odom_T_cam=pose) for pose in poses)


def run(backbone, video: Video, source: str) -> list[DepthFrame]:
    settings = with_values(DepthSyncSettings(), {'metric.source': source.partition(' ')[0]})
    pipeline = Pipeline(backbone, settings)
    out: list[DepthFrame] = []
    evidence = list(evidence_of(video, source))
    for index, one in enumerate(evidence):
        out += pipeline.push(replace(video.read(index).frame, evidence=one)).frames
    return out + list(pipeline.flush().frames)


@pytest.mark.parametrize('source', ['odometry', 'odometry with slip', 'depth'])
def test_depth_is_in_metres(remembering, video: Video, source: str) -> None:
    frames = run(remembering, video, source)
    metric = [frame for frame in frames if frame.metric]
    truth_m = np.stack([np.nan_to_num(video.read(f.index).depth_m[THIN]) for f in metric])
    depth_m = np.stack([frame.depth[THIN] for frame in metric])
    valid = known(truth_m, video.max_depth_m)

    ratio = [
        np.nanmedian(ours[where] / true[where])
        for ours, true, where in zip(depth_m, truth_m, valid, strict=True)
    ]
    raw = depth_errors(depth_m, truth_m, video.max_depth_m).absrel
    aligned = align(1.0 / depth_m, truth_m, video.max_depth_m)
    best = depth_errors(aligned, truth_m, video.max_depth_m).absrel

    error = np.abs(np.array(ratio) - 1.0)
    sys.stderr.write(
        f'\n{source}: {len(metric)} of {len(frames)} frames metric; scale error '
        f'{100 * np.median(error):.1f} % median, {100 * np.percentile(error, 90):.1f} % for 9 of '
        f'10; median scale {np.median(ratio):.3f}; AbsRel {raw:.3f} as it is, {best:.3f} with one '
        f'affine for the video, {raw / best:.2f} times\n'
    )
    assert len(frames) == len(video)
    assert len(metric) > 0.8 * len(frames), 'the scale is known after some windows'
    assert np.median(error) < 0.2, 'depth is in metres, if not exactly'
