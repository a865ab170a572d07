"""Bundle adjustment of one window: cameras and points that tracks and depth agree on."""

from dataclasses import dataclass, replace

import numpy as np

from depthsync_ros.core.poses import place_points, Sightings, WindowPoses
from depthsync_ros.core.rigid import exponential, invert, transform
from depthsync_ros.core.shapes import Covariance, Mask, Points, Transform
from depthsync_ros.core.tracks import REFERENCE_WIDTH

DEPTH_SIGMA = 0.4  # relative error of the network's depth of one point, over the whole window
PIXEL_SIGMA = 0.5  # tracking error in pixels of an image 320 wide
OUTLIER = 6.0  # reprojection errors beyond so many sigmas have no say
CAMERA_POINTS = 300  # enough points for the cameras; all others are placed from these
CAMERA_STEPS, POINT_STEPS = 6, 4
DAMPING = 1e-4
BELIEVED = 0.25  # of a sighting, where Tukey's weight has fallen by three quarters
MIN_SIGHTINGS = 10  # believed ones that a moved camera must rest on, or it has no pose


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


@dataclass(frozen=True, eq=False)
class Bundle:
    """
    Cameras and points of a window, adjusted to one another.

    Shapes: points_window (points, 3), NaN where nothing supports a point; depth (frames,
        points), NaN where the point was not sighted or the frame has no pose; deviation (frames,
        points), the relative standard deviation of that depth; belief (frames, points) in
        [0, 1], how far each sighting is believed; seen_information (points, 3, 3), what
        reprojection and the prior tell of each point, the network's depth left out.
        pose_covariance (frames, 6, 6), of each camera's position and rotation about the axes
        of the bundle's frame; zero for a camera that was held, NaN for one without a pose.
    """

    poses: WindowPoses
    pose_covariance: Covariance
    points_window: Points
    depth: np.ndarray
    deviation: np.ndarray
    belief: np.ndarray
    seen_information: np.ndarray

    @property
    def point_belief(self) -> np.ndarray:
        """How far each point is believed: the mean over its sightings, (points,)."""
        sighted = np.isfinite(self.depth)
        total = np.where(sighted, self.belief, 0.0).sum(axis=0)
        mean: np.ndarray = total / np.maximum(sighted.sum(axis=0), 1)
        return mean


@dataclass(frozen=True, eq=False)
class _Problem:
    """
    Sightings to be explained, and what is known beforehand.

    Shapes: image (frames, points, 2) = (x/z, y/z); log_depth (frames, points), the network's;
        usable (frames, points); prior_depth (points,), the weight of one sighting's depth.
    """

    image: np.ndarray
    log_depth: np.ndarray
    usable: Mask
    depth_weight: np.ndarray
    prior: Prior
    sigma: float

    def only(self, points: np.ndarray) -> '_Problem':
        """Keep some of the points."""
        return _Problem(
            self.image[:, points],
            self.log_depth[:, points],
            self.usable[:, points],
            self.depth_weight[points],
            Prior(self.prior.points[points], self.prior.information[points]),
            self.sigma,
        )


@dataclass(frozen=True, eq=False)
class _Linear:
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
class _Step:
    """
    One step of the adjustment, and the equations of the poses that it solved.

    Shapes: of_poses (free, 6), of_points (points, 3), system (6 * free, 6 * free).
    """

    of_poses: np.ndarray
    of_points: np.ndarray
    system: np.ndarray


def adjust(
    seen: Sightings,
    poses: WindowPoses,
    prior: Prior | None = None,
    fixed_frames: Mask | None = None,
) -> Bundle:
    """
    Move cameras and points until reprojection, depth and what was known agree best.

        sum w |pi(T X) - x|^2 / sigma^2 + w' (log z(T X) - log z)^2 + (X - X0)' I (X - X0)

    The network's depth errs alike in all frames of a window, so a point's sightings share the
    weight of one depth measurement. Without fixed frames the first posed camera holds the frame,
    and depth the scale; with them, and a prior in the same frame, these hold both.

    A point with a prior is not sighted in fixed frames: there the prior came from.

    Source: Triggs et al. 2000, bundle adjustment with the Schur complement; Levenberg-Marquardt.
    """
    prior = prior or Prior.nothing(seen.visible.shape[1])
    fixed = np.zeros(len(poses.posed), bool) if fixed_frames is None else fixed_frames.copy()
    if not fixed.any():
        fixed[np.argmax(poses.posed)] = True
    cam_T_window = np.tile(np.eye(4), (len(poses.posed), 1, 1))
    cam_T_window[poses.posed] = invert(poses.window_T_cam[poses.posed])
    points = place_points(seen, cam_T_window, poses.posed)
    points[prior.known] = prior.points[prior.known]
    problem = _state(seen, poses.posed, points, prior, fixed)
    points = np.nan_to_num(points, nan=1.0)
    free = poses.posed & ~fixed
    chosen = _most_sighted(problem)
    if free.any():
        cam_T_window = _move_cameras(problem.only(chosen), cam_T_window, points[chosen], free)
    points = _move_points(problem, cam_T_window, points)
    covariance = _pose_covariance(problem.only(chosen), cam_T_window, points[chosen], free)
    supported = _supported(problem, cam_T_window, points, free)
    poses = replace(poses, posed=poses.posed & (supported | ~free))
    covariance[~poses.posed] = np.nan
    return _summary(seen, poses, covariance, problem, cam_T_window, points)


