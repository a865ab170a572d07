"""
Guidance: wrappers around a denoiser that pull its clean sample towards an aligned one.

Backward guidance (geometry on the poster) optimises the clean prediction itself, z_aligned, and
goes on with the noise that belongs to it, eps = (z_t - sqrt(alpha) z_aligned) / sqrt(1 - alpha).
With z_t = z / sqrt(1 + sigma^2) and alpha = 1 / (1 + sigma^2) that is the Euler step taken from
z_aligned in place of z0: a correction `(z0, sigma) -> z0`.

Forward guidance (scale on the poster) adds s * grad_{z_t} L to the predicted noise, with
L = mean (z_aligned - z0)^2 and z_aligned held constant. With the network's Jacobian it costs a
backward pass (`forward_guided`); without it, it is the closed form of `pull`.

Source: Dong et al. 2025 (arXiv:2507.01603); leaving the Jacobian out: He et al. 2024
(arXiv:2311.16424), manifold preserving guided diffusion.
"""

from collections.abc import Callable, Sequence
import math
from typing import TypeAlias

import torch

from depthsync_ros.core.sampler import Denoiser
from depthsync_ros.core.shapes import Latents

# (z0, sigma) -> a better z0; no gradient through the network
Correction: TypeAlias = Callable[[Latents, float], Latents]


def corrected(denoise: Denoiser, corrections: Sequence[Correction]) -> Denoiser:
    """Wrap a denoiser so that each estimate passes through the corrections, in order."""
    if not corrections:
        return denoise

    def denoise_corrected(z: Latents, sigma: float) -> Latents:
        z0 = denoise(z, sigma)
        for correct in corrections:
            z0 = correct(z0, sigma)
        return z0

    return denoise_corrected


def pull(z0: Latents, z_aligned: Latents, weight: float) -> Latents:
    """Move the clean sample a share of the way: the closed form of both kinds of guidance."""
    return (1.0 - weight) * z0 + weight * z_aligned


def forward_guided(denoise: Denoiser, align: Correction, weight: float) -> Denoiser:
    """
    Wrap a denoiser with forward guidance through the network: one backward pass a call.

        z0 <- z0 - sigma * sqrt(1 + sigma^2) * s * grad_z L,   L = mean (z_aligned - z0)^2

    The strength is given as the share that `pull` would move, so that both ways mean the same
    by a weight: s = weight * N * (sigma^2 + 1) / (2 * sigma * sqrt(1 + sigma^2)) makes them
    agree for the denoiser z0 = z / (sigma^2 + 1) + b, a network that ignores its noisy input.
    """

    def denoise_guided(z: Latents, sigma: float) -> Latents:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            z0 = denoise(z, sigma)
            z_aligned = align(z0.detach(), sigma).detach()
            loss = (z_aligned - z0).square().mean()
            (gradient,) = torch.autograd.grad(loss, z)
        strength = poster_strength(weight, sigma, z0.numel())
        return (z0 - sigma * math.sqrt(1.0 + sigma**2) * strength * gradient).detach()

    return denoise_guided


def poster_strength(weight: float, sigma: float, elements: int) -> float:
    """Give the poster's s(t) under which forward guidance moves z0 by the share `weight`."""
    return weight * elements * math.sqrt(1.0 + sigma**2) / (2.0 * sigma)
