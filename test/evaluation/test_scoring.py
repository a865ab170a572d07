import numpy as np
import pytest
from tiny_video import Wave

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.methods import Prediction
from depthsync_ros.evaluation.scoring import decode, score
from depthsync_ros.evaluation.windows import consecutive

FRAMES = 24


def truth_and_values():
    wave = Wave(FRAMES)
    _, truth = decode(wave.video(), FRAMES, 10.0)
    return truth, [wave.world_T_cam(i) for i in range(FRAMES)]


def test_a_perfect_prediction_scores_perfect_everywhere() -> None:
    pytest.importorskip('evo', reason='evo is an optional extra')
    truth, poses = truth_and_values()
    windows = consecutive([range(14), range(10, FRAMES)])
    values = 1.0 / truth.depth_m
    own = [0.5 * values[list(w.frames)] + 0.1 for w in windows]

    row = score(Prediction(values, 'disparity', poses, windows, own), truth, 'video').row

    # float32 throughout: 1e-5
    for name in ('absrel', 'rmse_m', 'log10', 'oracle_absrel', 'scale_drift', 'ate_m'):
        assert row[name] == pytest.approx(0.0, abs=1e-5), name
    assert row['rpe_trans_m'] == pytest.approx(0.0, abs=1e-6)
    assert row['rpe_rot_deg'] == pytest.approx(0.0, abs=1e-4)
    assert (row['delta1'], row['delta2'], row['delta3']) == (1.0, 1.0, 1.0)
    assert row['missing_frames'] == 0
    assert row['posed_frames'] == FRAMES


@pytest.mark.parametrize('kind', ['disparity', 'depth'])
def test_a_known_affine_of_the_truth_scores_perfect_after_alignment(kind) -> None:
    truth, poses = truth_and_values()
    base = truth.depth_m if kind == 'depth' else 1.0 / truth.depth_m

    row = score(Prediction(0.37 * base + 0.21, kind, poses), truth, 'video').row

    assert row['absrel'] == pytest.approx(0.0, abs=1e-5)


def test_metric_depth_is_not_aligned_whatever_was_asked() -> None:
    truth, poses = truth_and_values()

    row = score(Prediction(1.1 * truth.depth_m, 'metric', poses), truth, 'video').row

    assert row['absrel'] == pytest.approx(0.1, abs=1e-5)
    assert row['alignment'] == 'none'


def test_frames_that_were_lost_are_left_out_and_counted() -> None:
    truth, poses = truth_and_values()
    values = 1.0 / truth.depth_m
    values[5:9] = np.nan
    values[10, :6] = np.nan  # a quarter of one frame is unknown: that counts as far away

    row = score(Prediction(values, 'disparity', poses), truth, 'video').row

    assert row['missing_frames'] == 4
    assert row['frame_absrel'][5:9] == [None] * 4
    assert row['unknown_pixels'] == pytest.approx(0.25 / 20)
    assert row['absrel'] > 0.01


def test_a_method_that_delivers_nothing_is_an_error() -> None:
    truth, poses = truth_and_values()

    with pytest.raises(InputError, match='not one frame'):
        score(Prediction(np.full_like(truth.depth_m, np.nan), 'disparity', poses), truth, 'video')


def test_poses_alone_are_scored_without_depth() -> None:
    pytest.importorskip('evo', reason='evo is an optional extra')
    truth, poses = truth_and_values()

    scored = score(Prediction(np.zeros((FRAMES, 0, 0)), 'none', poses), truth, 'video')

    assert scored.row['ate_m'] == pytest.approx(0.0, abs=1e-9)
    assert 'absrel' not in scored.row
    assert scored.depth_m is None
