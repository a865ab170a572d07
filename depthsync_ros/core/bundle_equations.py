"""The equations of a window's bundle adjustment: what is to be explained, and its linear form."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from depthsync_ros.core.rigid import transform
from depthsync_ros.core.shapes import Mask, Points, Transform

DEPTH_SIGMA = 0.4  # relative error of the network's depth of one point, over the whole window
OUTLIER = 6.0  # reprojection errors beyond so many sigmas have no say
DAMPING = 1e-4


@dataclass(frozen=True, eq=False)
class Prior:
    """
    What is known of a window's points beforehand.

    Shapes: points (points, 3), NaN unknown; information (points, 3, 3), zero where unknown.
    """

    points: Points
    information: np.ndarray

    @classmethod
    def nothing(cls, count: int) -> 'Prior':
        """Know nothing of `count` points."""
        return cls(np.full((count, 3), np.nan), np.zeros((count, 3, 3)))

    @property
    def known(self) -> Mask:
        """Which points something is known of."""
        known: Mask = np.isfinite(self.points[:, 0])
        return known

    def ahead_of(self, cam_T_window: Transform) -> 'Prior':
        """Keep what lies before a camera; of other points nothing is known."""
        ahead = self.known & (transform(cam_T_window, self.points)[:, 2] > 1e-6)
        points = np.where(ahead[:, None], self.points, np.nan)
        return Prior(points, np.where(ahead[:, None, None], self.information, 0.0))

    def only(self, points: np.ndarray) -> 'Prior':
        """Keep some of the points."""
        return Prior(self.points[points], self.information[points])


@dataclass(frozen=True, eq=False)
class Problem:
    """
    Sightings to be explained, and what is known beforehand.

    Shapes: image (frames, points, 2) = (x/z, y/z); log_depth (frames, points), the network's;
        usable (frames, points); depth_weight (points,), that of one sighting's depth.
    Units: sigma in units of the image, that is, of rays.
    Convention: viewed_from is cam_T_window of the camera that is taken to have seen what is
        known beforehand.
    """

    image: np.ndarray
    log_depth: np.ndarray
    usable: Mask
    depth_weight: np.ndarray
    prior: Prior
    sigma: float
    viewed_from: Transform

    def only(self, points: np.ndarray) -> 'Problem':
        """Keep some of the points."""
        return Problem(
            self.image[:, points],
            self.log_depth[:, points],
            self.usable[:, points],
            self.depth_weight[points],
            self.prior.only(points),
            self.sigma,
            self.viewed_from,
        )

    def remember(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """
        Give the normal matrix and right side of what was known, at some points.

        It is held in the image and in the logarithm of depth, seen from the camera that saw it.
        There a change of scale moves all points alike, and noise pulls on it neither way. Held in
        space it lets the run's unit shrink from window to window, in inverse depth grow: a scale
        fitted to noisy values comes out too small.
        """
        place, jacobian = _in_view(points, self.viewed_from)
        known, information = self._known
        weighted = np.swapaxes(jacobian, 1, 2) @ information
        return weighted @ jacobian, np.einsum('pij,pj->pi', weighted, known - place)

    @cached_property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        """Give what was known, and its information, as `remember` holds it."""
        known, jacobian = _in_view(np.nan_to_num(self.prior.points, nan=1.0), self.viewed_from)
        back = np.linalg.inv(jacobian)
        return known, np.swapaxes(back, 1, 2) @ self.prior.information @ back


@dataclass(frozen=True, eq=False)
class Linear:
    """
    The problem linearised: residuals (x, y, log z), their weights and Jacobians.

    Shapes: (frames, points, 3) both; by_camera_point (frames, points, 3, 3).
    """

    residual: np.ndarray
    weight: np.ndarray
    by_camera_point: np.ndarray
    points_cam: Points
    belief: np.ndarray


@dataclass(frozen=True, eq=False)
class Step:
    """
    One step of the adjustment, and the equations of the poses that it solved.

    Shapes: of_poses (free, 6), of_points (points, 3), system (6 * free, 6 * free).
    """

    of_poses: np.ndarray
    of_points: np.ndarray
    system: np.ndarray


def linearise(
    problem: Problem, cam_T_window: Transform, points: Points, outlier: float = OUTLIER
) -> Linear:
    """Linearise at some cameras and points; errors beyond `outlier` sigmas have no say."""
    frames = len(cam_T_window)
    p = transform(cam_T_window, np.broadcast_to(points, (frames, *points.shape)))
    usable = problem.usable & (p[..., 2] > 1e-6)
    z = np.where(usable, p[..., 2], 1.0)
    image = np.where(usable[..., None], p[..., :2], 0.0) / z[..., None]
    offset = np.where(usable[..., None], problem.image - image, 0.0)
    stretch = problem.log_depth - np.log(z)
    known = usable & np.isfinite(stretch)
    stretch = np.where(known, stretch, 0.0)
    error = (offset**2).sum(axis=-1) / (outlier * problem.sigma) ** 2
    belief = np.where(usable, np.clip(1.0 - error, 0.0, None) ** 2, 0.0)  # Tukey
    scatter = 1.0 / (1.0 + (stretch / (2.0 * DEPTH_SIGMA)) ** 2)  # Cauchy
    of_image = belief / problem.sigma**2
    of_depth = np.where(known, belief * scatter * problem.depth_weight, 0.0)
    return Linear(
        np.concatenate([offset, stretch[..., None]], axis=-1),
        np.stack([of_image, of_image, of_depth], axis=-1),
        _by_camera_point(image, 1.0 / z),
        p,
        belief,
    )


def _by_camera_point(image: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Differentiate (x/z, y/z, log z) by the camera's point."""
    result = np.zeros((*inverse.shape, 3, 3))
    result[..., 0, 0] = result[..., 1, 1] = result[..., 2, 2] = inverse
    result[..., 0, 2] = -image[..., 0] * inverse
    result[..., 1, 2] = -image[..., 1] * inverse
    return result


