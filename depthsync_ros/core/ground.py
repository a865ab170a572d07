"""The ground under a camera, found in its depth."""

import numpy as np

from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.shapes import Points

LEVEL_UP = np.array([0.0, -1.0, 0.0])  # of a level camera, in its optical frame
MAX_TILT_RAD = 0.26  # 15 degrees: what a camera called level may lean by
TRIPLETS = 200
TOLERANCE = 0.05  # of the height: a point so near the plane lies on it
MIN_POINTS = 200  # that lie below the horizon
MIN_SHARE = 0.4  # of these on the plane
MAX_BELOW = 0.1  # of these under it: what has much below it is a table
ROUNDS = 4


def ground_height(points_cam: Points) -> float:
    """
    Give the camera's height over the ground plane, in the points' unit.

    A plane by consensus, refined by least squares on its inliers. It must lie below a camera
    that is level to 15 degrees, carry much of what is seen below the horizon, and have little
    under it.

    Shapes: points_cam (points, 3), optical frame, finite.
    Source: Fischler and Bolles 1981.

    :raises ScaleError: no plane is plausible.
    """
    low = points_cam[points_cam @ LEVEL_UP < -0.05 * points_cam[:, 2]]
    if len(low) < MIN_POINTS:
        raise ScaleError(
            f'{len(low)} points lie below the horizon, {MIN_POINTS} are needed to find the ground'
        )
    normal, height = _consensus(low)
    for _ in range(ROUNDS):
        normal, height = _refined(low, normal, height)
    above = (low @ normal + height) / height
    share, below = float((np.abs(above) < TOLERANCE).mean()), float((above < -TOLERANCE).mean())
    tilt_rad = float(np.arccos(np.clip(normal @ LEVEL_UP, -1.0, 1.0)))
    if share < MIN_SHARE or below > MAX_BELOW or tilt_rad > MAX_TILT_RAD:
        raise ScaleError(
            f'the best ground plane holds {100 * share:.0f} % of what is below the horizon '
            f'({100 * MIN_SHARE:.0f} needed), has {100 * below:.0f} % under it '
            f'({100 * MAX_BELOW:.0f} allowed) and leans {np.degrees(tilt_rad):.0f} degrees '
            f'({np.degrees(MAX_TILT_RAD):.0f} allowed): no plausible ground is in view'
        )
    return height


def _consensus(points: Points) -> tuple[np.ndarray, float]:
    """Give normal and height of the plane that most points lie on, among those nearly level."""
    picks = np.random.default_rng(0).integers(len(points), size=(TRIPLETS, 3))
    a, b, c = points[picks].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    normals *= np.where(normals @ LEVEL_UP < 0.0, -1.0, 1.0)[:, None]
    heights = -(normals * a).sum(axis=1)
    level = (normals @ LEVEL_UP > np.cos(MAX_TILT_RAD)) & (heights > 0.0)
    if not level.any():
        raise ScaleError('no plane below the camera is nearly level: no ground is in view')
    normals, heights = normals[level], heights[level]
    off = np.abs(points @ normals.T + heights) / heights
    best = int(np.argmax((off < TOLERANCE).sum(axis=0)))
    return normals[best], float(heights[best])


def _refined(points: Points, normal: np.ndarray, height: float) -> tuple[np.ndarray, float]:
    on = points[np.abs(points @ normal + height) < TOLERANCE * height]
    if len(on) < MIN_POINTS // 4:
        return normal, height
    centre = on.mean(axis=0)
    fitted = np.linalg.svd(on - centre, full_matrices=False)[2][-1]
    fitted = fitted if fitted @ normal > 0.0 else -fitted
    return fitted, float(-(fitted @ centre))
