"""How far predicted depth is from the truth, after an alignment that is said."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.scale import cross_fade
from depthsync_ros.core.shapes import Maps
from depthsync_ros.evaluation.windows import SeenWindow

MIN_DISPARITY = 1e-3  # predicted and aligned disparity, DepthCrafter's floor
MIN_DEPTH_M = 1e-3
# Of AbsRel: half of the last digit that tables print is then 5 % of the share at most.
MIN_DRIFT = 0.01
DELTA = 1.25
LN10 = float(np.log(10.0))
THIN = 4  # every fourth pixel, both ways, is enough for a median
ALIGNMENTS = ('video', 'scale', 'window', 'none')


@dataclass(frozen=True)
class Affine:
    """Disparity of a prediction to disparity of the truth: scale * d + shift."""

    scale: float
    shift: float


@dataclass(frozen=True)
class DepthErrors:
    """
    Errors of a video's depth, averaged over each frame's valid pixels, then over frames.

    Units: rmse_m metres; the others are ratios, shares, and decades (log10).
    """

    absrel: float
    delta1: float
    delta2: float
    delta3: float
    rmse_m: float
    log10: float


def to_size(disparity: Maps, height: int, width: int) -> Maps:
    """Resize each frame's disparity to the truth's size, linearly."""
    if disparity.shape[1:] == (height, width):
        return disparity
    return np.stack([cv2.resize(one, (width, height)) for one in disparity])


def known(truth_m: np.ndarray, max_depth_m: float) -> np.ndarray:
    """Say where the truth can be scored against; invalid truth is 0 or NaN."""
    return (truth_m > MIN_DEPTH_M) & (truth_m < max_depth_m)


def fit_affine(
    disparity: Maps, truth_m: Maps, max_depth_m: float, *, with_shift: bool = True
) -> Affine:
    """
    Fit one scale and shift by least squares in disparity, over all frames at once.

    Unknown (NaN) disparity counts as the floor: a method gains nothing by leaving out what is
    hard.

    Source: DepthCrafter (arXiv:2409.02095), evaluation protocol.

    :raises InputError: no pixel of the truth is valid.
    """
    count, offset = 0, float(np.nan_to_num(disparity[0], nan=0.0).mean()) if with_shift else 0.0
    sums = np.zeros(4)  # x, y, xx, xy; x is taken from an offset, for the sake of precision
    for one, truth in zip(disparity, truth_m, strict=True):
        valid = known(truth, max_depth_m)
        x = _floored(one[valid]).astype(np.float64) - offset
        y = 1.0 / truth[valid].astype(np.float64)
        count += len(x)
        # Not x @ x: its threads cost more than they bring for a frame.
        sums += (x.sum(), y.sum(), np.einsum('i,i', x, x), np.einsum('i,i', x, y))
    if not count:
        raise InputError(
            f'no pixel of the true depth lies between {MIN_DEPTH_M} and {max_depth_m} m: check '
            "the dataset's depth unit and maximum depth"
        )
    if not with_shift:
        return Affine(float(sums[3] / sums[2]), 0.0)
    mean_x, mean_y, mean_xx, mean_xy = sums / count
    spread = mean_xx - mean_x**2
    if spread <= 1e-12 * max(mean_xx, MIN_DISPARITY**2):
        return Affine(0.0, float(mean_y))  # a constant prediction: every scale fits alike
    scale = (mean_xy - mean_x * mean_y) / spread
    return Affine(float(scale), float(mean_y - scale * (mean_x + offset)))


def apply_affine(affine: Affine, disparity: Maps, max_depth_m: float) -> Maps:
    """
    Turn disparity into depth in metres, clipped as the protocol says.

    Source: DepthCrafter (arXiv:2409.02095), evaluation protocol.
    """
    depth = np.empty_like(disparity)
    number = disparity.dtype.type
    for one, out in zip(disparity, depth, strict=True):  # a frame at a time stays in the cache
        np.fmax(one, number(MIN_DISPARITY), out=out)
        np.multiply(out, number(affine.scale), out=out)
        np.add(out, number(affine.shift), out=out)
        np.maximum(out, number(MIN_DISPARITY), out=out)
        np.divide(1.0, out, out=out)
        np.clip(out, number(MIN_DEPTH_M), number(max_depth_m), out=out)
    return depth


def align(
    disparity: Maps,
    truth_m: Maps,
    max_depth_m: float,
    how: str = 'video',
    windows: Sequence[SeenWindow] = (),
    *,
    kind: str = 'disparity',
) -> Maps:
    """
    Put a predicted video on the truth's scale and give its depth in metres.

    'video' fits one scale and shift for all frames, 'scale' one scale, 'window' a scale and
    shift for the frames each window sees first, 'none' takes the prediction as it is.

    kind says what the values are: 'disparity' or 'depth', each up to a scale and shift and
    fitted as what it is, or 'metric' depth, which is never fitted.

    Shapes: disparity and truth_m (frames, height, width), of one size; see `to_size`.

    :raises InputError: nothing can be fitted, or the windows leave out frames.
    """
    if kind != 'disparity':
        return _align_depth(disparity, truth_m, max_depth_m, how, kind)
    if how == 'window':
        return _align_windows(disparity, truth_m, max_depth_m, windows)
    if how == 'none':
        affine = Affine(1.0, 0.0)
    elif how in ALIGNMENTS:
        affine = fit_affine(disparity, truth_m, max_depth_m, with_shift=how == 'video')
    else:
        raise InputError(f'alignment {how!r} is none of {", ".join(ALIGNMENTS)}')
    return apply_affine(affine, disparity, max_depth_m)


def depth_errors(depth_m: Maps, truth_m: Maps, max_depth_m: float) -> DepthErrors:
    """
    Score aligned depth, frame by frame; frames without any valid truth are left out.

    Source: DepthCrafter (arXiv:2409.02095), evaluation protocol.

    :raises InputError: no frame has valid truth.
    """
    return mean_errors(frame_errors(depth_m, truth_m, max_depth_m), max_depth_m)


def mean_errors(rows: np.ndarray, max_depth_m: float) -> DepthErrors:
    """
    Average the errors of frames; those without any valid truth (NaN) are left out.

    :raises InputError: no frame has valid truth.
    """
    rows = rows[np.isfinite(rows[:, 0])]
    if not len(rows):
        raise InputError(
            f'no frame has true depth below {max_depth_m} m: check the depth unit of the dataset'
        )
    return DepthErrors(*(float(value) for value in np.mean(rows, axis=0)))


def frame_errors(depth_m: Maps, truth_m: Maps, max_depth_m: float) -> np.ndarray:
    """
    Give the errors of each frame, in the order of DepthErrors; NaN where the truth is empty.

    Shapes: (frames, 6).
    """
    rows = np.full((len(depth_m), len(fields(DepthErrors))), np.nan)
    for row, depth, truth in zip(rows, depth_m, truth_m, strict=True):
        valid = known(truth, max_depth_m)
        if valid.any():
            row[:] = _frame_errors(depth[valid], truth[valid])
    return rows


def oracle_depth(
    own: Sequence[Maps], windows: Sequence[SeenWindow], truth_m: Maps, max_depth_m: float
) -> Maps:
    """
    Give the depth a network knows: every window under its own best scale and shift.

    Frames leave with the windows, and fade from one to the next, as in the pipeline.

    Shapes: own holds one (frames, rows, cols) a window, its raw disparity at any size.

    :raises InputError: a frame is in no window.
    """
    blended = np.empty(truth_m.shape, np.float32)
    seen = np.zeros(len(truth_m), bool)
    for raw, window in zip(own, windows, strict=True):
        disparity = to_size(raw, *truth_m.shape[1:])
        affine = fit_affine(disparity, truth_m[list(window.frames)], max_depth_m)
        shared = [i for i in window.frames if i >= window.first_out and seen[i]]
        for i, one in zip(window.frames, disparity, strict=True):
            if seen[i] and i not in shared:
                continue
            later = affine.scale * _floored(one) + affine.shift
            if i in shared:
                later = cross_fade(blended[i], later, shared.index(i), len(shared))
            blended[i] = later
        seen[list(window.frames)] = True
    _check_covered(seen)
    return apply_affine(Affine(1.0, 0.0), blended, max_depth_m)


def drift_removed(baseline: float, ours: float, oracle: float) -> float | None:
    """
    Give the share of the drift error that a strategy removes.

    None where the baseline drifts by less than MIN_DRIFT: a share of next to nothing is noise.

    >>> drift_removed(0.20, 0.14, 0.10)
    0.6
    >>> drift_removed(0.105, 0.09, 0.10) is None
    True
    """
    drift = baseline - oracle
    return round((baseline - ours) / drift, 12) if drift >= MIN_DRIFT else None


def window_scales(
    depth_m: Maps, truth_m: Maps, max_depth_m: float, windows: Sequence[SeenWindow]
) -> np.ndarray:
    """
    Give each window's own scale: the median of depth over truth, after the video's alignment.

    One for every window is a video without drift; NaN where a window has no truth.
    """
    scales = np.full(len(windows), np.nan)
    for k, window in enumerate(windows):
        thin = np.s_[list(window.frames), ::THIN, ::THIN]
        depth, truth = depth_m[thin], truth_m[thin]
        valid = known(truth, max_depth_m)
        if valid.any():
            scales[k] = np.median(depth[valid] / truth[valid])
    return scales


def scale_drift(scales: np.ndarray) -> float:
    """Give the spread of the windows' scales: the standard deviation of their logarithms."""
    return float(np.nanstd(np.log(scales)))


