"""The denoiser against the poster's form of the same equation."""

import math

from backbones import FakeBackbone
import pytest
import torch

from depthsync_ros.core.backbone import Conditioning
from depthsync_ros.core.denoiser import v_denoiser

SHAPE = (3, 1, 4, 4)


class Network(FakeBackbone):
    def predict(self, scaled, noise_label, conditioning):
        self.calls.append((len(scaled), noise_label))
        return torch.tanh(scaled + conditioning.image_latents)


def draw(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize('sigma', [0.002, 1.0, 700.0])
def test_clean_sample_is_the_posters(sigma) -> None:
    z, network, told = sigma * draw(0), Network(), Conditioning(draw(1), torch.zeros(3, 1, 1))
    # The poster: alpha = 1 / (1 + sigma^2), z_t = sqrt(alpha) z, v-prediction:
    # z0 = sqrt(alpha) z_t - sqrt(1 - alpha) v.
    alpha = 1.0 / (1.0 + sigma**2)
    z_t = math.sqrt(alpha) * z
    expected = math.sqrt(alpha) * z_t - math.sqrt(1.0 - alpha) * torch.tanh(z_t + draw(1))

    result = v_denoiser(network, told)(z, sigma)

    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    assert network.calls == [(3, pytest.approx(math.log(sigma) / 4.0))]
