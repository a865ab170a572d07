from backbones import FakeBackbone
import numpy as np
import pytest

from depthsync_ros.core.frames import Frame
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from training import speed


def test_stages_of_every_window_lie_within_the_run() -> None:
    settings = with_values(DepthSyncSettings(), {'poses.derive': False})
    pipeline = Pipeline(FakeBackbone(), settings)
    random = np.random.default_rng(0)
    count = 2 * pipeline.length - pipeline.overlap
    frames = [
        Frame(i, 'camera', random.integers(0, 255, (240, 320, 3), dtype=np.uint8), speed.CAMERA)
        for i in range(count)
    ]

    for _ in range(2):  # the second run begins as the first did
        seconds, windows = speed.run(pipeline, frames)

        assert len(windows) == 2
        assert 0.0 < sum(window.total for window in windows) <= seconds


def test_the_convolution_rate_is_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock that advances a quarter of a second a look: 3 convolutions in the one second.
    looks = iter(np.arange(0.0, 10.0, 0.25))
    monkeypatch.setattr(speed, 'perf_counter', lambda: float(next(looks)))

    operations = 2 * 9 * 128 * 128 * 8 * 64 * 64
    # looks: 0 (begun), .25, .5, .75 (three rounds), 1.0 (over), 1.25 (asked again)
    assert speed.convolution_rate() == pytest.approx(3 * operations / 1.25 / 1e9)
