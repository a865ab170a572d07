"""The pinhole camera against OpenCV's."""

from dataclasses import replace

import cv2
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.core.camera import (
    Camera,
    project,
    project_through_lens,
    rays,
    undistort_pixels,
    unproject,
    widest_angle,
)
from depthsync_ros.core.errors import InputError

PINHOLE = Camera(320, 240, 260.0, 255.0, 161.0, 118.0)
MATRIX = np.array([[260.0, 0.0, 161.0], [0.0, 255.0, 118.0], [0.0, 0.0, 1.0]])
LENSES = {
    'plumb_bob': (-0.28, 0.09, 0.001, -0.0008, 0.01),
    'rational_polynomial': (0.4, -0.2, 0.0005, -0.0003, 0.02, 0.7, -0.1, 0.03),
    'equidistant': (-0.02, 0.01, -0.003, 0.0005),
}


def lens(model: str) -> Camera:
    return replace(PINHOLE, distortion_model=model, distortion=LENSES[model])


def grid() -> np.ndarray:
    v, u = np.mgrid[0:240:20, 0:320:20]
    return np.stack([u, v], axis=-1).astype(float)


@pytest.mark.parametrize('model', LENSES)
def test_ray_of_a_pixel_lands_on_it_again_through_opencvs_lens(model) -> None:
    directions = rays(lens(model), grid())

    flat, zero = directions.reshape(-1, 1, 3), np.zeros(3)
    through = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    pixels, _ = through(flat, zero, zero, MATRIX, np.array(LENSES[model]))

    # A hundredth of a pixel: the inverse is iterated.
    np.testing.assert_allclose(pixels.reshape(grid().shape), grid(), atol=0.01)
    assert np.abs(undistort_pixels(lens(model), grid()) - grid()).max() > 3.0, 'a bending lens'


def test_project_undoes_unproject() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 9.0, (240, 320))

    pixels = project(PINHOLE, unproject(PINHOLE, depth))

    v, u = np.mgrid[:240, :320]
    np.testing.assert_allclose(pixels, np.stack([u, v], axis=-1), atol=1e-9)


def test_unprojected_points_keep_their_depth_along_the_optical_axis() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 9.0, (2, 240, 320))

    points = unproject(lens('plumb_bob'), depth)

    np.testing.assert_array_equal(points[..., 2], depth)


def test_point_behind_the_camera_has_no_pixel() -> None:
    assert np.isnan(project(PINHOLE, np.array([[0.1, 0.1, -1.0], [0.0, 0.0, 0.0]]))).all()


@pytest.mark.parametrize('model', LENSES)
def test_a_point_on_a_pixels_ray_is_seen_at_that_pixel(model) -> None:
    depth = np.random.default_rng(0).uniform(0.5, 9.0, (12, 16, 1))

    pixels = project_through_lens(lens(model), depth * rays(lens(model), grid()))

    # A hundredth of a pixel: the way back is iterated.
    np.testing.assert_allclose(pixels, grid(), atol=0.01)


def test_a_lens_bends_by_its_polynomial() -> None:
    camera = replace(PINHOLE, distortion_model='plumb_bob', distortion=(-0.1, 0.0, 0.01, 0.0))

    pixel = project_through_lens(camera, np.array([1.0, 0.0, 2.0]))

    # x = 0.5, r^2 = 0.25: x (1 - 0.1 r^2) = 0.4875, and p1 r^2 = 0.0025 downwards.
    np.testing.assert_allclose(pixel, [161.0 + 260.0 * 0.4875, 118.0 + 255.0 * 0.0025])


def test_an_equidistant_lens_sees_an_angle_as_a_distance() -> None:
    camera = replace(PINHOLE, distortion_model='equidistant', distortion=(0.05, 0.0, 0.0, 0.0))

    pixel = project_through_lens(camera, np.array([0.0, 3.0, 3.0]))

    angle = np.pi / 4.0
    np.testing.assert_allclose(pixel, [161.0, 118.0 + 255.0 * angle * (1.0 + 0.05 * angle**2)])


