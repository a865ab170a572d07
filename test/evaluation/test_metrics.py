from made_up_video import noisy_video, random_video
import numpy as np
import pytest

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.metrics import (
    align,
    as_row,
    depth_errors,
    drift_removed,
    fit_affine,
    frame_errors,
    oracle_depth,
    scale_drift,
    to_size,
    window_scales,
)
from depthsync_ros.evaluation.windows import consecutive

MAX_DEPTH_M = 10.0
# One least-squares fit in float64 on 1e4 values near 1 keeps about 12 digits.
EXACT = 1e-9


def test_truth_as_prediction_scores_perfect() -> None:
    video = noisy_video()
    depth = np.where(video.truth_m > 0.0, video.truth_m, 5.0)

    scores = as_row(depth_errors(depth, video.truth_m, MAX_DEPTH_M))

    assert scores == {
        'absrel': 0.0, 'delta1': 1.0, 'delta2': 1.0, 'delta3': 1.0, 'rmse_m': 0.0, 'log10': 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(('scale', 'shift'), [(0.3, 0.2), (40.0, 5.0), (1.0, 0.0)])
def test_a_known_affine_in_disparity_scores_perfect_after_alignment(scale, shift) -> None:
    truth = np.clip(noisy_video().truth_m, 0.5, 9.0)

    aligned = align(scale / truth + shift, truth, MAX_DEPTH_M)

    assert depth_errors(aligned, truth, MAX_DEPTH_M).absrel == pytest.approx(0.0, abs=EXACT)


def test_errors_of_four_pixels_are_as_computed_by_hand() -> None:
    truth = np.array([[[1.0, 2.0], [4.0, 0.0]]])
    depth = np.array([[[1.1, 1.0], [4.0, 3.0]]])

    scores = depth_errors(depth, truth, MAX_DEPTH_M)

    # valid are 1.0, 2.0 and 4.0; ratios 1.1, 2.0 and 1.0
    assert scores.absrel == pytest.approx((0.1 + 0.5 + 0.0) / 3.0, abs=EXACT)
    assert scores.delta1 == pytest.approx(2.0 / 3.0, abs=EXACT)
    assert scores.delta2 == pytest.approx(2.0 / 3.0, abs=EXACT)  # 2.0 > 1.25^2
    assert scores.delta3 == pytest.approx(2.0 / 3.0, abs=EXACT)  # 2.0 > 1.953
    assert scores.rmse_m == pytest.approx(((0.01 + 1.0) / 3.0) ** 0.5, abs=EXACT)
    assert scores.log10 == pytest.approx((np.log10(1.1) + np.log10(2.0)) / 3.0, abs=EXACT)


def test_errors_are_averaged_per_frame_before_over_frames() -> None:
    truth = np.array([[[2.0, 2.0]], [[2.0, 0.0]], [[0.0, 0.0]]])
    depth = np.array([[[2.0, 2.0]], [[3.0, 2.0]], [[9.0, 9.0]]])

    scores = depth_errors(depth, truth, MAX_DEPTH_M)

    assert scores.absrel == pytest.approx((0.0 + 0.5) / 2.0)  # over pixels it would be 0.5 / 3
    assert frame_errors(depth, truth, MAX_DEPTH_M)[:, 0] == pytest.approx(
        [0.0, 0.5, np.nan], nan_ok=True
    )


# What the public evaluations print for the arrays of made_up_video.py, saved as they expect
# them, with the device set to the CPU and every metric of metric.py asked for. Maximum depth 10.
# DepthCrafter: github.com/Tencent/DepthCrafter at e5186120a71ecb56b69f9e89654198b4eadfaf60,
#   benchmark/eval/eval.py, eval_single() with metric.py.
# Video Depth Anything: github.com/DepthAnything/Video-Depth-Anything at
#   4f5ae23172ba60fd7bc11ef671cca678842c7072, benchmark/eval/eval.py, eval_depthcrafter().
# log10 is of one frame at a time, averaged: asked for a whole video, theirs is over all pixels.
PUBLIC = {
    'noisy, DepthCrafter': (
        noisy_video(),
        (0.13740157624657087, 0.8048946261405945, 0.9974397420883179, 1.0),
        0.5737536049869487,
        0.05963203905963135,
    ),
    'noisy, Video Depth Anything': (
        noisy_video(),
        (0.13740157624651517, 0.8048946261405945, 0.9974397420883179, 1.0),
        0.5737536049858022,
        None,
    ),
    'random, DepthCrafter': (
        random_video(11),
        (0.3257000323124132, 0.4688950479030609, 0.7455459237098694, 0.8791702389717102),
        2.327210100709793,
        0.14149230549843733,
    ),
    'random, Video Depth Anything': (
        random_video(11),
        (0.32570003275808207, 0.4688950479030609, 0.7455459237098694, 0.8791702389717102),
        2.3272101033664265,
        None,
    ),
}


@pytest.mark.parametrize('case', PUBLIC)
def test_the_public_evaluations_give_the_same_figures(case) -> None:
    video, (absrel, *deltas), rmse_m, log10 = PUBLIC[case]
    disparity = to_size(video.disparity, *video.truth_m.shape[1:])

    scores = depth_errors(align(disparity, video.truth_m, MAX_DEPTH_M), video.truth_m, MAX_DEPTH_M)

    # 1e-6: the public code counts in float32 and adds 1e-8 m to the truth.
    assert scores.absrel == pytest.approx(absrel, abs=1e-6)
    assert [scores.delta1, scores.delta2, scores.delta3] == pytest.approx(deltas, abs=1e-6)
    assert scores.rmse_m == pytest.approx(rmse_m, abs=1e-6)
    if log10 is not None:
        assert scores.log10 == pytest.approx(log10, abs=1e-6)


def test_least_squares_agree_with_the_hand_made_line() -> None:
    # truth disparity 1, 2, 4 at 0, 1, 2: slope 1.5, intercept 5/6 by the normal equations;
    # the prediction of 0 is floored to 0.001, which the closed form below includes.
    x, y = np.array([0.001, 1.0, 2.0]), np.array([1.0, 2.0, 4.0])
    slope = ((x - x.mean()) @ (y - y.mean())) / ((x - x.mean()) @ (x - x.mean()))

    affine = fit_affine(np.array([[[0.0, 1.0, 2.0]]]), 1.0 / y[None, None], MAX_DEPTH_M)

    assert affine.scale == pytest.approx(slope, abs=EXACT)
    assert affine.shift == pytest.approx(y.mean() - slope * x.mean(), abs=EXACT)


def test_scale_only_leaves_the_shift_alone() -> None:
    truth = np.array([[[1.0, 2.0, 4.0]]])

    affine = fit_affine(5.0 / truth, truth, MAX_DEPTH_M, with_shift=False)

    assert affine.scale == pytest.approx(0.2, abs=EXACT)
    assert affine.shift == 0.0


def test_no_alignment_takes_disparity_as_inverse_metres() -> None:
    truth = np.array([[[1.0, 2.0, 4.0]]])

    depth = align(0.5 / truth, truth, MAX_DEPTH_M, 'none')

    assert depth.tolist() == [[[2.0, 4.0, 8.0]]]


def test_depth_is_clipped_to_the_data_sets_range() -> None:
    truth = np.array([[[1.0, 2.0, 4.0]]])

    depth = align(np.array([[[1e-9, np.nan, 1e9]]]), truth, MAX_DEPTH_M, 'none')

    assert depth.tolist() == [[[10.0, 10.0, 0.001]]]


def test_an_unknown_pixel_scores_as_far_away_not_as_left_out() -> None:
    truth = np.array([[[1.0, 2.0, 4.0]]])
    disparity = 1.0 / truth
    disparity[0, 0, 0] = np.nan

    depth = align(disparity, truth, MAX_DEPTH_M, 'none')

    assert depth_errors(depth, truth, MAX_DEPTH_M).absrel == pytest.approx(9.0 / 3.0)


def test_each_window_has_its_own_affine_under_window_alignment_and_in_the_oracle() -> None:
    truth = np.clip(noisy_video(frames=6).truth_m, 0.5, 9.0)
    windows = consecutive([range(4), range(2, 6)])
    own = [0.3 / truth[0:4] + 0.1, 0.8 / truth[2:6] + 0.4]
    final = np.concatenate([own[0], own[1][2:]])

    oracle = oracle_depth(own, windows, truth, MAX_DEPTH_M)
    aligned = align(final[4:], truth[4:], MAX_DEPTH_M, 'window', consecutive([range(2)]))

    assert depth_errors(oracle, truth, MAX_DEPTH_M).absrel == pytest.approx(
        0.0, abs=1e-6
    )  # float32
    assert depth_errors(aligned, truth[4:], MAX_DEPTH_M).absrel == pytest.approx(0.0, abs=EXACT)
    assert depth_errors(align(final, truth, MAX_DEPTH_M), truth, MAX_DEPTH_M).absrel > 0.01


def test_the_oracle_of_one_window_is_the_video_alignment() -> None:
    video = noisy_video()
    count = len(video.truth_m)

    window = consecutive([range(count)])
    oracle = oracle_depth([video.disparity], window, video.truth_m, MAX_DEPTH_M)

    aligned = align(video.disparity, video.truth_m, MAX_DEPTH_M)
    assert oracle == pytest.approx(aligned, rel=1e-5)  # the oracle is float32


def test_windows_with_a_gap_are_refused() -> None:
    truth = np.ones((6, 2, 2)) * np.array([1.0, 2.0])

    with pytest.raises(InputError, match='cover 4 of 6 frames'):
        align(1.0 / truth, truth, MAX_DEPTH_M, 'window', consecutive([range(2), range(4, 6)]))


def test_the_share_of_drift_removed_is_one_at_the_oracle_and_zero_at_the_baseline() -> None:
    assert drift_removed(0.2, 0.1, 0.1) == 1.0
    assert drift_removed(0.2, 0.2, 0.1) == 0.0


def test_the_share_of_a_drift_too_small_to_divide_by_is_blank() -> None:
    assert drift_removed(0.111, 0.1, 0.1) == pytest.approx(1.0)
    assert drift_removed(0.109, 0.1, 0.1) is None
    assert drift_removed(0.1, 0.05, 0.1) is None
    assert drift_removed(0.05, 0.05, 0.1) is None  # worse than nothing to begin with


def test_window_scales_tell_a_window_that_is_too_large() -> None:
    truth = np.full((6, 4, 4), 2.0)
    depth = truth.copy()
    depth[3:] *= 1.5

    scales = window_scales(depth, truth, MAX_DEPTH_M, consecutive([range(3), range(3, 6)]))

    assert scales == pytest.approx([1.0, 1.5])
    assert scale_drift(scales) == pytest.approx(np.log(1.5) / 2.0)  # of two values, half the gap


def test_a_prediction_is_resized_to_the_truth() -> None:
    small = np.tile(np.array([[[0.0, 1.0]]], np.float32), (2, 1, 1))

    large = to_size(small, 2, 4)

    # bilinear, pixel centres at (i + 0.5) / 2
    assert large[0, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_a_constant_prediction_is_scored_as_the_best_constant() -> None:
    truth = np.array([[[1.0, 2.0, 4.0]]])

    depth = align(np.full_like(truth, 0.5), truth, MAX_DEPTH_M)

    # least squares in disparity: the mean of 1, 1/2 and 1/4
    assert depth == pytest.approx(np.full_like(truth, 12.0 / 7.0), abs=EXACT)


def test_errors_say_what_is_wrong() -> None:
    truth = np.full((2, 3, 3), 2.0)

    with pytest.raises(InputError, match='depth unit'):
        fit_affine(truth, 1000.0 * truth, MAX_DEPTH_M)  # millimetres taken for metres
    with pytest.raises(InputError, match='depth unit'):
        depth_errors(truth, 1000.0 * truth, MAX_DEPTH_M)
    with pytest.raises(InputError, match="'median' is none of video"):
        align(truth, truth, MAX_DEPTH_M, 'median')
