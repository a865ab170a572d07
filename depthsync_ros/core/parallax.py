"""Depth against parallax: what tracked points say of metres where the camera's way is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import math

import numpy as np

from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.metric import INDEPENDENT, LONG_SHARE, Observation, weighted_median
from depthsync_ros.core.poses import Sightings
from depthsync_ros.core.rigid import invert
from depthsync_ros.core.shapes import Transform

MIN_VOTES = 100  # pairs of sightings; fewer say nothing of a window
MIN_SHARED = 10  # points that two frames must share to be compared
EPIPOLAR_NOISE = 0.001  # of tracking, on rays of length 1 along z
ROTATION_SHARE = 0.25  # of a pair's wrong rotation that is left in the median of all pairs


@dataclass(frozen=True, eq=False)
class Comparison:
    """
    What the points that two frames share say.

    Shapes: all (points,).
    Units: votes in metres' inverse over the run's; baselines in metres; along and across, how far
        a point went along its epipolar line and beside it, on rays of length 1 along z.
    """

    votes: np.ndarray
    baselines: np.ndarray
    along: np.ndarray
    across: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """The points' say: their baselines, less the farther all of them miss their lines."""
        return self.baselines / (EPIPOLAR_NOISE**2 + _middle(self.across) ** 2)

    @property
    def rotation_sigma(self) -> float:
        """The relative error of the votes that a rotation as wrong as the misses gives."""
        return math.hypot(EPIPOLAR_NOISE, _middle(self.across)) / max(_middle(self.along), 1e-9)


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

    A wrong rotation between two measured poses moves all points together. Along their epipolar
    lines it passes for parallax; across them nothing else moves a point of a still scene. So two
    frames' median distance from the lines says how far their votes may be trusted.

    Units: depth in the run's unit; odom_T_cam in metres, None where there is no pose; the result
        is of log(metres / run's unit).

    :raises ScaleError: too few points with parallax.
    """
    rows = [row for row, pose in enumerate(odom_T_cam) if pose is not None]
    poses = np.stack([pose for pose in odom_T_cam if pose is not None])
    directions = np.where(seen.visible[..., None], seen.rays, np.nan)[rows]
    inverse = 1.0 / seen.depth[rows]
    compared = [
        _compare(directions[first], directions[second], inverse[first], second_T_first)
        for first, second, second_T_first in _far_pairs(poses)
    ]
    compared = [one for one in compared if len(one.votes) >= MIN_SHARED]
    count = sum(len(one.votes) for one in compared)
    if count < MIN_VOTES:
        raise ScaleError(
            f'{count} pairs of sightings of tracked points in the window, {MIN_VOTES} are '
            'needed; the view has little texture or changes too fast'
        )
    vote = np.concatenate([one.votes for one in compared])
    weight = np.concatenate([one.weights for one in compared])
    middle = weighted_median(vote, weight)
    if middle <= 0.0:
        raise ScaleError(
            'by odometry most tracked points lie behind the camera: wheels slip, the view moves, '
            "or the robot's extrinsics are wrong"
        )
    spread = 1.4826 * weighted_median(np.abs(vote / middle - 1.0), weight)
    rotation = weighted_median(
        np.array([one.rotation_sigma for one in compared]),
        np.array([one.weights.sum() for one in compared]),
    )
    sigma = math.hypot(spread / math.sqrt(INDEPENDENT), ROTATION_SHARE * rotation)
    return Observation(-math.log(middle), sigma)


def _far_pairs(odom_T_cam: Transform) -> Iterator[tuple[int, int, Transform]]:
    """Give the pairs of frames that are far apart, in both directions, with second_T_first."""
    places = odom_T_cam[:, :3, 3]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    first, second = np.nonzero(apart > LONG_SHARE * apart.max())
    motions = invert(odom_T_cam[second]) @ odom_T_cam[first]
    yield from zip(first.tolist(), second.tolist(), motions, strict=True)


def _compare(
    first: np.ndarray, second: np.ndarray, inverse: np.ndarray, second_T_first: Transform
) -> Comparison:
    """Triangulate what two frames share, and hold it against our inverse depth in the first."""
    known = np.isfinite(first[:, 0]) & np.isfinite(second[:, 0]) & (inverse > 0.0)
    x, u, ours = first[known], second[known, :2], inverse[known]
    turned, t = x @ second_T_first[:3, :3].T, second_T_first[:3, 3]
    by_inverse = t[:2] - u * t[2]
    baseline = np.linalg.norm(by_inverse, axis=1)
    usable = baseline > 0.0
    line = by_inverse[usable] / baseline[usable, None]
    went = (u * turned[:, 2:] - turned[:, :2])[usable]
    along = (line * went).sum(axis=1)
    across = line[:, 0] * went[:, 1] - line[:, 1] * went[:, 0]
    votes = along / baseline[usable] / ours[usable]
    return Comparison(votes, baseline[usable], along, across)


def _middle(distances: np.ndarray) -> float:
    return float(np.median(np.abs(distances)))
