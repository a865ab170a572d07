"""Bundle adjustment of one window: cameras and points that tracks and depth agree on."""

from dataclasses import dataclass, replace

import numpy as np

from depthsync_ros.core.poses import place_points, Sightings, WindowPoses
from depthsync_ros.core.rigid import exponential, invert, transform
from depthsync_ros.core.shapes import Mask, Points, Transform
from depthsync_ros.core.tracks import REFERENCE_WIDTH

DEPTH_SIGMA = 0.1  # relative error that a window's depth is trusted to
PIXEL_SIGMA = 0.5  # tracking error in pixels of an image 320 wide
ITERATIONS = 6
DAMPING = 1e-4
SUPPORT = 0.05  # a sighting believed less than this does not hold a point


@dataclass(frozen=True, eq=False)
class Bundle:
    """
    Cameras and points of a window, adjusted to one another.

    Shapes: points_window (points, 3), NaN where a track has no believed sighting; weights
        (frames, points) in [0, 1], how far each sighting is believed.
    """

    poses: WindowPoses
    points_window: Points
    weights: np.ndarray

    @property
    def depth(self) -> np.ndarray:
        """Depth of each point in each frame, (frames, points); NaN where either is unknown."""
        cam_T_window = invert(self.poses.window_T_cam)
        placed = np.broadcast_to(
            self.points_window, (len(cam_T_window), *self.points_window.shape)
        )
        return transform(cam_T_window, placed)[..., 2]


def adjust(seen: Sightings, poses: WindowPoses) -> Bundle:
    """
    Move cameras and points until reprojection and depth agree best.

    Minimises sum w |pi(T X) - x|^2 / sigma^2 + w' (log z(T X) - log z)^2 / DEPTH_SIGMA^2, both
    robustly weighted; the depth of all tracks holds the scale, the first posed camera the frame.

    Source: Triggs et al. 2000, bundle adjustment with the Schur complement; Levenberg-Marquardt.
    """
    sigma = PIXEL_SIGMA * seen.width / REFERENCE_WIDTH / seen.focal_px
    cam_T_window = np.tile(np.eye(4), (len(poses.posed), 1, 1))
    cam_T_window[poses.posed] = invert(poses.window_T_cam[poses.posed])
    start = place_points(seen, cam_T_window, poses.posed)
    usable = seen.visible & np.isfinite(seen.depth) & poses.posed[:, None]
    usable &= np.isfinite(start[:, 0])
    free = poses.posed.copy()
    free[np.argmax(poses.posed)] = False
    points = np.nan_to_num(start, nan=1.0)
    weights = np.zeros(usable.shape)
    for _ in range(ITERATIONS):
        residual, jacobian_pose, jacobian_point, weights = _linearise(
            seen, cam_T_window, points, usable, sigma
        )
        step_pose, step_point = _schur(residual, jacobian_pose, jacobian_point, free)
        cam_T_window = exponential(step_pose) @ cam_T_window
        points = points + step_point
    points[(weights < SUPPORT).all(axis=0)] = np.nan
    window_T_cam = np.where(poses.posed[:, None, None], invert(cam_T_window), np.nan)
    return Bundle(replace(poses, window_T_cam=window_T_cam), points, weights)


