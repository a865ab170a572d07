"""Putting windows on one scale."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.scale import cross_fade, fit_seam, Gauge

SHAPE = (4, 20, 25)


def draw(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE)


@given(st.floats(0.2, 5.0), st.floats(-2.0, 2.0), st.integers(0, 5))
def test_affine_gauge_is_found_exactly(scale, shift, seed) -> None:
    moving = draw(seed)

    seam = fit_seam(scale * moving + shift, moving, Gauge(), min_pixels=100)

    # The weights' floor on the deviation is 1e-6; the fit itself is exact to rounding.
    assert seam.gauge.scale == pytest.approx(scale, rel=1e-9)
    assert seam.gauge.shift == pytest.approx(shift, abs=1e-9)
    assert seam.residual_after == pytest.approx(0.0, abs=1e-9)
    assert seam.pixels == moving.size


def test_forty_noisy_windows_keep_the_scale_that_least_squares_would_lose() -> None:
    noise_std, windows = 0.1, 40
    reliability = (1 / 12) / (1 / 12 + noise_std**2)  # variance of a uniform, of it with noise
    generator = np.random.default_rng(0)
    scale = least_squares = 1.0
    for _ in range(windows):
        truth = generator.random((4, 50, 60))
        reference = truth + noise_std * generator.normal(size=truth.shape)
        moving = truth + noise_std * generator.normal(size=truth.shape)
        scale *= fit_seam(reference, moving, Gauge(), min_pixels=100).gauge.scale
        (spread, together), _ = np.cov(moving.ravel(), reference.ravel())
        least_squares *= together / spread

    # Closed form: ordinary least squares shrinks by the reliability at every window.
    assert least_squares == pytest.approx(reliability**windows, rel=0.1)
    assert least_squares < 0.02
    # A window's scale has a standard error of about 0.4 %; forty of them, three times over.
    assert scale == pytest.approx(1.0, abs=3 * 0.004 * windows**0.5)


@pytest.mark.parametrize('outlier', [-1.0, 0.5, 3.0, 100.0])
def test_a_fifth_of_outliers_does_not_move_the_scale(outlier) -> None:
    generator = np.random.default_rng(1)
    moving = draw(0)
    reference = 1.7 * moving - 0.2 + 0.02 * generator.normal(size=SHAPE)
    reference[generator.random(SHAPE) < 0.2] = outlier

    seam = fit_seam(reference, moving + 0.02 / 1.7, Gauge(), min_pixels=100)

    # 0.5 lies amid the data: an outlier within the noise cannot be told from an inlier.
    assert seam.gauge.scale == pytest.approx(1.7, rel=0.03)


def test_invalid_pixels_have_no_say() -> None:
    moving = draw(0)
    reference = 2.0 * moving
    reference[0], moving[1, :5] = np.nan, np.nan

    seam = fit_seam(reference, moving, Gauge(), min_pixels=100)

    assert seam.gauge.scale == pytest.approx(2.0)
    assert seam.pixels == 3 * 20 * 25 - 5 * 25


def test_residuals_are_relative_to_the_references_range() -> None:
    moving = draw(0)

    seam = fit_seam(10.0 * moving, moving, Gauge(10.0, 1.0), min_pixels=100)

    assert seam.residual_before == pytest.approx(1.0 / 9.6, rel=0.02)  # 96 % of uniform values


def test_too_few_pixels_are_told_with_their_number() -> None:
    reference = np.full(SHAPE, np.nan)
    reference[0, 0] = 1.0

    with pytest.raises(
        AlignmentError, match=r'25 of 2000 overlap pixels .* 100 are needed; widen'
    ):
        fit_seam(reference, draw(0), Gauge(), min_pixels=100)


@pytest.mark.parametrize(
    'reference', [np.ones(SHAPE), -draw(0), draw(1)], ids=['constant', 'falling', 'unrelated']
)
def test_overlap_without_a_positive_scale_is_refused(reference) -> None:
    with pytest.raises(AlignmentError, match=r'no positive scale between them; check the image'):
        fit_seam(reference, draw(0), Gauge(), min_pixels=100)


def test_cross_fade_never_reaches_either_end() -> None:
    steps = [float(cross_fade(np.zeros(1), np.ones(1), i, 4)[0]) for i in range(4)]

    assert steps == pytest.approx([0.2, 0.4, 0.6, 0.8])
