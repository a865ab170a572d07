"""The sampler: noise levels, and the steps between them. It knows nothing of depth."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch

from depthsync_ros.core.backbone import NoiseRange
from depthsync_ros.core.shapes import Latents

# (z, sigma) -> the clean sample z0 that the model sees in z = z0 + sigma * noise
Denoiser: TypeAlias = Callable[[Latents, float], Latents]


def karras_sigmas(noise: NoiseRange, steps: int) -> list[float]:
    """
    Space `steps` noise levels from sigma_max to sigma_min and end on 0.

    >>> [round(s, 3) for s in karras_sigmas(NoiseRange(0.002, 700.0), 5)]
    [700.0, 134.85, 15.587, 0.678, 0.002, 0.0]

    Source: Karras et al. 2022 (arXiv:2206.00364), equation 5.
    """
    top, bottom = noise.sigma_max ** (1 / noise.rho), noise.sigma_min ** (1 / noise.rho)
    ramp = np.linspace(0.0, 1.0, steps)
    return [float(s) for s in (top + ramp * (bottom - top)) ** noise.rho] + [0.0]


@torch.no_grad()
def sample_euler(denoise: Denoiser, z: Latents, sigmas: Sequence[float]) -> Latents:
    """
    Integrate the probability-flow ODE from sigmas[0] down to sigmas[-1].

    z is where to start, its noise already scaled by sigmas[0]: the caller owns the random
    numbers, so equal inputs give equal outputs.

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 1 without the correction step.
    """
    for sigma, sigma_next in pairwise(sigmas):
        z0 = denoise(z, sigma)
        z = z0 + (sigma_next / sigma) * (z - z0)
    return z