def _in_view(points: Points, cam_T_window: Transform) -> tuple[np.ndarray, np.ndarray]:
    """Give points as (x/z, y/z, log z) of a camera, and the Jacobian by the point."""
    p = transform(cam_T_window, points)
    z = np.maximum(p[:, 2], 1e-6)
    image = p[:, :2] / z[:, None]
    jacobian = _by_camera_point(image, 1.0 / z)
    return np.c_[image, np.log(z)], jacobian @ cam_T_window[:3, :3]


def normal_of_points(
    problem: Problem, linear: Linear, cam_T_window: Transform, points: Points
) -> tuple[np.ndarray, np.ndarray]:
    """Give each point's normal matrix and right side, the prior's share included."""
    jacobian = linear.by_camera_point @ cam_T_window[:, None, :3, :3]
    known, towards = problem.remember(points)
    right = np.einsum('fpki,fpk->pi', jacobian, linear.weight * linear.residual)
    return sum_squares(jacobian, linear.weight) + known, right + towards


def sum_squares(jacobian: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum J' W J over frames, (points, 3, 3)."""
    frames, count = weight.shape[:2]
    rows = jacobian.transpose(1, 0, 2, 3).reshape(count, frames * 3, 3)
    weighted = rows * weight.transpose(1, 0, 2).reshape(count, frames * 3, 1)
    squared: np.ndarray = np.swapaxes(weighted, 1, 2) @ rows
    return squared


def point_steps(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve each point's damped equations, (points, 3)."""
    step: np.ndarray = np.linalg.solve(normal + damping_of(normal), right[..., None])[..., 0]
    return step


def cross_terms(
    linear: Linear, cam_T_window: Transform, free: Mask
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Differentiate by the moved cameras' steps, and tie them to the points.

    Shapes: the Jacobian (free, points, 3, 6), the same transposed and weighted, and the normal
        equations' blocks between cameras and points, (free, points, 6, 3).
    """
    by_point = linear.by_camera_point[free]
    jacobian_pose = np.concatenate([by_point, by_point @ _turn(linear.points_cam[free])], axis=-1)
    jacobian_point = by_point @ cam_T_window[free][:, None, :3, :3]
    weighted = np.swapaxes(jacobian_pose * linear.weight[free][..., None], -1, -2)
    return jacobian_pose, weighted, weighted @ jacobian_point


def solve_step(
    problem: Problem,
    linear: Linear,
    cam_T_window: Transform,
    points: Points,
    free: Mask,
    damping: float = DAMPING,
) -> Step:
    """
    Solve the damped normal equations, points eliminated first.

    Source: Triggs et al. 2000, the Schur complement.
    """
    of_point, right_point = normal_of_points(problem, linear, cam_T_window, points)
    inverse = np.linalg.inv(of_point + damping_of(of_point, damping))
    jacobian_pose, weighted, cross = cross_terms(linear, cam_T_window, free)
    of_pose = (weighted @ jacobian_pose).sum(axis=1)
    right_pose = (weighted @ linear.residual[free][..., None]).sum(axis=1)[..., 0]
    frames, count = cross.shape[:2]
    wide = cross.transpose(0, 2, 1, 3).reshape(frames * 6, count * 3)
    reduced = (cross @ inverse).transpose(0, 2, 1, 3).reshape(frames * 6, count * 3)
    system = -reduced @ wide.T
    for frame, block in enumerate(of_pose + damping_of(of_pose, damping)):
        system[frame * 6 : frame * 6 + 6, frame * 6 : frame * 6 + 6] += block
    step_pose = np.linalg.solve(system, right_pose.reshape(-1) - reduced @ right_point.reshape(-1))
    back = right_point - (wide.T @ step_pose).reshape(count, 3)
    return Step(step_pose.reshape(frames, 6), (inverse @ back[..., None])[..., 0], system)


def _turn(p: Points) -> np.ndarray:
    """Differentiate a camera's point by a rotation applied in the camera: -[p]x."""
    turn = np.zeros((*p.shape[:-1], 3, 3))
    turn[..., 0, 1], turn[..., 0, 2] = p[..., 2], -p[..., 1]
    turn[..., 1, 0], turn[..., 1, 2] = -p[..., 2], p[..., 0]
    turn[..., 2, 0], turn[..., 2, 1] = p[..., 1], -p[..., 0]
    return turn


def damping_of(blocks: np.ndarray, share: float = DAMPING) -> np.ndarray:
    """Give what is added to the blocks' diagonals; never nothing, so that they can be solved."""
    size = blocks.shape[-1]
    diagonal = np.diagonal(blocks, axis1=-2, axis2=-1)
    least = 1e-9 * diagonal.max(axis=-1, keepdims=True) + 1e-12
    damping: np.ndarray = (share * diagonal + least)[..., None] * np.eye(size)
    return damping