def as_row(errors: DepthErrors) -> dict[str, float]:
    """Name the errors for a table."""
    return {field.name: getattr(errors, field.name) for field in fields(errors)}


def _align_windows(
    disparity: Maps, truth_m: Maps, max_depth_m: float, windows: Sequence[SeenWindow]
) -> Maps:
    depth = np.empty_like(disparity)
    seen = np.zeros(len(disparity), bool)
    for window in windows:
        whole = list(window.frames)
        new = [i for i in whole if not seen[i]]
        affine = fit_affine(disparity[whole], truth_m[whole], max_depth_m)
        depth[new] = apply_affine(affine, disparity[new], max_depth_m)
        seen[whole] = True
    _check_covered(seen)
    return depth


def _check_covered(seen: np.ndarray) -> None:
    if not seen.all():
        raise InputError(
            f'the windows cover {np.count_nonzero(seen)} of {len(seen)} frames; alignment by '
            'windows, and their oracle, need all of them'
        )


def _align_depth(depth: Maps, truth_m: Maps, max_depth_m: float, how: str, kind: str) -> Maps:
    """Align predicted depth, not disparity: in depth, where its scale and shift are."""
    if kind not in {'depth', 'metric'} or how == 'window':
        raise InputError(
            f'predictions of kind {kind!r} cannot be aligned by {how!r}; kinds are disparity, '
            'depth and metric, and windows are fitted in disparity alone'
        )
    farthest = np.nan_to_num(depth, nan=max_depth_m, posinf=max_depth_m)
    if how != 'none' and kind == 'depth':
        inverse = 1.0 / np.where(known(truth_m, max_depth_m), truth_m, np.nan)
        affine = fit_affine(farthest, inverse, 1.0 / MIN_DEPTH_M, with_shift=how == 'video')
        farthest = affine.scale * farthest + affine.shift
    return np.clip(farthest, MIN_DEPTH_M, max_depth_m).astype(depth.dtype)


def _floored(disparity: np.ndarray) -> np.ndarray:
    """Copy disparity with the unknown and the too far at the floor."""
    return np.fmax(disparity, disparity.dtype.type(MIN_DISPARITY))


def _frame_errors(depth: np.ndarray, truth: np.ndarray) -> tuple[float, ...]:
    difference = np.abs(depth - truth)
    ratio = depth / truth
    worst = np.maximum(ratio, 1.0 / ratio)
    size = len(truth)
    return (
        float((difference / truth).mean(dtype=np.float64)),
        np.count_nonzero(worst < DELTA) / size,
        np.count_nonzero(worst < DELTA**2) / size,
        np.count_nonzero(worst < DELTA**3) / size,
        float(np.sqrt((difference * difference).mean(dtype=np.float64))),
        float(np.log(worst).mean(dtype=np.float64)) / LN10,
    )
