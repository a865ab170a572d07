"""Guidance against the poster's formulas."""

import math

import pytest
import torch

from depthsync_ros.core.guidance import corrected, forward_guided, poster_strength, pull
from depthsync_ros.core.sampler import sample_euler

SHAPE = (3, 4, 5, 5)


def draw(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize('sigma', [0.05, 1.0, 15.6])
def test_replacing_z0_is_the_poster_s_backward_guidance(sigma: float) -> None:
    z, z0, z_aligned, sigma_next = draw(0) * sigma, draw(1), draw(2), sigma / 7.0
    # The poster: eps = (z_t - sqrt(alpha) z_aligned) / sqrt(1 - alpha), then DDIM to alpha'.
    alpha, alpha_next = 1.0 / (1.0 + sigma**2), 1.0 / (1.0 + sigma_next**2)
    z_t = z * math.sqrt(alpha)
    epsilon = (z_t - math.sqrt(alpha) * z_aligned) / math.sqrt(1.0 - alpha)
    z_t_next = math.sqrt(alpha_next) * z_aligned + math.sqrt(1.0 - alpha_next) * epsilon
    expected = z_t_next / math.sqrt(alpha_next)

    denoise = corrected(lambda *_: z0, [lambda *_: z_aligned])
    stepped = sample_euler(denoise, z, [sigma, sigma_next])

    torch.testing.assert_close(stepped, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('sigma', [0.05, 1.0, 15.6])
def test_forward_guidance_is_the_poster_s(sigma: float) -> None:
    z, z_aligned, mix = draw(0) * sigma, draw(1), draw(2)

    def denoise(z: torch.Tensor, sigma: float) -> torch.Tensor:
        return torch.tanh(z * mix / (1.0 + sigma))

    # The poster: eps' = eps + s * grad_{z_t} L, with L the mean over elements.
    alpha = 1.0 / (1.0 + sigma**2)
    z_t = (z * math.sqrt(alpha)).requires_grad_()
    z0 = denoise(z_t / math.sqrt(alpha), sigma)
    (gradient,) = torch.autograd.grad((z_aligned - z0).square().mean(), z_t)
    epsilon = (z_t - math.sqrt(alpha) * z0) / math.sqrt(1.0 - alpha)
    guided = epsilon + poster_strength(0.3, sigma, z.numel()) * gradient
    expected = (z_t - math.sqrt(1.0 - alpha) * guided) / math.sqrt(alpha)

    result = forward_guided(denoise, lambda *_: z_aligned, 0.3)(z, sigma)

    torch.testing.assert_close(result, expected.detach(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('sigma', [0.05, 1.0, 15.6])
def test_closed_form_equals_forward_guidance_for_a_linear_denoiser(sigma: float) -> None:
    z, z_aligned, offset = draw(0) * sigma, draw(1), draw(2)

    def denoise(z: torch.Tensor, sigma: float) -> torch.Tensor:
        return z / (sigma**2 + 1.0) + offset

    exact = forward_guided(denoise, lambda *_: z_aligned, 0.4)(z, sigma)

    torch.testing.assert_close(
        exact, pull(denoise(z, sigma), z_aligned, 0.4), rtol=1e-9, atol=1e-9
    )


def test_no_correction_leaves_the_denoiser_itself() -> None:
    def denoise(z: torch.Tensor, _: float) -> torch.Tensor:
        return z

    assert corrected(denoise, []) is denoise


def test_corrections_apply_in_order() -> None:
    denoise = corrected(lambda z, _: z, [lambda z0, _: z0 + 1.0, lambda z0, _: z0 * 2.0])

    assert denoise(torch.tensor(3.0), 1.0) == 8.0
