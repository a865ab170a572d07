"""Noise that belongs to a frame."""

import pytest
import torch

from depthsync_ros.core.noise import frame_noise, LATENTS, RGB

CPU = torch.device('cpu')
SHAPE = (2, 5, 7)


def test_frame_has_the_same_noise_in_every_window() -> None:
    together = frame_noise(7, LATENTS, [3, 4, 5], SHAPE, CPU)
    later = frame_noise(7, LATENTS, [5, 6], SHAPE, CPU)

    assert torch.equal(together[2], later[0])


def test_global_generator_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = frame_noise(0, LATENTS, [0], SHAPE, CPU)

    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(frame_noise(0, LATENTS, [0], SHAPE, CPU), first)


@pytest.mark.parametrize('other', [(8, LATENTS, 3), (7, RGB, 3), (7, LATENTS, 4)])
def test_seed_use_and_frame_each_change_the_noise(other) -> None:
    seed, use, index = other
    one = frame_noise(7, LATENTS, [3], (100, 100), CPU)

    correlation = (one * frame_noise(seed, use, [index], (100, 100), CPU)).mean()

    assert abs(float(correlation)) < 0.05  # five standard deviations of 10 000 products


def test_noise_is_standard_normal_in_single_precision() -> None:
    noise = frame_noise(0, RGB, range(20), (100, 50), CPU)

    assert noise.dtype == torch.float32
    assert noise.shape == (20, 100, 50)
    # 100 000 draws: five standard deviations of each moment's estimate.
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.016)
    assert float(noise.square().mean()) == pytest.approx(1.0, abs=0.023)
    assert float(noise.pow(4).mean()) == pytest.approx(3.0, abs=0.16)
