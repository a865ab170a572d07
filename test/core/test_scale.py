"""Putting windows on one scale."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.scale import (
    cross_fade,
    EVIDENCE_SAY,
    fit_seam,
    Gauge,
    Placed,
    regress,
    weigh_in,
    WORSE_BY,
)

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


def test_placed_points_outweigh_an_overlap_that_agrees_with_its_own_error() -> None:
    generator = np.random.default_rng(4)
    moving, own = draw(3), generator.random(3000)
    handed_on = 0.92 * moving  # the predecessor's scale was lost, without any noise
    inverse_depth = (own + 0.3) * np.exp(0.03 * generator.normal(size=own.shape))
    placed = Placed(own, inverse_depth, np.ones(own.shape))

    seam = fit_seam(handed_on, moving, Gauge(), min_pixels=100)
    joined = weigh_in(seam, handed_on, moving, placed, 0.3)

    # Both see the same range, so the two lines are averaged by their say.
    expected = (0.92 + EVIDENCE_SAY * 1.0) / (1.0 + EVIDENCE_SAY)
    assert seam.gauge.scale == pytest.approx(0.92)
    assert joined.gauge.scale == pytest.approx(expected, rel=0.01)
    assert joined.residual_after > seam.residual_after


def test_points_that_have_lost_the_unit_carry_nothing_away() -> None:
    moving, own = draw(3), np.random.default_rng(4).random(3000)
    placed = Placed(own, 5.0 * (own + 0.3), np.ones(own.shape))

    seam = fit_seam(moving, moving, Gauge(), min_pixels=100)
    joined = weigh_in(seam, moving, moving, placed, 0.3)

    assert joined.residual_after <= WORSE_BY
    assert joined.gauge.scale < 1.2


def test_noise_of_triangulation_does_not_move_where_infinity_lies() -> None:
    generator = np.random.default_rng(5)
    own = generator.random(20000)
    inverse_depth = 2.0 * (own + 0.5) + 0.4 * generator.normal(size=own.shape)

    line = regress(Placed(own, inverse_depth, np.ones(own.shape)))

    steep = float(np.std(inverse_depth) / np.std(own))  # what a symmetric line would have
    assert (inverse_depth.mean() - steep * own.mean()) / steep < 0.4
    assert line.shift / line.scale == pytest.approx(0.5, rel=0.05)
