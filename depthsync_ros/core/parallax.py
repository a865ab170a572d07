"""Depth against parallax: what tracked points say of metres where the camera's way is known."""

from collections.abc import Iterator, Sequence
import math

import numpy as np

from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.metric import INDEPENDENT, LONG_SHARE, Observation, weighted_median
from depthsync_ros.core.poses import Sightings
from depthsync_ros.core.rigid import invert
from depthsync_ros.core.shapes import Transform

MIN_VOTES = 100  # pairs of sightings; fewer say nothing of a window


def compare_parallax(seen: Sightings, odom_T_cam: Sequence[Transform | None]) -> Observation:
    """
    Hold a window's depth against the points that tracks and measured camera poses triangulate.

    A point seen at x in one camera and at u = (x/z, y/z) in another, R and t from the first to the
    second, has an inverse depth r there of which

        r (t_xy - u t_z) = u (R x)_z - (R x)_xy

    is linear in r, so that tracking noise does not bias it. Pairs of sightings vote with
    r / (our inverse depth), weighted by the baseline across the ray, not by our depth: its errors
    would then favour themselves. The weighted median wins. Derived camera translation is not
    asked: where the network's depth is noisy, it is too short.

    Units: depth in the run's unit; odom_T_cam in metres, None where there is no pose; the result
        is of log(metres / run's unit).

    :raises ScaleError: too few points with parallax.
    """
    rows = [row for row, pose in enumerate(odom_T_cam) if pose is not None]
    poses = np.stack([pose for pose in odom_T_cam if pose is not None])
    directions = np.where(seen.visible[..., None], seen.rays, np.nan)[rows]
    inverse = 1.0 / seen.depth[rows]
    votes, weights = [np.zeros(0)], [np.zeros(0)]
    for first, second, second_T_first in _far_pairs(poses):
        vote, weight = _votes(
            directions[first], directions[second], inverse[first], second_T_first
        )
        votes.append(vote)
        weights.append(weight)
    vote, weight = np.concatenate(votes), np.concatenate(weights)
    if len(vote) < MIN_VOTES:
        raise ScaleError(
            f'{len(vote)} pairs of sightings of tracked points in the window, {MIN_VOTES} are '
            'needed; the view has little texture or changes too fast'
        )
    middle = weighted_median(vote, weight)
    if middle <= 0.0:
        raise ScaleError(
            'by odometry most tracked points lie behind the camera: wheels slip, the view moves, '
            "or the robot's extrinsics are wrong"
        )
    spread = 1.4826 * weighted_median(np.abs(vote / middle - 1.0), weight)
    return Observation(-math.log(middle), spread / math.sqrt(INDEPENDENT))


def _far_pairs(odom_T_cam: Transform) -> Iterator[tuple[int, int, Transform]]:
    """Give the pairs of frames that are far apart, in both directions, with second_T_first."""
    places = odom_T_cam[:, :3, 3]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    first, second = np.nonzero(apart > LONG_SHARE * apart.max())
    motions = invert(odom_T_cam[second]) @ odom_T_cam[first]
    yield from zip(first.tolist(), second.tolist(), motions, strict=True)


def _votes(
    first: np.ndarray, second: np.ndarray, inverse: np.ndarray, second_T_first: Transform
) -> tuple[np.ndarray, np.ndarray]:
    """Give each point's triangulated over our inverse depth, and the baseline across it."""
    known = np.isfinite(first[:, 0]) & np.isfinite(second[:, 0]) & (inverse > 0.0)
    x, u, ours = first[known], second[known, :2], inverse[known]
    turned, t = x @ second_T_first[:3, :3].T, second_T_first[:3, 3]
    by_inverse = t[:2] - u * t[2]
    moved = u * turned[:, 2:] - turned[:, :2]
    squared = (by_inverse**2).sum(axis=1)
    usable = squared > 0.0
    found = (by_inverse * moved).sum(axis=1)[usable] / squared[usable]
    return found / ours[usable], np.sqrt(squared[usable])
