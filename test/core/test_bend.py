"""Bending depth onto points."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import CAMERA, path, render

from depthsync_ros.core.bend import bend
from depthsync_ros.core.bundle import Bundle
from depthsync_ros.core.geometry import sample_maps
from depthsync_ros.core.poses import WindowPoses

FRAMES, POINTS = 3, 400
TRUE = np.stack(
    [1.0 / render(one).depth_m for one in path(FRAMES, (0.05, 0.0, 0.0, 0.0, 0.0, 0.0))]
).astype(np.float32)


def known_points(deviation: float = 0.01) -> tuple[Bundle, np.ndarray]:
    """Give a bundle whose points have the true depth, and their pixels."""
    generator = np.random.default_rng(1)
    pixels = generator.uniform((2.0, 2.0), (157.0, 117.0), (FRAMES, POINTS, 2))
    depth = 1.0 / sample_maps(TRUE, pixels, CAMERA)
    poses = WindowPoses(np.tile(np.eye(4), (FRAMES, 1, 1)), np.ones(FRAMES, bool), 0.1, 0.1, 1)
    ones = np.ones((FRAMES, POINTS))
    points = np.zeros((POINTS, 3))
    exact, nothing = np.zeros((FRAMES, 6, 6)), np.zeros((POINTS, 3, 3))
    return Bundle(poses, exact, points, depth, deviation * ones, ones, nothing), pixels


def error(total: np.ndarray) -> float:
    return float(np.nanmedian(np.abs(np.log(total / TRUE))))


@pytest.mark.parametrize('tilt', [0.0, 0.3])
def test_smoothly_wrong_depth_comes_right(tilt: float) -> None:
    bundle, pixels = known_points()
    ramp = 1.2 * np.exp(tilt * np.linspace(-0.5, 0.5, TRUE.shape[2], dtype=np.float32))
    wrong = TRUE * ramp

    bent = bend(wrong, sample_maps(wrong, pixels, CAMERA), bundle, pixels, CAMERA)

    assert error(wrong) > 0.15
    assert error(bent) < 0.02


def test_near_and_far_move_apart() -> None:
    bundle, pixels = known_points()
    wrong = np.where(TRUE > 0.3, 1.3 * TRUE, 0.85 * TRUE).astype(np.float32)

    bent = bend(wrong, sample_maps(wrong, pixels, CAMERA), bundle, pixels, CAMERA)

    assert error(bent) < error(wrong) / 3.0


def test_points_of_no_worth_change_nothing() -> None:
    bundle, pixels = known_points(deviation=5.0)
    wrong = 1.2 * TRUE

    bent = bend(wrong, sample_maps(wrong, pixels, CAMERA), bundle, pixels, CAMERA)

    np.testing.assert_allclose(bent, wrong, rtol=0.02)


def test_depth_that_is_off_by_more_than_belief_allows_is_left() -> None:
    bundle, pixels = known_points()
    wrong = 2.5 * TRUE

    bent = bend(wrong, sample_maps(wrong, pixels, CAMERA), bundle, pixels, CAMERA)

    np.testing.assert_allclose(bent, wrong, rtol=1e-5)


def test_unbelieved_sightings_have_no_say() -> None:
    bundle, pixels = known_points()
    depth = bundle.depth.copy()
    depth[:, ::3] *= 1.4
    belief = bundle.belief.copy()
    belief[:, ::3] = 0.0

    bent = bend(
        TRUE,
        sample_maps(TRUE, pixels, CAMERA),
        replace(bundle, depth=depth, belief=belief),
        pixels,
        CAMERA,
    )

    assert error(bent) < 0.002
