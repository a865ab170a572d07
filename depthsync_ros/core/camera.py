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

# Off the axis, rad; fine enough that a lens's turning point lies within a twentieth of a degree.
ANGLES = np.linspace(0.0, math.pi / 2.0, 2001)[:-1]


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


def project_through_lens(camera: Camera, points: Points) -> Pixels:
    """
    Project optical-frame points to pixels of the image as it is, lens distortion included.

    NaN where a point is not finite or not before the camera, and where it is so far off the axis
    that the lens's polynomial turns back: that was fitted to the image alone, and would fold
    what lies beyond its sides into it again.

    Shapes: points (..., 3); the result (..., 2) as (u, v).
    """
    flat = np.asarray(points, np.float64).reshape(-1, 3)
    with np.errstate(over='ignore', invalid='ignore'):
        angles = np.arctan2(np.hypot(flat[:, 0], flat[:, 1]), flat[:, 2])
    before = np.isfinite(flat).all(axis=1) & (flat[:, 2] > 0.0)
    seen = before & (angles < widest_angle(camera))
    pixels = np.full((len(flat), 2), np.nan)
    if seen.any():
        pixels[seen] = _distort(camera, flat[seen] / flat[seen, 2:])
    return pixels.reshape(*np.shape(points)[:-1], 2)


def widest_angle(camera: Camera) -> float:
    """
    Give the angle off the axis, in rad, up to which the lens tells directions apart.

    Up to there the distance from the image's centre grows with the angle. Tangential and
    thin-prism terms and a tilted sensor, which are small, are left out.

    Source: OpenCV's camera models (calib3d, and its fisheye namespace).
    """
    with np.errstate(all='ignore'):  # what overflows does not grow any more
        grows = np.diff(_distorted_radius(camera)) > 0.0
    return float(ANGLES[-1 if grows.all() else int(np.argmin(grows))])


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


def _distorted_radius(camera: Camera) -> np.ndarray:
    """Give the distance from the centre at focal length 1, for each of ANGLES."""
    d = camera.distortion
    if camera.distortion_model == 'equidistant':
        return ANGLES * np.polynomial.Polynomial((1.0, *d))(ANGLES**2)
    radius = np.tan(ANGLES)
    above, below = (1.0, *d[:2], *d[4:5]), (1.0, *d[5:8])
    ratio = np.polynomial.Polynomial(above)(radius**2) / np.polynomial.Polynomial(below)(radius**2)
    distorted: np.ndarray = radius * ratio
    return distorted


def _distort(camera: Camera, directions: Points) -> Pixels:
    """Take directions (n, 3), all before the camera, to pixels."""
    if not camera.distorted:
        return project(camera, directions)
    fisheye = camera.distortion_model == 'equidistant'
    through = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    still = np.zeros(3)
    coefficients = np.array(camera.distortion)
    pixels, _ = through(directions[:, None], still, still, _matrix(camera), coefficients)
    return pixels.reshape(-1, 2)


def _matrix(camera: Camera) -> np.ndarray:
    return np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])


def _undistort(camera: Camera, pixels: Pixels) -> Pixels:
    matrix = _matrix(camera)
    coefficients = np.array(camera.distortion)
    points = pixels.reshape(-1, 1, 2)
    if camera.distortion_model == 'equidistant':
        return cv2.fisheye.undistortPoints(points, matrix, coefficients).reshape(-1, 2)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-12)
    ideal = cv2.undistortImagePoints(points, matrix, coefficients, None, criteria).reshape(-1, 2)
    return (ideal - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