def _linearise(
    seen: Sightings, cam_T_window: Transform, points: Points, usable: Mask, sigma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give whitened residuals (f, n, 3) and their Jacobians by pose (…, 6) and point (…, 3)."""
    frames = len(cam_T_window)
    p = transform(cam_T_window, np.broadcast_to(points, (frames, *points.shape)))
    z = np.where(p[..., 2] > 1e-6, p[..., 2], np.inf)
    image = p[..., :2] / z[..., None]
    usable = usable & np.isfinite(z)
    offset = np.nan_to_num(seen.rays[..., :2]) - image
    with np.errstate(invalid='ignore', divide='ignore'):
        stretch = np.nan_to_num(np.log(seen.depth / z), posinf=0.0, neginf=0.0)
    error = np.linalg.norm(offset, axis=-1) / sigma
    believed = np.where(usable, np.clip(1.0 - (error / 6.0) ** 2, 0.0, None) ** 2, 0.0)
    scatter = 1.0 / (1.0 + (stretch / (2.0 * DEPTH_SIGMA)) ** 2)  # Cauchy
    root_xy = np.sqrt(believed) / sigma
    root_z = np.sqrt(believed * scatter) / DEPTH_SIGMA
    residual = np.concatenate([offset * root_xy[..., None], (stretch * root_z)[..., None]], -1)
    by_camera = _by_camera_point(image, z)
    by_camera[..., :2, :] *= root_xy[..., None, None]
    by_camera[..., 2, :] *= root_z[..., None]
    turn = np.zeros((*p.shape[:-1], 3, 3))  # d(camera point) / d(rotation): -[p]x
    turn[..., 0, 1], turn[..., 0, 2] = p[..., 2], -p[..., 1]
    turn[..., 1, 0], turn[..., 1, 2] = -p[..., 2], p[..., 0]
    turn[..., 2, 0], turn[..., 2, 1] = p[..., 1], -p[..., 0]
    jacobian_pose = np.concatenate([by_camera, by_camera @ turn], axis=-1)
    jacobian_point = by_camera @ cam_T_window[:, None, :3, :3]
    return residual, jacobian_pose, jacobian_point, believed


def _by_camera_point(image: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Differentiate (x/z, y/z, log z) by the camera's point."""
    result = np.zeros((*z.shape, 3, 3))
    inverse = 1.0 / z
    result[..., 0, 0] = result[..., 1, 1] = result[..., 2, 2] = inverse
    result[..., 0, 2] = -image[..., 0] * inverse
    result[..., 1, 2] = -image[..., 1] * inverse
    return result


def _schur(
    residual: np.ndarray, jacobian_pose: np.ndarray, jacobian_point: np.ndarray, free: Mask
) -> tuple[np.ndarray, np.ndarray]:
    """Solve the damped normal equations, points eliminated first."""
    frames, count = residual.shape[:2]
    pose_t, point_t = np.swapaxes(jacobian_pose, -1, -2), np.swapaxes(jacobian_point, -1, -2)
    cross = pose_t @ jacobian_point  # (f, n, 6, 3)
    of_pose = (pose_t @ jacobian_pose).sum(axis=1)
    of_point = (point_t @ jacobian_point).sum(axis=0)
    right_pose = (pose_t @ residual[..., None]).sum(axis=1)[..., 0]
    right_point = (point_t @ residual[..., None]).sum(axis=0)[..., 0]
    of_point += _damping(of_point)
    inverse = np.linalg.inv(of_point)
    wide = cross.transpose(0, 2, 1, 3).reshape(frames * 6, count * 3)
    reduced = (cross @ inverse).transpose(0, 2, 1, 3).reshape(frames * 6, count * 3)
    system = -reduced @ wide.T
    for frame, block in enumerate(of_pose + _damping(of_pose)):
        system[frame * 6 : frame * 6 + 6, frame * 6 : frame * 6 + 6] += block
    right = right_pose.reshape(-1) - reduced @ right_point.reshape(-1)
    rows = np.repeat(free, 6)
    step_pose = np.zeros(frames * 6)
    step_pose[rows] = np.linalg.solve(system[np.ix_(rows, rows)], right[rows])
    back = right_point - (wide.T @ step_pose).reshape(count, 3)
    return step_pose.reshape(frames, 6), (inverse @ back[..., None])[..., 0]


def _damping(blocks: np.ndarray) -> np.ndarray:
    size = blocks.shape[-1]
    diagonal = np.diagonal(blocks, axis1=-2, axis2=-1)
    return DAMPING * diagonal[..., None] * np.eye(size) + 1e-9 * np.eye(size)
