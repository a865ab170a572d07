"""Putting a window's disparity on the run's scale."""

from dataclasses import dataclass, replace

import numpy as np

from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.shapes import Map, Maps

TUKEY = 4.685  # in robust standard deviations: 95 % efficiency on Gaussian residuals
ROUNDS = 8
MAX_PIXELS = 20000  # neighbouring pixels say the same; more only cost time
EVIDENCE_SAY = 4.0  # of placed points, beside the overlap's pixels
# How far placed points may raise the overlap's residual: three times, and by 0.05. Where they
# want more they have lost the run's unit, and following them would lose it for good.
WORSE_TIMES, WORSE_BY = 3.0, 0.05
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)  # of the way to what placed points want; 0 always can be
POINT_ERROR = 0.1  # relative error of a point's depth that is never taken for an outlier's
MIN_CONCORDANCE = 0.1  # Kendall's tau below which two windows do not show the same thing


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


@dataclass(frozen=True, eq=False)
class Placed:
    """
    Sightings whose depth in the run is known beside the overlap's pixels.

    Shapes: own, inverse_depth, weights (sightings,).
    """

    own: np.ndarray
    inverse_depth: np.ndarray
    weights: np.ndarray


NO_SEAM = Seam(Gauge(), 0, float('nan'), float('nan'))


def fit_seam(reference: Maps, moving: Maps, previous: Gauge, *, min_pixels: int) -> Seam:
    """
    Fit the gauge that takes a window's disparity onto what is known of the same frames.

    Both sides carry the network's error, so the line is fitted symmetrically: ordinary least
    squares would shrink the scale a little at every window, and a long video to nothing.

    Shapes: both (frames, height, width), the frames of the overlap. NaN marks an invalid pixel.
    Source: Deming 1943 for the line, with Tukey's biweight re-estimated (IRLS).

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
    thin = slice(None, None, -(-pixels // MAX_PIXELS))
    x, y = moving[valid][thin].astype(np.float64), reference[valid][thin].astype(np.float64)
    gauge = _refine(x, y, _start(x, y))
    extent = float(np.ptp(np.percentile(y, (2.0, 98.0))))

    def residual(candidate: Gauge) -> float:
        return float(np.median(np.abs(candidate.to_global(x) - y)) / extent)

    return Seam(gauge, pixels, residual(previous), residual(gauge))


def weigh_in(seam: Seam, reference: Maps, moving: Maps, placed: Placed, shift: float) -> Seam:
    """
    Move the gauge to where the overlap's pixels and placed points want it, by their say.

    Neighbouring pixels of the overlap share their error; placed points reach over the whole
    window and back to earlier ones, and have four times its say. Each side has its own line:
    in one robust fit of both, the side that agrees better with itself would make outliers of
    the other, and an overlap always agrees with the error that it hands on. They move it no
    farther than the overlap can bear.

    Shapes: as for `fit_seam`, which has to come first.

    :param shift: the run's, which is inverse depth less disparity.
    :raises AlignmentError: the points' depth and the window's do not rise together.
    """
    valid = np.isfinite(reference) & np.isfinite(moving)
    thin = slice(None, None, -(-seam.pixels // MAX_PIXELS))
    x, y = moving[valid][thin].astype(np.float64), reference[valid][thin].astype(np.float64)
    say = placed.weights * (EVIDENCE_SAY * len(x) / placed.weights.sum())
    wanted = _between(seam.gauge, _moments(x), _line_of(placed, shift), _moments(placed.own, say))
    extent = float(np.ptp(np.percentile(y, (2.0, 98.0))))
    limit = WORSE_TIMES * seam.residual_after + WORSE_BY
    for share in SHARES:
        gauge = _toward(seam.gauge, wanted, share)
        residual = float(np.median(np.abs(gauge.to_global(x) - y)) / extent)
        if residual <= limit:
            break
    return replace(seam, gauge=gauge, residual_after=residual)


def cross_fade(earlier: Map, later: Map, position: int, count: int) -> Map:
    """
    Blend one of `count` shared frames from its earlier to its later window's value.

    >>> [float(cross_fade(np.zeros(1), np.ones(1), i, 3)[0]) for i in range(3)]
    [0.25, 0.5, 0.75]
    """
    share = (position + 1) / (count + 1)
    return ((1.0 - share) * earlier + share * later).astype(np.float32)


def regress(placed: Placed) -> Gauge:
    """
    Fit the line that tells points' inverse depth best from a window's own disparity.

    Least squares, unlike `fit_seam`: the noise of triangulated points would steepen a symmetric
    line, and a line too steep meets zero too early.

    :raises AlignmentError: the two do not rise together.
    """
    x, y = placed.own, placed.inverse_depth
    gauge = _start(x, y)
    for _ in range(ROUNDS):
        weights = _tukey(y - gauge.to_global(x), gauge.scale * float(np.std(x))) * placed.weights
        gauge = _least_squares(x, y, weights)
    return gauge


def _line_of(placed: Placed, shift: float) -> Gauge:
    """Fit the gauge that placed points want, symmetrically, by the relative error of depth."""
    x, total = placed.own, placed.inverse_depth
    y = total - shift
    gauge = _start(x, y)
    for _ in range(ROUNDS):
        apart = (y - gauge.to_global(x)) / total
        deviation = max(1.4826 * float(np.median(np.abs(apart))), POINT_ERROR)
        weights = np.clip(1.0 - (apart / (TUKEY * deviation)) ** 2, 0.0, None) ** 2
        gauge = _deming(x, y, weights * placed.weights / total**2)
    return gauge


def _moments(x: np.ndarray, say: np.ndarray | float = 1.0) -> np.ndarray:
    """Give the quadratic form of a line's values at some places: how much they fix it."""
    weights = np.broadcast_to(say, x.shape)
    mixed = (weights * x).sum()
    return np.array([[(weights * x * x).sum(), mixed], [mixed, weights.sum()]])


