from backbones import FakeBackbone
import numpy as np
import pytest
from tiny_video import SETTINGS, Wave

from depthsync_ros.core.settings import with_values
from depthsync_ros.evaluation import metrics
from depthsync_ros.evaluation.methods import PipelineMethod
from depthsync_ros.evaluation.scoring import decode, score
from depthsync_ros.evaluation.strategies import strategy_settings


def predictions(name, frames, lengths, **backbone):
    method = PipelineMethod(name, strategy_settings(SETTINGS, name), FakeBackbone(**backbone))
    return dict(method.predict(Wave(frames).video(), lengths, lambda: None))


@pytest.mark.parametrize('name', ['baseline', 'post_scale', 'scale'])
def test_a_shorter_length_is_the_run_that_ends_there(name) -> None:
    lengths = [4, 6, 9, 14, 18]  # within, at and between the windows' ends (6, 10, 14, 18)

    together = predictions(name, 20, lengths, random_gauges=True, noise_share=0.01)

    for length in lengths:
        alone = predictions(name, length, [length], random_gauges=True, noise_share=0.01)[length]
        assert np.array_equal(together[length].values, alone.values)
        assert together[length].windows == alone.windows
        for ours, theirs in zip(together[length].own, alone.own, strict=True):
            assert np.array_equal(ours, theirs)


def test_every_frame_is_delivered_and_the_windows_cover_them() -> None:
    prediction = predictions('baseline', 15, [15])[15]

    assert np.isfinite(prediction.values).all()
    assert set().union(*(w.frames for w in prediction.windows)) == set(range(15))
    assert prediction.seconds > 0.0


def test_the_oracle_sees_through_each_windows_own_gauge() -> None:
    video = Wave(18).video()
    _, truth = decode(video, 18, 10.0)

    rows = {
        name: score(predictions(name, 18, [18], random_gauges=True)[18], truth, 'video').row
        for name in ('baseline', 'post_scale')
    }

    # The network's answer is the truth but for each window's gauge and 8 bits of brightness.
    assert rows['baseline']['oracle_absrel'] < 0.005
    assert rows['baseline']['absrel'] > 0.05
    assert rows['post_scale']['absrel'] < 0.01
    assert rows['baseline']['scale_drift'] > 10.0 * rows['post_scale']['scale_drift']


@pytest.mark.parametrize('frames', [14, 15, 17])
def test_the_oracle_blends_windows_as_the_pipeline_does(monkeypatch, frames) -> None:
    prediction = predictions('independent', frames, [frames], random_gauges=True)[frames]
    _, truth = decode(Wave(frames).video(), frames, 10.0)
    # Without a fit, the oracle's blend of the raw windows is the run's own.
    monkeypatch.setattr(metrics, 'fit_affine', lambda *_: metrics.Affine(1.0, 0.0))

    oracle = metrics.oracle_depth(prediction.own, prediction.windows, truth.depth_m, 10.0)

    difference = prediction.values - 1.0 / oracle
    assert len(prediction.windows) >= 3
    # One shift for the run is all that the pipeline adds; float32.
    assert np.ptp(difference) == pytest.approx(0.0, abs=1e-5)


class Refusing(FakeBackbone):
    """Gives nothing but zeros for one window, which cannot be put on the run's scale."""

    def decode(self, latents):
        self.windows = getattr(self, 'windows', 0) + 1
        decoded = super().decode(latents)
        return decoded * 0.0 if self.windows == 2 else decoded


@pytest.mark.parametrize('how', ['video', 'window'])
def test_a_lost_window_is_left_out_and_the_others_keep_their_frames(how) -> None:
    settings = strategy_settings(SETTINGS, 'post_scale')
    method = PipelineMethod('post_scale', settings, Refusing(random_gauges=True))
    ((_, prediction),) = method.predict(Wave(18).video(), [18], lambda: None)
    _, truth = decode(Wave(18).video(), 18, 10.0)

    row = score(prediction, truth, how).row

    assert row['missing_frames'] == 4
    assert [(w.frames, w.first_out) for w in prediction.windows[:3]] == [
        ((0, 1, 2, 3, 4, 5), 0),
        ((4, 5, 10, 11, 12, 13), 10),  # 4 and 5 left when 6 to 9 were lost
        ((12, 13, 14, 15, 16, 17), 12),
    ]
    assert row['oracle_absrel'] < 0.005
    assert row['absrel'] < 0.01
    assert row['window_scales'] == pytest.approx([1.0] * 3, abs=0.02)


def test_facts_hold_every_setting() -> None:
    settings = with_values(SETTINGS, {'sampling.seed': 3})

    facts = PipelineMethod('baseline', settings, FakeBackbone()).facts()

    assert facts['sampling.seed'] == 3
    assert facts['window.length'] == 0
    assert facts['backbone'] == 'fake'
