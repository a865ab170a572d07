"""Rigid motions."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.core.rigid import (
    angle_rad,
    BODY_T_OPTICAL,
    exponential,
    invert,
    procrustes,
    robust_mean,
    skew,
    transform,
)

MOTIONS = st.lists(st.floats(-1.7, 1.7), min_size=6, max_size=6).map(np.array)


def points(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3))


@given(MOTIONS)
def test_exponential_is_a_rotation_and_invert_undoes_it(step) -> None:
    a_T_b = exponential(step)

    rotation = a_T_b[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_allclose(invert(a_T_b) @ a_T_b, np.eye(4), atol=1e-12)


@given(st.floats(1e-3, 3.1), st.sampled_from(range(3)))
def test_exponential_turns_by_the_length_of_its_vector(angle, axis) -> None:
    step = np.zeros(6)
    step[3 + axis] = angle

    assert float(angle_rad(exponential(step))) == pytest.approx(angle, abs=1e-6)
    np.testing.assert_allclose(exponential(step)[:3, :3] @ step[3:], step[3:], atol=1e-12)


def test_no_step_is_no_motion() -> None:
    np.testing.assert_array_equal(exponential(np.zeros((2, 6))), np.tile(np.eye(4), (2, 1, 1)))


def test_skew_takes_the_cross_product() -> None:
    a, b = points(5), points(5, seed=1)

    np.testing.assert_allclose((skew(a) @ b[..., None])[..., 0], np.cross(a, b), atol=1e-15)


@given(MOTIONS, st.integers(3, 20))
def test_procrustes_finds_the_motion_exactly(step, count) -> None:
    a_T_b, points_b = exponential(step), points(count)

    found = procrustes(transform(a_T_b, points_b), points_b, np.ones(count))

    np.testing.assert_allclose(found, a_T_b, atol=1e-9)  # three points may lie nearly in a line


def test_procrustes_never_mirrors() -> None:
    points_b = points(10)

    found = procrustes(points_b * (1.0, 1.0, -1.0), points_b, np.ones(10))

    assert np.linalg.det(found[:3, :3]) == pytest.approx(1.0)


def test_points_without_weight_have_no_say() -> None:
    a_T_b, points_b = exponential(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])), points(10)
    points_a = transform(a_T_b, points_b)
    points_a[:4] += 10.0

    found = procrustes(points_a, points_b, np.repeat([0.0, 1.0], [4, 6]))

    np.testing.assert_allclose(found, a_T_b, atol=1e-12)


def test_procrustes_solves_a_batch_as_one_by_one() -> None:
    a, b = points(24).reshape(4, 6, 3), points(24, seed=1).reshape(4, 6, 3)

    together = procrustes(a, b, np.ones((4, 6)))

    for one, expected in enumerate(together):
        np.testing.assert_allclose(procrustes(a[one], b[one], np.ones(6)), expected, atol=1e-12)


def test_robust_mean_of_equal_transforms_is_that_transform() -> None:
    one = exponential(np.array([1.0, -2.0, 3.0, 0.3, -0.2, 0.1]))

    np.testing.assert_allclose(robust_mean(np.stack([one] * 3)), one, atol=1e-12)


def test_robust_mean_shrugs_off_thirty_percent_of_outliers() -> None:
    generator = np.random.default_rng(0)
    truth = exponential(np.array([1.0, -2.0, 3.0, 0.3, -0.2, 0.1]))
    steps = 0.01 * generator.normal(size=(20, 6))
    steps[:6] = generator.uniform(1.0, 2.0, (6, 6))

    error = invert(truth) @ robust_mean(truth @ exponential(steps))

    # The fourteen good ones alone average to 0.01 / sqrt(14) on each axis; an L1 mean with 30 %
    # of one-sided outliers is off by at most about one standard deviation more.
    assert np.abs(error[:3, 3]).max() < 0.03
    assert float(angle_rad(error)) < 0.03


def test_body_looks_along_the_optical_z() -> None:
    forward, left, up = transform(invert(BODY_T_OPTICAL), np.eye(3))

    np.testing.assert_array_equal(forward, [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(left, [-1.0, 0.0, 0.0])
    np.testing.assert_array_equal(up, [0.0, -1.0, 0.0])