def _pose_covariance(
    problem: _Problem, cam_T_window: Transform, points: Points, free: Mask
) -> Covariance:
    """
    Give each moved camera's covariance, (frames, 6, 6): the inverse of the normal equations.

    The points' uncertainty is in it, the cameras that were held are taken as exact, and the
    errors of sightings as independent; where these scatter more than was assumed, so does it.
    """
    covariance = np.zeros((len(free), 6, 6))
    if not free.any():
        return covariance
    linear = _linearise(problem, cam_T_window, points)
    system = _schur(problem, linear, cam_T_window, points, free).system
    blocks = np.linalg.inv(system).reshape(free.sum(), 6, free.sum(), 6)
    of_step = _scatter(linear) * np.einsum('fifj->fij', blocks)
    window_R_cam = np.swapaxes(cam_T_window[free][:, :3, :3], -1, -2)
    turn = np.zeros((len(of_step), 6, 6))
    turn[:, :3, :3] = turn[:, 3:, 3:] = window_R_cam
    covariance[free] = turn @ of_step @ np.swapaxes(turn, -1, -2)
    return covariance


def _scatter(linear: _Linear) -> float:
    """Say by how much the reprojection's variance exceeds what was assumed; never below one."""
    weight, residual = linear.weight[..., :2], linear.residual[..., :2]
    believed = max(float(linear.belief.sum()), 1.0)
    return max(float((weight * residual**2).sum()) / (2.0 * believed), 1.0)


def _supported(problem: _Problem, cam_T_window: Transform, points: Points, free: Mask) -> Mask:
    """Say which of the moved cameras rest on enough sightings: the others are guesses."""
    belief = _linearise(problem, cam_T_window, points).belief
    supported: Mask = free & ((belief > BELIEVED).sum(axis=1) >= MIN_SIGHTINGS)
    return supported


def _state(seen: Sightings, posed: Mask, points: Points, prior: Prior, fixed: Mask) -> _Problem:
    usable = seen.visible & posed[:, None] & np.isfinite(points[:, 0])
    usable &= ~(fixed[:, None] & prior.known)
    with np.errstate(invalid='ignore', divide='ignore'):
        log_depth = np.log(seen.depth)
    share = np.maximum(usable.sum(axis=0), 1)
    sigma = PIXEL_SIGMA * seen.width / REFERENCE_WIDTH / seen.focal_px
    image = np.nan_to_num(seen.rays[..., :2])
    weight = 1.0 / (DEPTH_SIGMA**2 * share)
    return _Problem(image, log_depth, usable, weight, prior, sigma)


def _most_sighted(problem: _Problem) -> np.ndarray:
    """Choose the points that tell most about cameras: anchors first, then the longest seen."""
    sightings = problem.usable.sum(axis=0) + 1000 * problem.prior.known
    sightings[~problem.usable.any(axis=0)] = 0
    order = np.argsort(-sightings, kind='stable')[:CAMERA_POINTS]
    chosen: np.ndarray = np.sort(order[sightings[order] > 0])
    return chosen


