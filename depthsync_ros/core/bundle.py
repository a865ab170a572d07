"""Bundle adjustment of one window: cameras and points that tracks and depth agree on."""

from dataclasses import dataclass, replace

import numpy as np

from depthsync_ros.core.bundle_equations import (
    cross_terms,
    damping_of,
    DEPTH_SIGMA,
    Linear,
    linearise,
    normal_of_points,
    OUTLIER,
    point_steps,
    Prior,
    Problem,
    solve_step,
    sum_squares,
)
from depthsync_ros.core.poses import place_points, Sightings, WindowPoses
from depthsync_ros.core.rigid import exponential, invert, transform
from depthsync_ros.core.shapes import Covariance, Mask, Points, Transform
from depthsync_ros.core.tracks import REFERENCE_WIDTH

PIXEL_SIGMA = 0.5  # tracking error in pixels of an image 320 wide
CAMERA_POINTS = 300  # enough points for the cameras; all others are placed from these
CAMERA_STEPS, POINT_STEPS = 6, 4
BELIEVED = 0.25  # of a sighting, where Tukey's weight has fallen by three quarters
MIN_SIGHTINGS = 10  # believed ones that a moved camera must rest on, or it has no pose


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
class _Solution:
    """
    Where cameras and points have come to rest.

    Shapes: free (frames,), which cameras were moved; step_covariance (6 * moved, 6 * moved), of
        all their last steps together.
    """

    cam_T_window: Transform
    points: Points
    free: Mask
    step_covariance: np.ndarray


def adjust(
    seen: Sightings,
    poses: WindowPoses,
    prior: Prior | None = None,
    fixed_frames: Mask | None = None,
) -> Bundle:
    """
    Move cameras and points until reprojection, depth and what was known agree best.

        sum w |pi(T X) - x|^2 / sigma^2 + w' (log z(T X) - log z)^2 + |p(X) - p(X0)|_I^2

    The network's depth errs alike in all frames of a window, so a point's sightings share the
    weight of one depth measurement. Without fixed frames the first posed camera holds the frame,
    and depth the scale; with them, and a prior in the same frame, these hold both.

    p is a point in the image and its log depth, of the last fixed camera. A point with a prior is
    not sighted in fixed frames: there the prior came from.

    Source: Triggs et al. 2000, bundle adjustment with the Schur complement; Levenberg-Marquardt.
    """
    fixed = np.zeros(len(poses.posed), bool) if fixed_frames is None else fixed_frames.copy()
    if not fixed.any():
        fixed[np.argmax(poses.posed)] = True
    cam_T_window = np.tile(np.eye(4), (len(poses.posed), 1, 1))
    cam_T_window[poses.posed] = invert(poses.window_T_cam[poses.posed])
    viewed_from = cam_T_window[np.flatnonzero(fixed)[-1]]
    prior = (prior or Prior.nothing(seen.visible.shape[1])).ahead_of(viewed_from)
    points = place_points(seen, cam_T_window, poses.posed)
    points[prior.known] = prior.points[prior.known]
    problem = _state(seen, poses.posed, points, prior, fixed, viewed_from)
    points = np.nan_to_num(points, nan=1.0)
    free = poses.posed & ~fixed
    chosen = _most_sighted(problem)
    telling = problem.only(chosen)
    if free.any():
        cam_T_window = _move_cameras(telling, cam_T_window, points[chosen], free)
    points = _move_points(problem, cam_T_window, points)
    of_step = _step_covariance(telling, cam_T_window, points[chosen], free)
    supported = _supported(problem, cam_T_window, points, free)
    poses = replace(poses, posed=poses.posed & (supported | ~free))
    return _summary(seen, poses, problem, _Solution(cam_T_window, points, free, of_step))


def _step_covariance(
    problem: Problem, cam_T_window: Transform, points: Points, free: Mask
) -> np.ndarray:
    """
    Give the covariance of all moved cameras' steps together, (6 * free, 6 * free).

    The points' uncertainty is in it, the cameras that were held are taken as exact, and the
    errors of sightings as independent; where these scatter more than was assumed, so does it.
    """
    if not free.any():
        return np.zeros((0, 0))
    linear = linearise(problem, cam_T_window, points)
    system = solve_step(problem, linear, cam_T_window, points, free, damping=0.0).system
    covariance: np.ndarray = _scatter(linear) * np.linalg.inv(system)
    return covariance


