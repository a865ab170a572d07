"""How many metres the run's unit is: observations in, one slowly moving scale out."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np

from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.shapes import Covariance, Transform

MIN_TRANSLATION_M = 0.03  # of the camera within a window; less is odometry's own noise
LONG_SHARE = 0.3  # of a window's longest translation: shorter pairs are left out
MIN_COSINE = 0.7  # between a pair's two translations; less, and they are not the same motion
MIN_PAIRS = 3
PAIR_NOISE_M = 0.003  # of odometry between two frames
WINDOW_SIGMA = 0.05  # relative error of a window's own translation, whatever its pairs say
INDEPENDENT = 10  # regions of a window whose errors are independent: a network's are smooth
MEMORY = 64  # windows that the scale rests on
DRIFT = 0.02  # how far the run's unit wanders from window to window, as on rendered rooms
HUBER = 1.345  # standard deviations: 95 % efficiency on Gaussian residuals
ROUNDS = 10
MAX_STEP = 0.003  # relative change from one frame to the next: below depth's noise
DIGITS = 6  # of the scale's logarithm: roundings of a tf library never reach the depth


@dataclass(frozen=True)
class Observation:
    """What one window says of log(metres / run's unit), with its standard deviation."""

    log_scale: float
    sigma: float


@dataclass(frozen=True)
class Estimate:
    """
    The run's scale as far as it is known.

    Units: scale in metres per run's unit; uncertainty is its relative standard deviation, inf
        where nothing was observed.
    """

    scale: float = math.nan
    uncertainty: float = math.inf


def compare_translations(
    world_T_cam: Sequence[Transform | None], odom_T_cam: Sequence[Transform | None]
) -> Observation:
    """
    Compare derived with measured camera translation over a window.

    All pairs of frames that are far enough apart vote with log(measured / derived), each
    with the weight of its length; the weighted median wins. A pair whose two translations point in
    different directions, seen from its first camera, has slipped and has no vote.

    Units: world_T_cam in the run's unit, odom_T_cam in metres. None where there is no pose.

    :raises ScaleError: too few frames have both poses, the camera stands, or the two disagree.
    """
    both = [
        (ours, theirs)
        for ours, theirs in zip(world_T_cam, odom_T_cam, strict=True)
        if ours is not None and theirs is not None
    ]
    if len(both) < MIN_PAIRS:
        raise ScaleError(
            f'{len(both)} frames of the window have a derived and a measured pose, {MIN_PAIRS} '
            'are needed; check that tf connects the odometry frame with the camera'
        )
    derived, measured = (_translations(np.stack(poses)) for poses in zip(*both, strict=True))
    length, length_m = np.linalg.norm(derived, axis=1), np.linalg.norm(measured, axis=1)
    longest_m = float(length_m.max())
    if longest_m < MIN_TRANSLATION_M:
        raise ScaleError(
            f'the camera moved {1e3 * longest_m:.0f} mm by odometry, '
            f'{1e3 * MIN_TRANSLATION_M:.0f} mm within a window are needed'
        )
    cosine = (derived * measured).sum(axis=1) / np.maximum(length * length_m, 1e-12)
    agreeing = (length_m > LONG_SHARE * longest_m) & (cosine > MIN_COSINE)
    if (
        agreeing.sum() < MIN_PAIRS
        or 2 * agreeing.sum() < (length_m > LONG_SHARE * longest_m).sum()
    ):
        raise ScaleError(
            'derived and measured motion point in different directions: wheels slip, the view '
            "moves, or the robot's extrinsics are wrong"
        )
    votes = np.log(length_m[agreeing] / length[agreeing])
    middle = weighted_median(votes, length_m[agreeing])
    spread = 1.4826 * float(np.median(np.abs(votes - middle)))
    return Observation(middle, math.hypot(WINDOW_SIGMA, spread, PAIR_NOISE_M / longest_m))


def combine(observations: Sequence[Observation]) -> Estimate:
    """
    Find what the scale is now, from observations in log space, oldest first.

    The unit of a run wanders from window to window: the scale is a random walk that the
    observations are scattered around, outliers losing their say.

    Source: Rauch, Tung and Striebel 1965, the smoother of a random walk, solved as least squares;
    iteratively re-weighted with Huber's weights.
    """
    if not observations:
        return Estimate()
    values = np.array([one.log_scale for one in observations])
    precision = np.array([one.sigma for one in observations]) ** -2
    say, scatter, walk, sigma = precision, 1.0, values, math.inf
    for _ in range(ROUNDS):
        information = np.diag(say) + _wandering(len(values))
        walk = np.linalg.solve(information, say * values)
        sigma = math.sqrt(np.linalg.inv(information)[-1, -1])
        off = np.abs(values - walk) * np.sqrt(precision)
        scatter = max(1.4826 * float(np.median(off)), 1.0)  # what the windows did not admit
        say = precision / np.maximum(off / (HUBER * scatter), 1.0)
    return Estimate(math.exp(round(float(walk[-1]), DIGITS)), scatter * sigma)


def _wandering(count: int) -> np.ndarray:
    """Give the quadratic form of a random walk's steps, (count, count)."""
    steps = np.diff(np.eye(count), axis=0)
    form: np.ndarray = steps.T @ steps / DRIFT**2
    return form


class MetricScale:
    """
    The scale that depth, or camera positions, leave with; None until it is known.

    It is known once its uncertainty is below a limit, and stays so. From then on it follows the
    estimate by at most MAX_STEP a frame. Positions are summed up from scaled steps, so that a
    change of scale far from the world's origin moves nothing that has left.
    """

    def __init__(self, max_uncertainty: float) -> None:
        self._max_uncertainty = max_uncertainty
        self._seen: deque[Observation] = deque(maxlen=MEMORY)
        self.estimate = Estimate()
        self.scale: float | None = None
        self._last: np.ndarray | None = None  # of the last posed frame, in the run's unit
        self._position_m = np.zeros(3)

    def observe(self, observation: Observation) -> None:
        """Take what a window says."""
        self._seen.append(observation)
        self.estimate = combine(self._seen)
        if self.scale is None and self.estimate.uncertainty <= self._max_uncertainty:
            self.scale = self.estimate.scale

    def step(self) -> float | None:
        """Go on to the next frame and give its scale."""
        if self.scale is not None:
            change = math.log(self.estimate.scale / self.scale)
            self.scale *= math.exp(min(max(change, -MAX_STEP), MAX_STEP))
        return self.scale

    def place(self, world_T_cam: Transform) -> Transform:
        """Scale a pose's translation along with the frame's depth."""
        position = world_T_cam[:3, 3]
        if self.scale is None:
            return world_T_cam
        if self._last is None:
            self._position_m = self.scale * position
        else:
            self._position_m = self._position_m + self.scale * (position - self._last)
        self._last = position.copy()
        placed = world_T_cam.copy()
        placed[:3, 3] = self._position_m
        return placed

    def spread(self, covariance: Covariance) -> Covariance:
        """Scale a pose's covariance as `place` scales the pose; the scale's own error apart."""
        units = np.array([self.scale or 1.0] * 3 + [1.0] * 3)
        scaled: Covariance = covariance * np.outer(units, units)
        return scaled


def _translations(a_T_cam: Transform) -> np.ndarray:
    """Give the translation of every pair of frames in the first one's axes, (pairs, 3)."""
    first, second = np.triu_indices(len(a_T_cam), 1)
    moved = a_T_cam[second, :3, 3] - a_T_cam[first, :3, 3]
    translations: np.ndarray = np.einsum('pji,pj->pi', a_T_cam[first, :3, :3], moved)
    return translations


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Give the value on either side of which lies half of the weight."""
    order = np.argsort(values, kind='stable')
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2.0)])
