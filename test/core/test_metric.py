"""Metres from a robot's odometry: known motion, known scale."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from scenes import path

from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.metric import (
    combine,
    compare_translations,
    MAX_STEP,
    MetricScale,
    Observation,
)
from depthsync_ros.core.rigid import exponential

FRAMES = 24
MOTION = path(FRAMES, (0.01, 0.002, 0.015, 0.0, 0.004, 0.001))  # 43 cm, metres


def scaled(world_T_cam: np.ndarray, scale: float) -> np.ndarray:
    result = world_T_cam.copy()
    result[:, :3, 3] /= scale
    return result


def observed(log_scale: float, sigma: float = 0.05) -> Observation:
    return Observation(log_scale, sigma)


@given(st.floats(0.01, 100.0), st.integers(0, 1000))
def test_the_scale_is_found_whatever_the_two_worlds_are(scale: float, seed: int) -> None:
    turn = np.random.default_rng(seed).uniform(-2.0, 2.0, (2, 6))
    ours, theirs = exponential(turn[0]) @ scaled(MOTION, scale), exponential(turn[1]) @ MOTION

    seen = compare_translations(scaled(ours, 1.0), theirs)

    assert np.exp(seen.log_scale) == pytest.approx(scale, rel=1e-6)  # double rounding


def test_a_robot_that_stands_still_says_nothing() -> None:
    jitter = np.random.default_rng(0).normal(scale=0.002, size=(FRAMES, 6))

    with pytest.raises(ScaleError, match='30 mm within a window are needed'):
        compare_translations(scaled(MOTION, 2.0), exponential(jitter))


def test_odometry_that_goes_another_way_is_not_believed() -> None:
    sideways = path(FRAMES, (-0.015, 0.0, 0.01, 0.0, 0.0, 0.0))

    with pytest.raises(ScaleError, match='wheels slip'):
        compare_translations(scaled(MOTION, 2.0), sideways)


def test_frames_without_a_pose_are_left_out() -> None:
    ours, theirs = list(scaled(MOTION, 2.0)), list(MOTION)
    ours[3] = theirs[7] = None

    assert np.exp(compare_translations(ours, theirs).log_scale) == pytest.approx(2.0)
    with pytest.raises(ScaleError, match='2 frames of the window have'):
        compare_translations([None] * 22 + ours[:2], [None] * 22 + theirs[:2])


def test_slip_and_noise_of_two_percent_move_the_scale_by_about_as_much() -> None:
    generator = np.random.default_rng(1)
    seen = []
    for _ in range(20):
        steps = np.diff(MOTION[:, :3, 3], axis=0) * (1.02 + generator.normal(0, 0.02, (23, 1)))
        odometry = MOTION.copy()
        odometry[1:, :3, 3] = np.cumsum(steps, axis=0) + generator.normal(0, 0.002, (23, 3))
        seen.append(compare_translations(scaled(MOTION, 2.0), odometry))

    # 2 % of slip is in the evidence itself; the noise of 20 windows adds some tenths.
    assert combine(seen).scale == pytest.approx(2.0 * 1.02, rel=0.01)


def test_a_fifth_of_wild_windows_does_not_carry_the_scale_away() -> None:
    generator = np.random.default_rng(0)
    seen = [observed(float(generator.normal(0.7, 0.05))) for _ in range(40)]
    for place in range(2, 50, 5):
        seen.insert(place, observed(2.0))

    # Its own deviation is 0.029; Huber's line lets outliers on one side pull by about as much.
    assert np.log(combine(seen).scale) == pytest.approx(0.7, abs=0.08)


def test_the_scale_follows_a_unit_that_wanders() -> None:
    generator = np.random.default_rng(0)
    seen = [observed(0.01 * age + float(generator.normal(0.0, 0.02))) for age in range(60)]

    # It lags by two windows, where equal weights would lag by thirty.
    assert np.log(combine(seen).scale) == pytest.approx(0.59, abs=0.04)


def test_uncertainty_falls_with_more_windows_and_scatter_is_admitted() -> None:
    # 1 / sqrt(1 / 0.05^2 + 1 / (0.05^2 + 0.02^2)): the older window is less sure of the present.
    assert combine([observed(0.1)] * 2).uncertainty == pytest.approx(0.036642, abs=1e-6)
    # Many: 0.05 sqrt(k), k = (sqrt(q^2 + 4 q) - q) / 2 with q = 0.02^2 / 0.05^2 (steady state).
    assert combine([observed(0.1)] * 30).uncertainty == pytest.approx(0.02864, abs=2e-5)
    scattered = [observed(0.0, 0.01), observed(0.3, 0.01)] * 8
    assert combine(scattered).uncertainty > 0.02
    assert combine([]).uncertainty == np.inf


def test_nothing_is_metric_before_the_scale_is_certain_enough() -> None:
    metric = MetricScale(max_uncertainty=0.1)

    metric.observe(observed(0.5, sigma=0.3))
    assert metric.step() is None
    np.testing.assert_array_equal(metric.place(MOTION[3]), MOTION[3])
    metric.observe(observed(0.5, sigma=0.05))

    assert metric.step() == pytest.approx(np.exp(0.5))


def test_a_new_estimate_is_met_without_jumps() -> None:
    metric = MetricScale(max_uncertainty=0.1)
    metric.observe(observed(0.0))
    start = metric.step()
    for _ in range(30):
        metric.observe(observed(0.05))

    scales = [start, *(metric.step() for _ in range(100))]

    assert np.abs(np.diff(np.log(scales))).max() <= MAX_STEP * (1.0 + 1e-9)
    assert scales[-1] == pytest.approx(metric.estimate.scale, rel=1e-9)


def test_positions_far_away_do_not_jump_with_the_scale() -> None:
    metric = MetricScale(max_uncertainty=0.1)
    metric.observe(observed(0.0))
    far = path(50, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    far[:, 0, 3] += 1000.0
    positions = []
    for number, world_T_cam in enumerate(far):
        if number == 10:
            for _ in range(30):
                metric.observe(observed(0.02))
        metric.step()
        positions.append(metric.place(world_T_cam)[0, 3])

    steps = np.diff(positions)
    assert steps.min() >= 1.0 - 1e-9
    assert steps.max() <= np.exp(0.02) + 1e-9  # a plain product would jump by metres