def _of_each(covariance: np.ndarray) -> np.ndarray:
    """Give the blocks of single cameras, (cameras, 6, 6)."""
    count = len(covariance) // 6
    blocks: np.ndarray = np.einsum('fifj->fij', covariance.reshape(count, 6, count, 6))
    return blocks


def _pose_covariance(solution: _Solution, posed: Mask) -> Covariance:
    """Give each camera's own covariance about the axes of the bundle's frame, (frames, 6, 6)."""
    free = solution.free
    covariance = np.zeros((len(free), 6, 6))
    window_R_cam = np.swapaxes(solution.cam_T_window[free][:, :3, :3], -1, -2)
    turn = np.zeros((len(window_R_cam), 6, 6))
    turn[:, :3, :3] = turn[:, 3:, 3:] = window_R_cam
    of_step = _of_each(solution.step_covariance)
    covariance[free] = turn @ of_step @ np.swapaxes(turn, -1, -2)
    covariance[~posed] = np.nan
    return covariance


def _scatter(linear: Linear) -> float:
    """Say by how much the reprojection's variance exceeds what was assumed; never below one."""
    weight, residual = linear.weight[..., :2], linear.residual[..., :2]
    believed = max(float(linear.belief.sum()), 1.0)
    return max(float((weight * residual**2).sum()) / (2.0 * believed), 1.0)


def _supported(problem: Problem, cam_T_window: Transform, points: Points, free: Mask) -> Mask:
    """Say which of the moved cameras rest on enough sightings: the others are guesses."""
    belief = linearise(problem, cam_T_window, points).belief
    supported: Mask = free & ((belief > BELIEVED).sum(axis=1) >= MIN_SIGHTINGS)
    return supported


def _state(
    seen: Sightings,
    posed: Mask,
    points: Points,
    prior: Prior,
    fixed: Mask,
    viewed_from: Transform,
) -> Problem:
    usable = seen.visible & posed[:, None] & np.isfinite(points[:, 0])
    usable &= ~(fixed[:, None] & prior.known)
    with np.errstate(invalid='ignore', divide='ignore'):
        log_depth = np.log(seen.depth)
    share = np.maximum(usable.sum(axis=0), 1)
    sigma = PIXEL_SIGMA * seen.width / REFERENCE_WIDTH / seen.focal_px
    image = np.nan_to_num(seen.rays[..., :2])
    weight = 1.0 / (DEPTH_SIGMA**2 * share)
    return Problem(image, log_depth, usable, weight, prior, sigma, viewed_from)


def _most_sighted(problem: Problem) -> np.ndarray:
    """Choose the points that tell most about cameras: anchors first, then the longest seen."""
    sightings = problem.usable.sum(axis=0) + 1000 * problem.prior.known
    sightings[~problem.usable.any(axis=0)] = 0
    order = np.argsort(-sightings, kind='stable')[:CAMERA_POINTS]
    chosen: np.ndarray = np.sort(order[sightings[order] > 0])
    return chosen


def _move_cameras(
    problem: Problem, cam_T_window: Transform, points: Points, free: Mask
) -> Transform:
    for _ in range(CAMERA_STEPS):
        linear = linearise(problem, cam_T_window, points)
        solved = solve_step(problem, linear, cam_T_window, points, free)
        cam_T_window = cam_T_window.copy()
        cam_T_window[free] = exponential(solved.of_poses) @ cam_T_window[free]
        points = points + solved.of_points
    return cam_T_window


def _move_points(problem: Problem, cam_T_window: Transform, points: Points) -> Points:
    """Place all points while the cameras stand still."""
    for step in range(POINT_STEPS):
        # A point that starts far off must first be allowed to come near.
        wide = OUTLIER if step >= POINT_STEPS // 2 else 4.0 * OUTLIER
        linear = linearise(problem, cam_T_window, points, wide)
        normal, right = normal_of_points(problem, linear, cam_T_window, points)
        points = points + point_steps(normal, right)
    return points


