"""A network of a dozen lines, for tests of everything around it."""

import math
import os
import time

import torch

from depthsync_ros.core.backbone import Conditioning, NoiseRange, Preferences
from depthsync_ros.core.errors import ModelError
from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.core.shapes import DisparityTensor, Latents, RgbTensor

# What a test may ask of the node's process, in its environment.
SECONDS_A_CALL = 'FAKE_SECONDS_A_CALL'
BUG_AT_CALL = 'FAKE_BUG_AT_CALL'
LENGTH, OVERLAP, PIXELS = 6, 2, 8
BROKEN = 'broken'


class FakeBackbone:
    """Bright is near: the disparity is the image's brightness, whatever the noise."""

    name = 'fake'
    device = torch.device('cpu')
    latent_channels = 1
    pixels_per_latent = PIXELS
    size_multiple = PIXELS
    noise_range = NoiseRange(0.02, 10.0)
    preferences = Preferences(LENGTH, OVERLAP, 64)

    def __init__(self) -> None:
        self.seconds_a_call = float(os.environ.get(SECONDS_A_CALL, '0'))
        self.bug_at_call = int(os.environ.get(BUG_AT_CALL, '0'))
        self.calls = 0

    def encode_rgb(self, rgb: RgbTensor, noise: RgbTensor) -> Conditioning:
        brightness = (rgb.mean(dim=1, keepdim=True) + 1.0) / 2.0
        latents = torch.nn.functional.avg_pool2d(brightness, self.pixels_per_latent)
        return Conditioning(latents, torch.zeros(len(rgb), 1, 1))

    def predict(self, scaled: Latents, noise_label: float, conditioning: Conditioning) -> Latents:
        """Give the v that makes the denoised latents the conditioning's."""
        self.calls += 1
        if self.calls == self.bug_at_call:
            raise ZeroDivisionError('a bug that the test asked for')
        time.sleep(self.seconds_a_call)
        sigma = math.exp(4.0 * noise_label)
        root = math.sqrt(sigma**2 + 1.0)
        return (scaled / root - conditioning.image_latents) * root / sigma

    def decode(self, latents: Latents) -> DisparityTensor:
        return torch.nn.functional.interpolate(latents, scale_factor=self.pixels_per_latent)[:, 0]

    def encode(self, disparity: DisparityTensor) -> Latents:
        return torch.nn.functional.avg_pool2d(disparity[:, None], self.pixels_per_latent)


def load_fake(settings: ModelSettings) -> FakeBackbone:
    """Stand where load_backbone stands."""
    if settings.path == BROKEN:
        raise ModelError(f'{settings.path} holds no weights')
    return FakeBackbone()