FOLDING = {  # each with the tangent of the angle at which it turns back
    'plumb_bob': ((-0.3, 0.0, 0.0, 0.0), (1.0 / 0.9) ** 0.5),  # 1 - 0.9 r^2 = 0
    'rational_polynomial': ((0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0), 2.0),  # r / (1 + r^2 / 4)
    'equidistant': ((-0.3, 0.0, 0.0, 0.0), np.tan((1.0 / 0.9) ** 0.5)),
}


@pytest.mark.parametrize('model', FOLDING)
def test_what_a_lens_would_fold_back_into_the_image_has_no_pixel(model) -> None:
    distortion, turning = FOLDING[model]
    camera = replace(PINHOLE, distortion_model=model, distortion=distortion)
    radius = np.array([0.5, 0.97, 1.03, 1.3, 1.8, 3.0]) * turning
    points = np.stack([radius, np.zeros(6), np.ones(6)], axis=-1)

    through = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    folded, _ = through(points[:, None], np.zeros(3), np.zeros(3), MATRIX, np.array(distortion))
    pixels = project_through_lens(camera, points)

    # ANGLES are a twentieth of a degree apart.
    assert widest_angle(camera) == pytest.approx(np.arctan(turning), abs=2e-3)
    assert (np.diff(folded[:, 0, 0]) < 0.0)[2:].all(), 'the lens folds'
    np.testing.assert_allclose(pixels[:2], folded[:2, 0])
    assert np.isnan(pixels[2:]).all()


def test_what_the_image_cannot_show_has_no_pixel_whatever_the_lens() -> None:
    nan, inf = float('nan'), float('inf')
    none = [(nan, 0, 1), (0, 0, nan), (0, 0, inf), (0, 0, 0), (0, 0, -1), (1e308, 1e308, 1)]

    for camera in (PINHOLE, *map(lens, LENSES)):
        pixels = project_through_lens(camera, np.array([*none, (0.0, 0.0, 2.0)], float))
        assert np.isnan(pixels[:-1]).all()
        np.testing.assert_allclose(pixels[-1], [161.0, 118.0])
        assert project_through_lens(camera, np.zeros((0, 3))).shape == (0, 2)


COEFFICIENTS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=8, max_size=8)


@given(COEFFICIENTS, st.sampled_from(sorted(LENSES)))
def test_any_coefficients_leave_a_point_on_the_axis_or_drop_it(numbers, model) -> None:
    count = {'plumb_bob': 5, 'rational_polynomial': 8, 'equidistant': 4}[model]
    camera = replace(PINHOLE, distortion_model=model, distortion=tuple(numbers[:count]))

    pixel = project_through_lens(camera, np.array([0.0, 0.0, 2.0]))

    assert np.isnan(pixel).all() or pixel == pytest.approx(np.array([161.0, 118.0]))


@given(st.integers(1, 900), st.integers(1, 900))
def test_resized_image_keeps_its_corners_rays(width, height) -> None:
    small = lens('plumb_bob').resized(width, height)

    # The outer corners of the image area, half a pixel beyond the corner pixels' centres.
    before = rays(lens('plumb_bob'), np.array([[-0.5, -0.5], [319.5, 239.5]]))
    after = rays(small, np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]))
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert (small.width, small.height) == (width, height)


def test_camera_without_coefficients_leaves_pixels_alone() -> None:
    assert not PINHOLE.distorted
    assert not replace(PINHOLE, distortion_model='plumb_bob', distortion=(0.0,) * 5).distorted
    np.testing.assert_allclose(undistort_pixels(PINHOLE, grid()), grid(), atol=1e-12)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'fx': float('nan')}, 'numbers that are not finite'),
        ({'fx': 0.0}, r'focal lengths 0.0 and 255.0: all must be positive; calibrate'),
        ({'width': 0}, r'says 0x240 pixels'),
        ({'distortion_model': 'fov'}, r"model 'fov' with 0 coefficients; known are"),
        ({'distortion_model': 'plumb_bob', 'distortion': (0.1,)}, 'with 1 coefficients; known'),
    ],
)
def test_impossible_calibration_is_refused(changes, message) -> None:
    with pytest.raises(InputError, match=message):
        replace(PINHOLE, **changes)
