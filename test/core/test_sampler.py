"""The sampler against closed forms."""

import math

import pytest
import torch

from depthsync_ros.core.backbone import NoiseRange
from depthsync_ros.core.sampler import karras_sigmas, sample_euler

PRIOR_STD = 1.5
SVD = NoiseRange(0.002, 700.0)


def gaussian_denoiser(z: torch.Tensor, sigma: float) -> torch.Tensor:
    """Give the mean of the clean sample where its prior is normal around zero."""
    return z * PRIOR_STD**2 / (PRIOR_STD**2 + sigma**2)


def test_euler_error_halves_when_the_steps_double() -> None:
    start = torch.full((1, 1, 2, 2), 5.0, dtype=torch.float64)
    # Closed form: along this ODE z is proportional to sqrt(prior variance + sigma^2).
    exact = start * PRIOR_STD / math.hypot(PRIOR_STD, 10.0)

    def error(steps: int) -> float:
        sigmas = torch.linspace(10.0, 0.0, steps + 1, dtype=torch.float64).tolist()
        return float((sample_euler(gaussian_denoiser, start, sigmas) - exact).abs().max())

    assert error(200) / error(400) == pytest.approx(2.0, rel=0.05)  # the next order's share


def test_five_levels_are_the_published_schedule() -> None:
    assert karras_sigmas(SVD, 5) == pytest.approx(
        [700.0, 134.85, 15.59, 0.678, 0.002, 0.0], rel=1e-3
    )


@pytest.mark.parametrize('steps', [2, 7, 100])
def test_levels_fall_from_the_largest_to_the_smallest_and_end_on_zero(steps) -> None:
    sigmas = karras_sigmas(SVD, steps)

    assert len(sigmas) == steps + 1
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[0] == pytest.approx(700.0)
    assert sigmas[-2:] == pytest.approx([0.002, 0.0])


def test_perfect_denoiser_gives_the_clean_sample_whatever_the_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 4, 5, 6, generator=generator, dtype=torch.float64)
    sigmas = karras_sigmas(SVD, 5)

    result = sample_euler(lambda z, sigma: clean, clean + 700.0 * noise, sigmas)

    torch.testing.assert_close(result, clean, rtol=0.0, atol=1e-12)


def test_stopping_early_leaves_the_noise_of_the_last_level() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 4, 5, 6, generator=generator, dtype=torch.float64)
    sigmas = karras_sigmas(SVD, 5)[:-1]

    result = sample_euler(lambda z, sigma: clean, clean + 700.0 * noise, sigmas)

    torch.testing.assert_close(result, clean + 0.002 * noise, rtol=0.0, atol=1e-10)
