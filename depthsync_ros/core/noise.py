"""Random numbers that depend on nothing but the seed and the frame."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

LATENTS, RGB = 0, 1  # one stream of numbers for each use


def frame_noise(
    seed: int, use: int, indices: Sequence[int], shape: tuple[int, ...], device: torch.device
) -> Tensor:
    """
    Draw standard normal noise for frames, the same wherever and whenever a frame is drawn.

    Frames that two windows share so start from the same noise, as DepthCrafter's do; drawn on
    the CPU, so that every device gets the same numbers.

    Shapes: the result (len(indices), *shape), float32.
    """
    draws = []
    for index in indices:
        key = np.random.SeedSequence((seed, use, index)).generate_state(1, np.uint64)
        generator = torch.Generator(device='cpu').manual_seed(int(key[0] >> np.uint64(1)))
        draws.append(torch.randn(shape, generator=generator, device='cpu'))
    return torch.stack(draws).to(device)