def _summary(seen: Sightings, poses: WindowPoses, problem: Problem, solution: _Solution) -> Bundle:
    cam_T_window, points = solution.cam_T_window, solution.points
    linear = linearise(problem, cam_T_window, points)
    normal, _ = normal_of_points(problem, linear, cam_T_window, points)
    of_point = np.linalg.inv(normal + damping_of(normal, 0.0))
    deviation = _deviation(linear, of_point, solution, scaled=bool(problem.prior.known.any()))
    supported = (linear.belief > 0.0).any(axis=0) | problem.prior.known
    remembered, _ = problem.remember(points)
    points = np.where(supported[:, None], points, np.nan)
    placed = np.broadcast_to(points, (len(cam_T_window), *points.shape))
    depth = transform(cam_T_window, placed)[..., 2]
    depth = np.where(seen.visible & poses.posed[:, None] & (depth > 1e-6), depth, np.nan)
    seen_only = linear.weight * (1.0, 1.0, 0.0)
    jacobian = linear.by_camera_point @ cam_T_window[:, None, :3, :3]
    window_T_cam = np.where(poses.posed[:, None, None], invert(cam_T_window), np.nan)
    return Bundle(
        replace(poses, window_T_cam=window_T_cam),
        _pose_covariance(solution, poses.posed),
        points,
        depth,
        np.where(np.isfinite(depth), deviation, np.nan),
        np.where(problem.usable, linear.belief, np.isfinite(depth)),
        sum_squares(jacobian, seen_only) + remembered,
    )


def _deviation(
    linear: Linear, of_point: np.ndarray, solution: _Solution, *, scaled: bool
) -> np.ndarray:
    """
    Give the relative standard deviation of each point's depth in each camera, (frames, points).

    The moved cameras' uncertainty is in it: points of a camera that turns agree well with each
    other, but hang together on a translation that is hardly seen. What all depths have in common
    counts only where a scale was given; else theirs is the scale.

    Shapes: of_point (points, 3, 3), each point's covariance where the cameras are exact.
    """
    free, cam_T_window = solution.free, solution.cam_T_window
    with np.errstate(divide='ignore', invalid='ignore'):
        axis = cam_T_window[:, None, 2, :3] / linear.points_cam[..., 2:]  # of log z by the point
    jacobian_pose, _, cross = cross_terms(linear, cam_T_window, free)
    by_pose = jacobian_pose[..., 2, :]
    frames, count = cross.shape[:2]
    # A point follows the cameras' steps by -follow.
    follow = of_point @ cross.transpose(1, 3, 0, 2).reshape(count, 3, frames * 6)
    spread = (follow.reshape(count * 3, -1) @ solution.step_covariance).reshape(follow.shape)
    whole = of_point + spread @ np.swapaxes(follow, 1, 2)
    variance = np.einsum('fpi,pij,fpj->fp', axis, whole, axis, optimize=True)
    own = _of_each(solution.step_covariance)
    variance[free] += np.einsum('fpi,fij,fpj->fp', by_pose, own, by_pose, optimize=True)
    with_own = spread.reshape(count, 3, frames, 6)
    variance[free] -= 2.0 * np.einsum(
        'fpi,pifj,fpj->fp', axis[free], with_own, by_pose, optimize=True
    )
    if not scaled:
        share = linear.belief / max(float(linear.belief.sum()), 1e-9)
        by_point = np.einsum('fp,fpi->pi', share, np.where(share[..., None] > 0.0, axis, 0.0))
        by_step = np.einsum('fp,fpi->fi', share[free], by_pose).reshape(-1)
        by_step -= np.einsum('pi,pij->j', by_point, follow)
        variance -= np.einsum('pi,pij,pj->', by_point, of_point, by_point)
        variance -= by_step @ solution.step_covariance @ by_step
    deviation: np.ndarray = np.sqrt(np.maximum(variance, 0.0))
    return deviation