def _between(one: Gauge, fixed: np.ndarray, other: Gauge, anchored: np.ndarray) -> Gauge:
    """Find the line nearest to two others, by their forms."""
    wanted = fixed @ [one.scale, one.shift] + anchored @ [other.scale, other.shift]
    scale, shift = np.linalg.solve(fixed + anchored, wanted)
    return Gauge(float(scale), float(shift))


def _toward(start: Gauge, end: Gauge, share: float) -> Gauge:
    scale = start.scale + share * (end.scale - start.scale)
    return Gauge(scale, start.shift + share * (end.shift - start.shift))


def _refine(x: np.ndarray, y: np.ndarray, gauge: Gauge) -> Gauge:
    """Fit the line with Tukey's biweight, from a first guess."""
    for _ in range(ROUNDS):
        weights = _tukey(y - gauge.to_global(x), gauge.scale * float(np.std(x)))
        gauge = _deming(x, y, weights)
    return gauge


def _tukey(residual: np.ndarray, unit: float) -> np.ndarray:
    deviation = 1.4826 * np.median(np.abs(residual)) + 1e-6 * unit
    weights: np.ndarray = np.clip(1.0 - (residual / (TUKEY * deviation)) ** 2, 0.0, None) ** 2
    return weights


def _start(x: np.ndarray, y: np.ndarray) -> Gauge:
    """
    Find a first line by medians over pairs of pixels, which a fifth of outliers does not carry.

    Source: Kendall 1938 for the concordance.
    """
    order = np.random.default_rng(0).permutation(len(x))
    step_x, step_y = x - x[order], y - y[order]
    concordance = float(np.mean(np.sign(step_x) * np.sign(step_y)))
    median_x, median_y = float(np.median(np.abs(step_x))), float(np.median(np.abs(step_y)))
    if min(median_x, median_y) < 1e-6 or concordance < MIN_CONCORDANCE:
        raise AlignmentError(
            f'in the overlap of two windows disparity varies by {median_y:.2g} and '
            f'{median_x:.2g} with a concordance of {concordance:.2f} ({MIN_CONCORDANCE} is '
            'needed): there is no positive scale between them; check the image for a cut, a '
            'blank view or a covered lens'
        )
    scale = median_y / median_x
    return Gauge(scale, float(np.median(y - scale * x)))


def _deming(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Gauge:
    """Fit the line whose noise has the same share of the spread on both axes."""
    mean_x, mean_y = _mean(x, weights), _mean(y, weights)
    spread_x = (weights * (x - mean_x) ** 2).sum()
    spread_y = (weights * (y - mean_y) ** 2).sum()
    scale = float(np.sqrt(spread_y / spread_x))
    return Gauge(scale, mean_y - scale * mean_x)


def _least_squares(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Gauge:
    """Fit the line that takes all noise to be on y."""
    mean_x, mean_y = _mean(x, weights), _mean(y, weights)
    spread = (weights * (x - mean_x) ** 2).sum()
    scale = float((weights * (x - mean_x) * (y - mean_y)).sum() / spread)
    return Gauge(scale, mean_y - scale * mean_x)


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    # Sums, not dot products: their order does not depend on the number of threads.
    return float((weights * values).sum() / weights.sum())
