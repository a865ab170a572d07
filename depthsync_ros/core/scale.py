"""Putting a window's disparity on the run's scale."""

from dataclasses import dataclass

from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.shapes import Map, Maps
import numpy as np

HUBER = 1.345  # in robust standard deviations: 95 % efficiency on Gaussian residuals
ROUNDS = 12


@dataclass(frozen=True)
class Gauge:
    """
    Where a window's own disparity d in [0, 1] lies in the run's global disparity D.

    D = scale * d + shift. It lives outside the latents, one a window, so that a nearer object
    in a later window needs no d above 1.
    """

    scale: float = 1.0
    shift: float = 0.0

    def to_global(self, disparity: Maps) -> Maps:
        """Take a window's disparity into the run's."""
        return self.scale * disparity + self.shift


@dataclass(frozen=True)
class Seam:
    """
    How a window was joined to its predecessors.

    Units: the residuals are medians of |D - reference| / range of the reference; `before` with
        the predecessor's gauge, `after` with the fitted one.
    """

    gauge: Gauge
    pixels: int
    residual_before: float
    residual_after: float


NO_SEAM = Seam(Gauge(), 0, float('nan'), float('nan'))


def fit_seam(reference: Maps, moving: Maps, previous: Gauge, *, min_pixels: int) -> Seam:
    """
    Fit the gauge that takes a window's disparity onto what is known of the same frames.

    Both sides carry the network's error, so the line is fitted symmetrically: ordinary least
    squares would shrink the scale a little at every window, and a long video to nothing.

    Shapes: both (frames, height, width), the frames of the overlap. NaN marks an invalid pixel.
    Source: Deming 1943 for the line, with Huber weights re-estimated (IRLS).

    :raises AlignmentError: too few pixels are valid in both, one side is constant, or the two
        do not rise together.
    """
    valid = np.isfinite(reference) & np.isfinite(moving)
    pixels = int(valid.sum())
    if pixels < min_pixels:
        raise AlignmentError(
            f'{pixels} of {valid.size} overlap pixels are valid in both windows, {min_pixels} '
            'are needed; widen window.overlap or check the image for large masked areas'
        )
    x, y = moving[valid].astype(np.float64), reference[valid].astype(np.float64)
    gauge = _fit_line(x, y)
    extent = float(np.ptp(np.percentile(y, (2.0, 98.0))))

    def residual(candidate: Gauge) -> float:
        return float(np.median(np.abs(candidate.to_global(x) - y)) / extent)

    return Seam(gauge, pixels, residual(previous), residual(gauge))


def cross_fade(earlier: Map, later: Map, position: int, count: int) -> Map:
    """
    Blend one of `count` shared frames from its earlier to its later window's value.

    >>> [float(cross_fade(np.zeros(1), np.ones(1), i, 3)[0]) for i in range(3)]
    [0.25, 0.5, 0.75]
    """
    share = (position + 1) / (count + 1)
    return ((1.0 - share) * earlier + share * later).astype(np.float32)


def _fit_line(x: np.ndarray, y: np.ndarray) -> Gauge:
    weights = np.ones_like(x)
    gauge = Gauge()
    for _ in range(ROUNDS):
        gauge = _deming(x, y, weights)
        residual = np.abs(y - gauge.to_global(x))
        deviation = 1.4826 * np.median(residual) + 1e-9
        weights = np.minimum(1.0, HUBER * deviation / np.maximum(residual, 1e-12))
    return gauge


def _deming(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Gauge:
    """Fit the line whose noise has the same share of the spread on both axes."""
    total = weights.sum()
    mean_x, mean_y = (weights @ x) / total, (weights @ y) / total
    spread_x = weights @ (x - mean_x) ** 2 / total
    spread_y = weights @ (y - mean_y) ** 2 / total
    together = weights @ ((x - mean_x) * (y - mean_y)) / total
    if min(spread_x, spread_y) < 1e-10 or together <= 0.0:
        raise AlignmentError(
            f'the overlap of two windows has variances {spread_y:.2g} and {spread_x:.2g} and '
            f'covariance {together:.2g}: there is no positive scale between them; check the '
            'image for a cut, a blank view or a covered lens'
        )
    scale = float(np.sqrt(spread_y / spread_x))
    return Gauge(scale, float(mean_y - scale * mean_x))
