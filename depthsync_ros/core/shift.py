"""The disparity that an affine-invariant model leaves out: where infinity lies."""

from dataclasses import dataclass, replace

import numpy as np

from depthsync_ros.core.errors import PoseError
from depthsync_ros.core.poses import PoseLimits, Sightings, solve_poses

OCTAVES = np.arange(-3.0, 4.0)  # candidates around the prior, in powers of two
MIN_GAIN = 0.05  # share of the prior's error that the best candidate must save


@dataclass(frozen=True)
class Shift:
    """
    The constant added to global disparity before it is inverted.

    observed says that the camera's motion told it; otherwise it is the prior.
    """

    value: float
    observed: bool


def to_depth(disparity: np.ndarray, shift: float) -> np.ndarray:
    """
    Invert global disparity to depth; NaN where the sum is not clearly positive.

    >>> to_depth(np.array([0.75, -0.25]), 0.25).tolist()
    [1.0, nan]
    """
    total = np.asarray(disparity) + shift
    with np.errstate(divide='ignore'):
        return np.where(total > 1e-3, 1.0 / total, np.nan).astype(total.dtype)


def find_shift(seen: Sightings, disparity: np.ndarray, prior: float, limits: PoseLimits) -> Shift:
    """
    Search the shift under which the tracks reproject best; a wrong one bends every plane.

    Without parallax every shift explains the tracks alike, and the prior stays.

    Shapes: disparity (frames, points), the global disparity at each sighting.
    """
    candidates = prior * 2.0**OCTAVES
    errors = np.array([_error(seen, disparity, candidate, limits) for candidate in candidates])
    middle = len(OCTAVES) // 2
    best = int(np.argmin(errors))
    if not np.isfinite(errors[middle]) or errors[best] > (1.0 - MIN_GAIN) * errors[middle]:
        return Shift(prior, observed=False)
    # A float of Python's: numpy's would turn every depth image into float64.
    value = float(prior * 2.0 ** (OCTAVES[best] + _vertex(errors, best)))
    return Shift(value, observed=True)


def _error(seen: Sightings, disparity: np.ndarray, shift: float, limits: PoseLimits) -> float:
    """Give the mean reprojection error of a shift in pixels, each track's capped."""
    try:
        poses = solve_poses(replace(seen, depth=to_depth(disparity, shift)), limits)
    except PoseError:
        return float('inf')
    return poses.capped_error_px if poses.posed.all() else float('inf')


def _vertex(errors: np.ndarray, best: int) -> float:
    """Give the offset of the parabola's minimum through the best candidate's neighbours."""
    if best in (0, len(errors) - 1) or not np.isfinite(errors[best - 1 : best + 2]).all():
        return 0.0
    left, middle, right = errors[best - 1 : best + 2]
    curvature = left - 2.0 * middle + right
    return float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)) if curvature > 0 else 0.0
