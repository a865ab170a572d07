"""The disparity that an affine-invariant model leaves out: where infinity lies."""

from dataclasses import dataclass, replace

import numpy as np

from depthsync_ros.core.errors import PoseError
from depthsync_ros.core.poses import PoseLimits, Sightings, solve_poses
from depthsync_ros.core.tracks import REFERENCE_WIDTH

OCTAVES = np.arange(-3.0, 4.5, 0.5)  # candidates around the prior, in powers of two
OCTAVE = 2  # candidates
# By which half and twice the best must be worse, in an image 320 wide. Chosen in sight of windows
# of 7-Scenes and TUM RGB-D: results on those are not independent of it.
MIN_RISE_PX = 0.015
FRAMES = 8  # of a window, spread over it: the parallax is all there


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

    It counts as observed where half of it and twice of it explain the tracks clearly worse.
    Without parallax every shift explains them alike, and the prior stays. Noisy depth makes
    the found shift too large: it flattens the scene, and with it the noise.

    Shapes: disparity (frames, points), the global disparity at each sighting.
    """
    rows = np.unique(np.linspace(0, len(disparity) - 1, FRAMES).round().astype(int))
    fewer = replace(seen, rays=seen.rays[rows], depth=seen.depth[rows], visible=seen.visible[rows])
    candidates = prior * 2.0**OCTAVES
    errors = np.array([_error(fewer, disparity[rows], one, limits) for one in candidates])
    best = int(np.argmin(errors))
    around = errors[best - OCTAVE : best + OCTAVE + 1] if best >= OCTAVE else errors[:0]
    if len(around) <= 2 * OCTAVE or not np.isfinite(around).all():
        return Shift(prior, observed=False)
    if min(around[0], around[-1]) < errors[best] + MIN_RISE_PX * seen.width / REFERENCE_WIDTH:
        return Shift(prior, observed=False)
    octaves = OCTAVES[best] + _vertex(errors, best) / OCTAVE
    return Shift(float(prior * 2.0**octaves), observed=True)


def _error(seen: Sightings, disparity: np.ndarray, shift: float, limits: PoseLimits) -> float:
    """Give the mean reprojection error of a shift in pixels, each track's capped."""
    try:
        poses = solve_poses(replace(seen, depth=to_depth(disparity, shift)), limits)
    except PoseError:
        return float('inf')
    return poses.capped_error_px if poses.posed.all() else float('inf')


def _vertex(errors: np.ndarray, best: int) -> float:
    """Give the offset of the parabola's minimum through the best candidate's neighbours."""
    left, middle, right = errors[best - 1 : best + 2]
    curvature = max(left - 2.0 * middle + right, 1e-9)  # zero where all three are equal
    return float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5))