def _linearise(
    problem: _Problem, cam_T_window: Transform, points: Points, outlier: float = OUTLIER
) -> _Linear:
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
    return _Linear(
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


def _move_cameras(
    problem: _Problem, cam_T_window: Transform, points: Points, free: Mask
) -> Transform:
    for _ in range(CAMERA_STEPS):
        linear = _linearise(problem, cam_T_window, points)
        solved = _schur(problem, linear, cam_T_window, points, free)
        cam_T_window = cam_T_window.copy()
        cam_T_window[free] = exponential(solved.of_poses) @ cam_T_window[free]
        points = points + solved.of_points
    return cam_T_window


def _move_points(problem: _Problem, cam_T_window: Transform, points: Points) -> Points:
    """Place all points while the cameras stand still."""
    for step in range(POINT_STEPS):
        # A point that starts far off must first be allowed to come near.
        wide = OUTLIER if step >= POINT_STEPS // 2 else 4.0 * OUTLIER
        linear = _linearise(problem, cam_T_window, points, wide)
        normal, right = _of_points(problem, linear, cam_T_window, points)
        points = points + _solved(normal, right)
    return points


def _of_points(
    problem: _Problem, linear: _Linear, cam_T_window: Transform, points: Points
) -> tuple[np.ndarray, np.ndarray]:
    """Give each point's normal matrix and right side, the prior's share included."""
    jacobian = linear.by_camera_point @ cam_T_window[:, None, :3, :3]
    normal = _squared(jacobian, linear.weight) + problem.prior.information
    right = np.einsum('fpki,fpk->pi', jacobian, linear.weight * linear.residual)
    away = np.nan_to_num(problem.prior.points - points)
    return normal, right + np.einsum('pij,pj->pi', problem.prior.information, away)


def _squared(jacobian: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum J' W J over frames, (points, 3, 3)."""
    frames, count = weight.shape[:2]
    rows = jacobian.transpose(1, 0, 2, 3).reshape(count, frames * 3, 3)
    weighted = rows * weight.transpose(1, 0, 2).reshape(count, frames * 3, 1)
    squared: np.ndarray = np.swapaxes(weighted, 1, 2) @ rows
    return squared


def _solved(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    step: np.ndarray = np.linalg.solve(normal + _damping(normal), right[..., None])[..., 0]
    return step


def _schur(
    problem: _Problem,
    linear: _Linear,
    cam_T_window: Transform,
    points: Points,
    free: Mask,
) -> _Step:
    """Solve the damped normal equations, points eliminated first."""
    of_point, right_point = _of_points(problem, linear, cam_T_window, points)
    inverse = np.linalg.inv(of_point + _damping(of_point))
    by_point = linear.by_camera_point[free]
    jacobian_pose = np.concatenate([by_point, by_point @ _turn(linear.points_cam[free])], axis=-1)
    jacobian_point = by_point @ cam_T_window[free][:, None, :3, :3]
    weighted = np.swapaxes(jacobian_pose * linear.weight[free][..., None], -1, -2)
    cross = weighted @ jacobian_point  # (free, points, 6, 3)
    of_pose = (weighted @ jacobian_pose).sum(axis=1)
    right_pose = (weighted @ linear.residual[free][..., None]).sum(axis=1)[..., 0]
    frames, count = cross.shape[:2]
    wide = cross.transpose(0, 2, 1, 3).reshape(frames * 6, count * 3)
    reduced = (cross @ inverse).transpose(0, 2, 1, 3).reshape(frames * 6, count * 3)
    system = -reduced @ wide.T
    for frame, block in enumerate(of_pose + _damping(of_pose)):
        system[frame * 6 : frame * 6 + 6, frame * 6 : frame * 6 + 6] += block
    step_pose = np.linalg.solve(system, right_pose.reshape(-1) - reduced @ right_point.reshape(-1))
    back = right_point - (wide.T @ step_pose).reshape(count, 3)
    return _Step(step_pose.reshape(frames, 6), (inverse @ back[..., None])[..., 0], system)


def _turn(p: Points) -> np.ndarray:
    """Differentiate a camera's point by a rotation applied in the camera: -[p]x."""
    turn = np.zeros((*p.shape[:-1], 3, 3))
    turn[..., 0, 1], turn[..., 0, 2] = p[..., 2], -p[..., 1]
    turn[..., 1, 0], turn[..., 1, 2] = -p[..., 2], p[..., 0]
    turn[..., 2, 0], turn[..., 2, 1] = p[..., 1], -p[..., 0]
    return turn


def _damping(blocks: np.ndarray) -> np.ndarray:
    size = blocks.shape[-1]
    diagonal = np.diagonal(blocks, axis1=-2, axis2=-1)
    least = 1e-9 * diagonal.max(axis=-1, keepdims=True) + 1e-12
    damping: np.ndarray = (DAMPING * diagonal + least)[..., None] * np.eye(size)
    return damping


def _summary(
    seen: Sightings,
    poses: WindowPoses,
    pose_covariance: Covariance,
    problem: _Problem,
    cam_T_window: Transform,
    points: Points,
) -> Bundle:
    linear = _linearise(problem, cam_T_window, points)
    normal, _ = _of_points(problem, linear, cam_T_window, points)
    supported = (linear.belief > 0.0).any(axis=0) | problem.prior.known
    points = np.where(supported[:, None], points, np.nan)
    placed = np.broadcast_to(points, (len(cam_T_window), *points.shape))
    depth = transform(cam_T_window, placed)[..., 2]
    depth = np.where(seen.visible & poses.posed[:, None] & (depth > 1e-6), depth, np.nan)
    covariance = np.linalg.inv(normal + _damping(normal))
    axis = cam_T_window[:, 2, :3]
    along = np.einsum('fi,pij,fj->fp', axis, covariance, axis, optimize=True)
    seen_only = linear.weight * (1.0, 1.0, 0.0)
    jacobian = linear.by_camera_point @ cam_T_window[:, None, :3, :3]
    window_T_cam = np.where(poses.posed[:, None, None], invert(cam_T_window), np.nan)
    return Bundle(
        replace(poses, window_T_cam=window_T_cam),
        pose_covariance,
        points,
        depth,
        np.sqrt(along) / depth,
        np.where(problem.usable, linear.belief, np.isfinite(depth)),
        _squared(jacobian, seen_only) + problem.prior.information,
    )
