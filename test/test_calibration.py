from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.calibration import (
    Calibration,
    calibration_of,
    camera_for,
    parse_calibration,
    Region,
)
from depthsync_ros.core.camera import Camera, project, rays
from depthsync_ros.core.errors import InputError

FULL = Calibration(
    width=640,
    height=480,
    distortion_model='plumb_bob',
    d=(0.1, -0.2, 0.001, 0.002, 0.03),
    k=(500.0, 0.0, 320.5, 0.0, 510.0, 239.5, 0.0, 0.0, 1.0),
    r=(0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    p=(450.0, 0.0, 300.0, -45.0, 0.0, 450.0, 250.0, 0.0, 0.0, 0.0, 1.0, 0.0),
)
POINT = np.array([0.3, -0.2, 2.0])


def test_a_raw_image_has_k_and_d() -> None:
    camera = camera_for(FULL, width=640, height=480)

    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500.0, 510.0, 320.5, 239.5)
    assert (camera.distortion_model, camera.distortion) == ('plumb_bob', FULL.d)


def test_a_rectified_image_has_p_and_no_distortion() -> None:
    camera = camera_for(FULL, width=640, height=480, rectified=True)

    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (450.0, 450.0, 300.0, 250.0)
    assert not camera.distorted


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 4), st.integers(1, 4))
def test_region_and_binning_move_a_point_as_they_move_its_pixel(x, y, bin_x, bin_y) -> None:
    width, height = 480 // bin_x, 360 // bin_y
    part = replace(
        FULL, d=(), binning_x=bin_x, binning_y=bin_y, roi=Region(x, y, height=360, width=480)
    )
    full = camera_for(replace(FULL, d=()), width=640, height=480)

    pixel = project(camera_for(part, width=width, height=height), POINT)

    # The centre of the block of pixels that were binned into one.
    expected = (project(full, POINT) - (x, y) + 0.5) / (bin_x, bin_y) - 0.5
    assert pixel == pytest.approx(expected, abs=1e-9)  # pixels; double precision


def test_binning_of_zero_is_none_as_in_ros() -> None:
    zero, one = replace(FULL, binning_x=0), replace(FULL, binning_x=1)

    assert camera_for(zero, width=640, height=480) == camera_for(one, width=640, height=480)


@pytest.mark.parametrize('model', ['', 'plumb_bob', 'inverse_brown_conrady'])
@pytest.mark.parametrize('d', [(), (0.0,) * 5])
def test_coefficients_that_are_all_zero_are_no_distortion(model, d) -> None:
    camera = camera_for(replace(FULL, distortion_model=model, d=d), width=640, height=480)

    assert (camera.distortion_model, camera.distortion) == ('none', ())


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'width': 641}, 'image is 640x480, camera_info says 641x480 .* makes 641x480'),
        ({'binning_x': 2}, 'binning 2x1, which makes 320x480'),
        ({'roi': Region(0, 0, 240, 320)}, 'region 320x240 and binning 1x1, which makes 320x240'),
        ({'k': (0.0,) * 9}, 'K is .*: the camera is not calibrated'),
        ({'k': (500.0, 0.1, *FULL.k[2:])}, 'skew 0.1'),
        ({'distortion_model': 'thin_prism'}, "'thin_prism' with 5 coefficients; known are"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change, said) -> None:
    with pytest.raises(InputError, match=said):
        camera_for(replace(FULL, **change), width=640, height=480)


def test_rectified_images_need_p() -> None:
    with pytest.raises(InputError, match=r'P is .*: the camera is not calibrated'):
        camera_for(replace(FULL, p=(0.0,) * 12), width=640, height=480, rectified=True)


@pytest.mark.parametrize(
    'camera',
    [
        Camera(64, 48, 50.0, 51.0, 31.0, 24.0),
        Camera(64, 48, 50.0, 51.0, 31.0, 24.0, 'plumb_bob', (0.1, 0.2, 0.0, 0.0)),
        Camera(64, 48, 50.0, 51.0, 31.0, 24.0, 'equidistant', (0.1, 0.2, 0.0, 0.1)),
    ],
    ids=['pinhole', 'plumb_bob', 'fisheye'],
)
def test_a_camera_survives_the_way_through_camera_info(camera) -> None:
    again = camera_for(calibration_of(camera), width=64, height=48)

    assert again == camera
    corner = np.array([[3.0, 4.0]])
    assert np.array_equal(rays(again, corner), rays(camera, corner))


DOCUMENT = {
    'image_width': 640,
    'image_height': 480,
    'camera_name': 'head',
    'camera_matrix': {'rows': 3, 'cols': 3, 'data': list(FULL.k)},
    'distortion_model': 'plumb_bob',
    'distortion_coefficients': {'rows': 1, 'cols': 5, 'data': [0.1, -0.2, '1e-3', 0.002, 0.03]},
    'rectification_matrix': {'rows': 3, 'cols': 3, 'data': list(FULL.r)},
    'projection_matrix': {'rows': 3, 'cols': 4, 'data': list(FULL.p)},
}


def test_a_calibration_file_says_what_camera_info_says() -> None:
    # YAML 1.1 reads 1e-3, which has no point, as text.
    assert parse_calibration(DOCUMENT, 'head.yaml') == FULL


@pytest.mark.parametrize(
    ('document', 'said'),
    [
        (None, 'head.yaml is not a camera calibration'),
        ({**DOCUMENT, 'camera_matrix': {'data': [1.0]}}, 'camera_matrix has 1 numbers, not 9'),
        ({k: v for k, v in DOCUMENT.items() if k != 'image_width'}, "'image_width'"),
    ],
    ids=['empty', 'short', 'no width'],
)
def test_another_file_is_refused(document, said) -> None:
    with pytest.raises(InputError, match=said):
        parse_calibration(document, 'head.yaml')
