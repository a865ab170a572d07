"""How far a fused map is from the true one."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from depthsync_ros.core.camera import Camera, unproject
from depthsync_ros.core.rigid import transform
from depthsync_ros.core.shapes import Map, Points, Transform


def true_cloud(
    depth_m: Sequence[Map], world_T_cam: Sequence[Transform], camera: Camera, *, stride: int = 4
) -> Points:
    """
    Fuse true depth into one cloud of the truth's world.

    Units: metres; every stride-th pixel of known depth gives a point.
    """
    clouds = []
    for depth, pose in zip(depth_m, world_T_cam, strict=True):
        points = unproject(camera, depth)[::stride, ::stride].reshape(-1, 3)
        clouds.append(transform(pose, points[np.isfinite(points[:, 2])]))
    return np.concatenate(clouds)


def similarity(points_a: Points, points_b: Points) -> tuple[float, Transform]:
    """
    Fit scale and rigid motion that take points_b onto points_a: a ~ a_T_b (scale * b).

    Shapes: both (n, 3).
    Source: Umeyama 1991, equations 40-42.
    """
    mean_a, mean_b = points_a.mean(axis=0), points_b.mean(axis=0)
    spread_a, spread_b = points_a - mean_a, points_b - mean_b
    u, values, vt = np.linalg.svd(spread_a.T @ spread_b)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(signs) @ vt
    scale = float((values * signs).sum() / (spread_b**2).sum())
    a_T_b = np.eye(4)
    a_T_b[:3, :3] = rotation
    a_T_b[:3, 3] = mean_a - scale * rotation @ mean_b
    return scale, a_T_b


def map_distances(
    cloud: Points, path: Points, true_path: Points, truth: Points
) -> tuple[np.ndarray, Points]:
    """
    Place a fused cloud in the truth's world by its camera path, and measure it there.

    The cloud has one scale to win and no shift: what is measured is what a map's user gets.

    Shapes: path and true_path (frames, 3), the same cameras; the result is each point's distance
        to the nearest true one in metres, and the placed points.
    """
    scale, truth_T_ours = similarity(true_path, path)
    placed = transform(truth_T_ours, scale * cloud)
    return cloud_distances(placed, truth), placed


def cloud_distances(points: Points, truth: Points) -> np.ndarray:
    """Give each point's distance to the nearest true one."""
    distances, _ = cKDTree(truth).query(points)
    return np.asarray(distances)
