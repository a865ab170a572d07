"""A stream of frames through the pipeline, and what comes out of it."""

from backbones import FakeBackbone, LENGTH, OVERLAP
import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.frames import DepthFrame, Frame, Output
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, Value, with_values

CAMERA = Camera(32, 24, 26.0, 26.0, 15.5, 11.5)
PERIOD_NS = 33_333_333
FAST: dict[str, Value] = {
    'poses.derive': False,
    'scale.min_pixels': 10,
    'depth.upsampling': 'linear',
}
# Every network call is made: what noise the last level leaves would be in each window's own gauge.
EXACT = {'sampling__overlap_start': False, 'sampling__skip_last': False}
DEPTH_ONLY = with_values(DepthSyncSettings(), FAST)
STRIDE = LENGTH - OVERLAP


def frame(index: int, *, blank: bool = False) -> Frame:
    """Give one of an endless row of different images; blank ones cannot be put on a scale."""
    small = np.random.default_rng(index).integers(30, 225, (6, 8, 3), dtype=np.uint8)
    rgb = (
        np.full((24, 32, 3), 128, np.uint8) if blank else small.repeat(4, axis=0).repeat(4, axis=1)
    )
    return Frame(index * PERIOD_NS, 'camera', rgb, CAMERA)


def pipeline(backbone: FakeBackbone | None = None, **changes: Value) -> Pipeline:
    values = {name.replace('__', '.'): value for name, value in changes.items()}
    return Pipeline(backbone or FakeBackbone(), with_values(DEPTH_ONLY, values))


def run(running: Pipeline, frames: list[Frame]) -> Output:
    return together([*(running.push(one) for one in frames), running.flush()])


def together(outputs: list[Output]) -> Output:
    return Output(
        tuple(one for output in outputs for one in output.frames),
        tuple(one for output in outputs for one in output.reports),
        tuple(one for output in outputs for one in output.dropped),
    )


def indices(frames: tuple[DepthFrame, ...]) -> list[int]:
    return [one.stamp_ns // PERIOD_NS for one in frames]


def assert_same(one: Output, other: Output) -> None:
    assert len(one.frames) == len(other.frames) > 0
    for a, b in zip(one.frames, other.frames, strict=True):
        assert (a.stamp_ns, a.index) == (b.stamp_ns, b.index)
        np.testing.assert_array_equal(a.depth, b.depth)
        np.testing.assert_array_equal(a.world_T_cam, b.world_T_cam)
