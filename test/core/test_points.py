"""A sensor's points as depth at the pixels that see them."""

from dataclasses import replace

import numpy as np
import pytest

from depthsync_ros.core.camera import Camera, rays
from depthsync_ros.core.evidence import MOST_POINTS
from depthsync_ros.core.points import Cloud, draw, measured_at, see_cloud
from depthsync_ros.core.rigid import BODY_T_OPTICAL, invert

CAMERA = Camera(320, 240, 260.0, 255.0, 161.0, 118.0)
BENT = replace(
    CAMERA, distortion_model='plumb_bob', distortion=(-0.28, 0.09, 0.001, -0.0008, 0.01)
)


def test_points_become_depth_at_the_pixels_that_see_them() -> None:
    u, v = np.meshgrid(np.arange(0.0, 320.0, 20.0), np.arange(0.0, 240.0, 20.0))
    pixels = np.stack([u, v], axis=-1).reshape(-1, 2)
    depth_m = np.random.default_rng(0).uniform(0.5, 9.0, len(pixels))

    seen = measured_at(BENT, rays(BENT, pixels) * depth_m[:, None])

    assert seen.size == (320, 240)
    np.testing.assert_allclose(seen.pixels, pixels, atol=0.01)  # rays are iterated
    np.testing.assert_array_equal(seen.depth_m, depth_m)


def test_an_image_ends_half_a_pixel_beyond_its_outermost_centres() -> None:
    u = np.array([-0.6, -0.4, 319.4, 319.6, 100.0, 100.0, 100.0, 100.0])
    v = np.array([50.0, 50.0, 50.0, 50.0, -0.6, -0.4, 239.4, 239.6])

    seen = measured_at(CAMERA, 2.0 * rays(CAMERA, np.stack([u, v], axis=-1)))

    expected = [[-0.4, 50.0], [319.4, 50.0], [100.0, -0.4], [100.0, 239.4]]
    np.testing.assert_allclose(seen.pixels, expected)


def test_what_a_lens_would_fold_into_the_image_is_left_out() -> None:
    folding = replace(CAMERA, distortion_model='plumb_bob', distortion=(-0.3, 0.0, 0.0, 0.0))
    x = np.array([0.5, 1.5])  # 0.5 (1 - 0.075) = 0.46 and 1.5 (1 - 0.675) = 0.49: both in view

    seen = measured_at(folding, np.stack([x, np.zeros(2), np.ones(2)], axis=-1))

    np.testing.assert_allclose(seen.pixels, [[161.0 + 260.0 * 0.5 * 0.925, 118.0]])


def test_a_lidar_on_the_robot_is_seen_where_tf_says_it_is() -> None:
    # The camera looks along the lidar's x, half a metre below it and 0.1 m to its left.
    lidar_T_cam = BODY_T_OPTICAL.copy()
    lidar_T_cam[:3, 3] = (0.0, 0.1, -0.5)
    points = np.array([[2.0, 0.1, -0.5], [2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]])

    seen = see_cloud(CAMERA, invert(lidar_T_cam), Cloud(0, 'lidar', points)).depth

    # The second is 0.1 m to the right and half a metre above the axis; the third is behind.
    np.testing.assert_allclose(seen.pixels, [[161.0, 118.0], [174.0, 118.0 - 255.0 / 4.0]])
    np.testing.assert_allclose(seen.depth_m, [2.0, 2.0])


@pytest.mark.parametrize('points', [np.zeros((0, 3)), np.array([[0.0, 0.0, -1.0]])])
def test_a_cloud_out_of_view_is_no_evidence_and_says_so(points) -> None:
    seen = see_cloud(CAMERA, np.eye(4), Cloud(0, 'lidar', points))

    assert not seen.tells('points')
    assert f"none of {len(points)} points in 'lidar' is in view: check what tf" in seen.missing


def test_points_that_overflow_are_in_no_image() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]

    seen = see_cloud(CAMERA, 1e10 * turn, Cloud(0, 'lidar', np.full((2, 3), 1e308)))

    assert seen.depth is None


def test_a_draw_takes_of_every_ring_of_a_lidar_and_always_the_same() -> None:
    rings, most = 16, 20_000
    rows = np.arange(8 * most)

    drawn = draw(rows, most)

    assert (np.diff(drawn) > 0).all()
    share = np.bincount(drawn % rings, minlength=rings) / most
    # Draws of 1/16: a standard deviation of 0.0017.
    assert share == pytest.approx(1.0 / rings, abs=0.01)
    np.testing.assert_array_equal(draw(rows, most), drawn)
    np.testing.assert_array_equal(draw(rows, len(rows)), rows)


def test_an_image_full_of_points_is_thinned_to_a_spread_of_itself() -> None:
    v, u = np.mgrid[:240, :320]
    points = 2.0 * rays(CAMERA, np.stack([u, v], axis=-1)).reshape(-1, 3)

    seen = measured_at(CAMERA, points)

    assert len(seen.depth_m) == MOST_POINTS
    counts = np.histogram2d(*seen.pixels.T, bins=2)[0]
    # Draws of 1/4 of 2000: a standard deviation of 19.
    assert counts == pytest.approx(MOST_POINTS / 4, abs=100)
