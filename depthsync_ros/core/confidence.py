"""Where a depth image is least to be trusted: at its own edges."""

import cv2
import numpy as np

from depthsync_ros.core.shapes import Map
from depthsync_ros.core.tracks import REFERENCE_WIDTH

REACH_PX = 2.5  # of an image 320 wide: how far the network's edges bleed
HALF = 0.02  # relative change of depth per such pixel at which confidence is one half


def edge_confidence(depth: Map) -> Map:
    """
    Say how far each pixel is from a step in depth, where the fore- and the background mix.

    1 where depth is level, falling towards 0 where it changes fast within a few pixels; NaN
    where depth is unknown. It ranks pixels, and is no probability. It knows nothing of errors
    that whole surfaces or windows share, which are the larger part.

    Shapes: depth (height, width), NaN unknown; the result is float32 of the same.
    """
    scale = depth.shape[1] / REFERENCE_WIDTH
    known = np.isfinite(depth) & (depth > 0.0)
    logarithm = np.log(np.where(known, depth, np.nan))
    steps = _steps(logarithm, axis=1) + _steps(logarithm, axis=0)
    change = cv2.GaussianBlur(steps * np.float32(scale), (0, 0), REACH_PX * scale)
    confidence: Map = np.where(known, 1.0 / (1.0 + change / HALF), np.nan).astype(np.float32)
    return confidence


def _steps(values: np.ndarray, axis: int) -> np.ndarray:
    """Give the mean absolute step to both neighbours; none to what is NaN."""
    step = np.nan_to_num(np.abs(np.diff(values, axis=axis)))
    before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
    before[axis], after[axis] = (1, 0), (0, 1)
    mean: np.ndarray = (np.pad(step, before) + np.pad(step, after)) / 2.0
    return mean
