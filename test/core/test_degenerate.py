"""
What the tracks do not support is left alone, and said.

A network that errs smoothly and differently in every frame, in windows of ranges of their own,
sees six videos that geometry can do little or nothing with. DepthSync's depth must not be worse
than the baseline's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from backbones import FakeBackbone
import numpy as np
import pytest
from scenes import CAMERA, path, render
import torch

from depthsync_ros.core.backbone import Preferences
from depthsync_ros.core.depthsync import LOST, LOST_SIGMA
from depthsync_ros.core.frames import Frame, Output
from depthsync_ros.core.geometry import Geometry
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.evaluation.metrics import align, depth_errors
from depthsync_ros.evaluation.strategies import strategy_settings

FRAMES, LENGTH, OVERLAP = 20, 8, 3
MOVING = (0.06, 0.0, 0.02, 0.0, 0.01, 0.0)


@dataclass(frozen=True, eq=False)
class Video:
    """What a camera saw: rgb (frames, height, width, 3), depth_m (frames, height, width)."""

    rgb: np.ndarray
    depth_m: np.ndarray


class Erring(FakeBackbone):
    """Give each window the true disparity in its own min-max range, tilted frame by frame."""

    pixels_per_latent = 1
    preferences = Preferences(LENGTH, OVERLAP, 160)

    def __init__(self, video: Video) -> None:
        super().__init__()
        tilt = np.linspace(-0.2, 0.2, video.depth_m.shape[2])
        turns = np.sin(1.3 * np.arange(len(video.depth_m)))[:, None, None]
        disparity = np.exp(tilt * turns) / np.nan_to_num(video.depth_m, nan=5.0)
        self.disparity = torch.from_numpy(disparity.astype(np.float32))
        self.next = 0

    def encode_rgb(self, rgb, noise):
        told = super().encode_rgb(rgb, noise)
        told.image_latents[:] = self.disparity[self.next : self.next + len(rgb), None]
        self.next += len(rgb)
        return told

    def gauge(self, conditioning):
        low = float(conditioning.image_latents.min())
        high = float(conditioning.image_latents.max())
        return 1.0 / (high - low), -low / (high - low)


def film(world_T_cam: np.ndarray) -> Video:
    views = [render(one) for one in world_T_cam]
    return Video(np.stack([v.rgb for v in views]), np.stack([v.depth_m for v in views]))


def turning() -> Video:
    return film(path(FRAMES, (0.0, 0.0, 0.0, 0.0, 0.012, 0.0)))


def standing() -> Video:
    return film(path(FRAMES, (0.0,) * 6))


def textureless() -> Video:
    moving = film(path(FRAMES, MOVING))
    return replace(moving, rgb=np.full_like(moving.rgb, 127))


def half_moving() -> Video:
    video = film(path(FRAMES, MOVING))
    poster = np.random.default_rng(9).integers(20, 235, (32, 12, 3), np.uint8)
    poster = poster.repeat(8, axis=0).repeat(8, axis=1)
    for index in range(FRAMES):
        video.rgb[index, :, 80:] = poster[4 * index : 4 * index + 120, :80]
        video.depth_m[index, :, 80:] = 1.8
    return video


def cut() -> Video:
    elsewhere = path(1, MOVING)[0] @ path(2, (1.5, 0.0, -0.5, 0.0, -0.3, 0.0))[1]
    first, second = path(FRAMES // 2 + 1, MOVING), path(FRAMES // 2 - 1, MOVING)
    return film(np.concatenate([first, elsewhere @ second]))


def run(video: Video, strategy: str) -> list[Output]:
    pipeline = Pipeline(Erring(video), strategy_settings(DepthSyncSettings(), strategy))
    outputs = [
        pipeline.push(Frame(index, 'camera', rgb, CAMERA)) for index, rgb in enumerate(video.rgb)
    ]
    return [*outputs, pipeline.flush()]


def deliver(video: Video, strategy: str) -> tuple[np.ndarray, list[str]]:
    """Give disparity, NaN where a frame was dropped, and what windows and drops say."""
    outputs = run(video, strategy)
    disparity = np.full(video.depth_m.shape, np.nan, np.float32)
    for frame in (frame for output in outputs for frame in output.frames):
        disparity[frame.stamp_ns] = 1.0 / frame.depth
    notes = [note for output in outputs for report in output.reports for note in report.notes]
    lost = [dropped for output in outputs for dropped in output.dropped]
    out = np.isfinite(disparity).any(axis=(1, 2)).sum()
    assert out + sum(len(dropped.stamps_ns) for dropped in lost) == FRAMES
    return disparity, [*notes, *(dropped.reason for dropped in lost)]


def absrel(disparity: np.ndarray, video: Video) -> float:
    there = np.isfinite(disparity).any(axis=(1, 2))
    truth = video.depth_m[there]
    return depth_errors(align(disparity[there], truth, 10.0), truth, 10.0).absrel


@pytest.mark.parametrize('strategy', ['post_both', 'depthsync'])
@pytest.mark.parametrize(
    ('make', 'said'),
    [
        (turning, 'hardly moves'),
        (standing, 'hardly moves'),
        (textureless, 'tracks with known depth'),
        (half_moving, 'agree on one motion'),
        (cut, ''),
    ],
)
def test_depth_is_no_worse_than_the_baselines(
    make: Callable[[], Video], said: str, strategy: str
) -> None:
    video = make()

    baseline, _ = deliver(video, 'baseline')
    corrected, notes = deliver(video, strategy)

    assert said in '; '.join(notes)
    assert np.isfinite(corrected).any(axis=(1, 2)).all()
    assert absrel(corrected, video) < 1.02 * absrel(baseline, video)


def test_overlap_that_shows_nothing_harms_no_other_frame() -> None:
    video = film(path(FRAMES, MOVING))
    blind = slice(LENGTH - OVERLAP, LENGTH)
    video.rgb[blind], video.depth_m[blind] = 255, np.nan

    baseline, _ = deliver(video, 'baseline')
    guided, _ = deliver(video, 'depthsync')

    kept = np.isfinite(guided).any(axis=(1, 2))[:, None, None]
    assert absrel(guided, video) < 1.02 * absrel(np.where(kept, baseline, np.nan), video)


def test_where_the_camera_moves_depth_is_much_better() -> None:
    video = film(path(FRAMES, MOVING))

    baseline, guided = (absrel(deliver(video, s)[0], video) for s in ('baseline', 'depthsync'))

    assert guided < 0.7 * baseline


def test_cameras_that_were_lost_go_on_from_their_last_place_and_say_what_it_is_worth() -> None:
    video = film(path(FRAMES, MOVING))
    dark = range(LENGTH + 1, LENGTH + 6)
    video.rgb[dark] = 127

    outputs = run(video, 'post_both')

    frames = [frame for output in outputs for frame in output.frames]
    posed = np.array([frame.world_T_cam is not None for frame in frames])
    assert not posed[dark].any()
    assert posed[: dark.start].all()
    assert posed[dark.stop :].all()
    before, after = frames[dark.start - 1], frames[dark.stop]
    np.testing.assert_allclose(after.world_T_cam, before.world_T_cam, atol=1e-6)
    assert (np.diag(after.pose_covariance) >= LOST_SIGMA**2).all()
    assert (np.diag(before.pose_covariance) < LOST_SIGMA**2).all()
    notes = [note for output in outputs for report in output.reports for note in report.notes]
    assert notes.count(LOST) == 1


def test_bend_of_one_window_does_not_pass_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    video = film(path(FRAMES, MOVING))

    straight = gauges(run(video, 'post_both'))
    monkeypatch.setattr(Geometry, 'bend', lambda _, disparity, *unused: 2.0 * disparity)
    bent = gauges(run(video, 'post_both'))

    assert len(straight) > 2
    assert bent == straight


def gauges(outputs: list[Output]) -> list[tuple[float, float]]:
    return [(report.scale, report.shift) for output in outputs for report in output.reports]
