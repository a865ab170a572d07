"""From sensor_msgs/CameraInfo, or camera_calibration's YAML, to the core's Camera. Without ROS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError


class RegionLike(Protocol):
    """The fields of sensor_msgs/RegionOfInterest that are read here."""

    x_offset: int
    y_offset: int
    height: int
    width: int


class CameraInfoLike(Protocol):
    """The fields of sensor_msgs/CameraInfo that are read here; any object with them will do."""

    height: int
    width: int
    distortion_model: str
    d: Any
    k: Any
    r: Any
    p: Any
    binning_x: int
    binning_y: int
    roi: Any


@dataclass(frozen=True)
class Region:
    """A region of interest; all zero is the whole image, as in ROS."""

    x_offset: int = 0
    y_offset: int = 0
    height: int = 0
    width: int = 0


@dataclass(frozen=True)
class Calibration:
    """What a CameraInfo message says, as plain numbers that can be compared."""

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]
    binning_x: int = 0
    binning_y: int = 0
    roi: Region = Region()


def read_calibration(info: CameraInfoLike) -> Calibration:
    """Copy a CameraInfo message's numbers; nothing is judged yet."""
    roi = info.roi
    return Calibration(
        width=int(info.width),
        height=int(info.height),
        distortion_model=str(info.distortion_model),
        d=_floats(info.d),
        k=_floats(info.k),
        r=_floats(info.r),
        p=_floats(info.p),
        binning_x=int(info.binning_x),
        binning_y=int(info.binning_y),
        roi=Region(int(roi.x_offset), int(roi.y_offset), int(roi.height), int(roi.width)),
    )


def camera_for(
    calibration: Calibration, *, width: int, height: int, rectified: bool = False
) -> Camera:
    """
    Give the camera of an image of this size.

    A raw image is described by K and D; a rectified one by P, which has no distortion. R only
    says how the rectified view is turned against the raw one: neither depth nor the relative
    poses of rectified images need it. Region and binning move K and P from the full sensor to
    the image.

    Convention: pixel (0, 0) is the centre of the top left pixel, so a block of b binned pixels
        is centred at (u + 0.5) / b - 0.5.

    :raises InputError: the image has another size than the calibration, its region and binning
        give, or the calibration is not one.
    """
    matrix = _projection(calibration, rectified=rectified)
    roi = calibration.roi
    part = (roi.width or calibration.width, roi.height or calibration.height)
    bins = (max(calibration.binning_x, 1), max(calibration.binning_y, 1))
    expected = (part[0] // bins[0], part[1] // bins[1])
    if (width, height) != expected:
        raise InputError(
            f'the image is {width}x{height}, camera_info says {calibration.width}x'
            f'{calibration.height} with region {part[0]}x{part[1]} and binning {bins[0]}x'
            f'{bins[1]}, which makes {expected[0]}x{expected[1]}; publish the camera_info that '
            'belongs to this image (image_proc resizes both)'
        )
    distorted = not rectified and any(calibration.d)
    return Camera(
        width,
        height,
        matrix[0, 0] / bins[0],
        matrix[1, 1] / bins[1],
        (matrix[0, 2] - roi.x_offset + 0.5) / bins[0] - 0.5,
        (matrix[1, 2] - roi.y_offset + 0.5) / bins[1] - 0.5,
        calibration.distortion_model if distorted else 'none',
        calibration.d if distorted else (),
    )


def calibration_of(camera: Camera) -> Calibration:
    """
    Say in CameraInfo's terms what a core camera is: the whole image, neither region nor binning.

    P repeats K: rectified by this message alone, the image keeps its focal lengths and centre.
    """
    k = (camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0)
    p = (*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0)
    plain = camera.distortion_model == 'none'
    return Calibration(
        width=camera.width,
        height=camera.height,
        distortion_model='plumb_bob' if plain else camera.distortion_model,
        d=(0.0,) * 5 if plain else camera.distortion,
        k=k,
        r=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        p=p,
    )


def parse_calibration(document: Any, name: str) -> Calibration:
    """
    Read what camera_calibration writes: image_width, camera_matrix, and so on.

    :param name: the file's name, for the message of an error.
    :raises InputError: a key is missing or holds something else than numbers.
    """
    try:
        model = str(document['distortion_model'])
        return Calibration(
            width=int(document['image_width']),
            height=int(document['image_height']),
            distortion_model=model,
            d=_matrix(document, 'distortion_coefficients'),
            k=_matrix(document, 'camera_matrix', 9),
            r=_matrix(document, 'rectification_matrix', 9),
            p=_matrix(document, 'projection_matrix', 12),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f'{name} is not a camera calibration ({error!r}); it needs image_width, '
            'image_height, camera_matrix, distortion_model, distortion_coefficients, '
            "rectification_matrix and projection_matrix, as ROS's camera_calibration writes"
        ) from None


def _matrix(document: Any, key: str, size: int = 0) -> tuple[float, ...]:
    numbers = _floats(document[key]['data'])
    if size and len(numbers) != size:
        raise ValueError(f'{key} has {len(numbers)} numbers, not {size}')
    return numbers


def _projection(calibration: Calibration, *, rectified: bool) -> np.ndarray:
    name = 'P' if rectified else 'K'
    numbers = calibration.p if rectified else calibration.k
    matrix = np.array(numbers, float).reshape(3, -1)
    if matrix[0, 0] <= 0.0 or matrix[1, 1] <= 0.0:
        raise InputError(
            f"camera_info's {name} is {list(numbers)}: the camera is not calibrated; calibrate "
            'it (camera_calibration), or give a calibration file'
        )
    if matrix[0, 1] != 0.0:
        raise InputError(
            f"camera_info's {name} has skew {matrix[0, 1]}: skewed pixels are not supported; "
            'calibrate without skew'
        )
    return matrix


def _floats(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
