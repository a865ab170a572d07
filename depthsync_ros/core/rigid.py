"""Rigid motions: Procrustes, small steps, means."""

import numpy as np

from depthsync_ros.core.shapes import Points, Transform

# A REP 103 body frame (x forward, y left, z up) that looks along the optical frame's z.
BODY_T_OPTICAL = np.array(
    [[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)


def transform(a_T_b: Transform, points_b: Points) -> Points:
    """Take points of frame b into frame a. Leading axes broadcast over the points' first ones."""
    rotation, translation = a_T_b[..., :3, :3], a_T_b[..., :3, 3]
    points_a: Points = points_b @ np.swapaxes(rotation, -1, -2) + translation[..., None, :]
    return points_a


def invert(a_T_b: Transform) -> Transform:
    """Turn a_T_b into b_T_a."""
    rotation = np.swapaxes(a_T_b[..., :3, :3], -1, -2)
    b_T_a = np.zeros_like(a_T_b)
    b_T_a[..., :3, :3] = rotation
    b_T_a[..., :3, 3] = -np.einsum('...ij,...j->...i', rotation, a_T_b[..., :3, 3])
    b_T_a[..., 3, 3] = 1.0
    return b_T_a


def procrustes(points_a: Points, points_b: Points, weights: np.ndarray) -> Transform:
    """
    Fit a_T_b, the rigid motion that takes points_b closest to points_a.

    Shapes: points (..., points, 3), weights (..., points) >= 0; batched over leading axes.
    Source: Umeyama 1991, equations 38-43, with the scale held at one.
    """
    share = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)
    mean_a = (share[..., None, :] @ points_a)[..., 0, :]
    mean_b = (share[..., None, :] @ points_b)[..., 0, :]
    spread_a = (points_a - mean_a[..., None, :]) * share[..., None]
    covariance = np.swapaxes(spread_a, -1, -2) @ (points_b - mean_b[..., None, :])
    u, _, vt = np.linalg.svd(covariance)
    mirror = np.linalg.det(u) * np.linalg.det(vt)
    u[..., :, 2] *= np.sign(mirror)[..., None]
    a_T_b = np.zeros((*covariance.shape[:-2], 4, 4))
    a_T_b[..., :3, :3] = u @ vt
    a_T_b[..., :3, 3] = mean_a - np.einsum('...ij,...j->...i', a_T_b[..., :3, :3], mean_b)
    a_T_b[..., 3, 3] = 1.0
    return a_T_b


def exponential(steps: np.ndarray) -> Transform:
    """
    Turn small motions (translation, rotation vector) into transforms.

    Shapes: steps (..., 6); the result (..., 4, 4).
    Source: Rodrigues' formula; the translation is applied after the rotation, not along a
    screw, which is as good a chart for a step that is re-linearised.
    """
    angle = np.linalg.norm(steps[..., 3:], axis=-1)[..., None, None]
    axis = steps[..., 3:] / np.maximum(angle[..., 0], 1e-12)
    cross = skew(axis)
    result = np.zeros((*steps.shape[:-1], 4, 4))
    result[..., :3, :3] = (
        np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    )
    result[..., :3, 3] = steps[..., :3]
    result[..., 3, 3] = 1.0
    return result


def skew(vectors: np.ndarray) -> np.ndarray:
    """Give the matrices that take the cross product with vectors (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    result = np.zeros((*np.shape(vectors), 3))
    result[..., 0, 1], result[..., 0, 2], result[..., 1, 2] = -z, y, -x
    result[..., 1, 0], result[..., 2, 0], result[..., 2, 1] = z, -y, x
    return result


def angle_rad(a_T_b: Transform) -> np.ndarray:
    """Give the rotation angle of transforms (..., 4, 4)."""
    cosine = (np.trace(a_T_b[..., :3, :3], axis1=-2, axis2=-1) - 1.0) / 2.0
    angles: np.ndarray = np.arccos(np.clip(cosine, -1.0, 1.0))
    return angles


def robust_mean(candidates: Transform, *, rounds: int = 10) -> Transform:
    """
    Average transforms that should be equal, outliers losing their say.

    Shapes: candidates (n, 4, 4). Rotations: chordal L2 mean (Hartley et al. 2013), re-weighted
    towards the L1 mean; translations likewise.
    """
    weights = np.ones(len(candidates))
    mean: Transform = candidates[0]
    for _ in range(rounds):
        share = weights / weights.sum()
        u, _, vt = np.linalg.svd(np.einsum('n,nij->ij', share, candidates[:, :3, :3]))
        mean = np.eye(4)
        mean[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        mean[:3, 3] = share @ candidates[:, :3, 3]
        turn = angle_rad(invert(mean) @ candidates)
        move = np.linalg.norm(candidates[:, :3, 3] - mean[:3, 3], axis=1)
        distance = turn / (np.median(turn) + 1e-9) + move / (np.median(move) + 1e-9)
        weights = 1.0 / np.maximum(distance, 1e-3)
    return mean
