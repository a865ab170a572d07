import numpy as np
import pytest

from training.validate import Clip, constant, score, vertical_ramp


def true_depth() -> np.ndarray:
    return np.random.default_rng(0).uniform(1.0, 5.0, (2, 32, 40)).astype(np.float32)


def test_any_affine_of_the_true_disparity_scores_perfectly() -> None:
    depth_m = true_depth()

    result = score(0.3 / depth_m - 2.0, depth_m)

    assert result.absrel < 1e-5  # float32 disparity
    assert result.delta1 == 1.0


def test_unknown_depth_is_left_out() -> None:
    depth_m = true_depth()
    disparity = 1.0 / depth_m
    disparity[:, :5] = 100.0
    depth_m[:, :5] = np.nan

    assert score(disparity, depth_m).absrel < 1e-5  # float32 disparity


def test_a_constant_prediction_scores_as_the_mean_disparity() -> None:
    depth_m = true_depth()
    clip = Clip(np.zeros((2, 32, 40, 3), np.uint8), depth_m)

    result = score(constant(clip), depth_m)

    fitted = 1.0 / np.mean(1.0 / depth_m.astype(np.float64))
    assert result.absrel == pytest.approx(np.mean(np.abs(fitted - depth_m) / depth_m), rel=1e-5)


def test_the_ramp_explains_a_floor() -> None:
    rows = np.linspace(0.5, 2.0, 32, dtype=np.float32)[None, :, None]
    depth_m = np.broadcast_to(1.0 / rows, (2, 32, 40)).copy()
    clip = Clip(np.zeros((2, 32, 40, 3), np.uint8), depth_m)

    # interpolation at the first and last half cell bends the ramp a little
    assert score(vertical_ramp(clip), depth_m).absrel < 0.02
