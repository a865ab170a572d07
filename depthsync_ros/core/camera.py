"""The pinhole camera: calibration, undistortion, projection."""

from dataclasses import dataclass
import math

import cv2
import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Map, Maps, Pixels, Points

# Coefficients each of ROS's distortion models may carry (sensor_msgs/CameraInfo, D).
DISTORTION_LENGTHS = {
    'none': (0,),
    'plumb_bob': (4, 5),
    'rational_polynomial': (8, 12, 14),
    'equidistant': (4,),
}


@dataclass(frozen=True)
class Camera:
    """
    Intrinsics of one image.

    Units: fx, fy, cx, cy in pixels of this image; pixel (0, 0) is the centre of the top left
        pixel. distortion holds OpenCV's coefficients for the named ROS model.

    :raises InputError: a size, focal length or coefficient cannot be a camera's.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = 'none'
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not all(math.isfinite(number) for number in numbers):
            raise InputError(f'camera_info holds numbers that are not finite: {numbers}')
        if min(self.width, self.height) < 1 or min(self.fx, self.fy) <= 0.0:
            raise InputError(
                f'camera_info says {self.width}x{self.height} pixels, focal lengths {self.fx} '
                f'and {self.fy}: all must be positive; calibrate the camera'
            )
        lengths = DISTORTION_LENGTHS.get(self.distortion_model)
        if lengths is None or len(self.distortion) not in lengths:
            raise InputError(
                f'camera_info has distortion model {self.distortion_model!r} with '
                f'{len(self.distortion)} coefficients; known are {DISTORTION_LENGTHS}'
            )

    @property
    def distorted(self) -> bool:
        """Whether straight lines bend in this image."""
        return any(coefficient != 0.0 for coefficient in self.distortion)

    def resized(self, width: int, height: int) -> 'Camera':
        """Return the camera of the same view sampled on another grid of pixels."""
        x, y = width / self.width, height / self.height
        return Camera(
            width,
            height,
            self.fx * x,
            self.fy * y,
            (self.cx + 0.5) * x - 0.5,
            (self.cy + 0.5) * y - 0.5,
            self.distortion_model,
            self.distortion,
        )


def rays(camera: Camera, pixels: Pixels) -> Points:
    """
    Give each pixel its viewing ray (x/z, y/z, 1), lens distortion removed.

    Shapes: pixels (..., 2) as (u, v); the result (..., 3), float64.
    """
    flat = np.asarray(pixels, np.float64).reshape(-1, 2)
    if camera.distorted and len(flat):
        normalised = _undistort(camera, flat)
    else:
        normalised = (flat - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    ones = np.ones((len(normalised), 1))
    return np.concatenate([normalised, ones], axis=1).reshape(*np.shape(pixels)[:-1], 3)


def project(camera: Camera, points: Points) -> Pixels:
    """
    Project optical-frame points to ideal pixels: the lens distortion is left out.

    Compare with pixels that went through `undistort_pixels`. NaN where z is not positive.

    Shapes: points (..., 3); the result (..., 2) as (u, v).
    """
    points = np.asarray(points, np.float64)
    z = np.where(points[..., 2] > 0.0, points[..., 2], np.nan)
    return np.stack(
        [
            camera.fx * points[..., 0] / z + camera.cx,
            camera.fy * points[..., 1] / z + camera.cy,
        ],
        axis=-1,
    )


def undistort_pixels(camera: Camera, pixels: Pixels) -> Pixels:
    """Move pixels to where the same camera without lens distortion would see them."""
    ideal = rays(camera, pixels)[..., :2]
    return ideal * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def unproject(camera: Camera, depth: Map | Maps) -> Points:
    """
    Turn z-depth images into optical-frame points, one per pixel.

    Shapes: depth (..., height, width); the result (..., height, width, 3). NaN stays NaN.
    """
    v, u = np.mgrid[: camera.height, : camera.width]
    directions = rays(camera, np.stack([u, v], axis=-1))
    return directions * np.asarray(depth, np.float64)[..., None]


def _undistort(camera: Camera, pixels: Pixels) -> Pixels:
    matrix = np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])
    coefficients = np.array(camera.distortion)
    points = pixels.reshape(-1, 1, 2)
    if camera.distortion_model == 'equidistant':
        return cv2.fisheye.undistortPoints(points, matrix, coefficients).reshape(-1, 2)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-12)
    ideal = cv2.undistortImagePoints(points, matrix, coefficients, None, criteria).reshape(-1, 2)
    return (ideal - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
