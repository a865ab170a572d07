"""A network of a dozen lines whose every answer is known."""

import hashlib
import math
import zlib

import numpy as np
import torch

from depthsync_ros.core.backbone import Conditioning, NoiseRange, Preferences
from depthsync_ros.core.shapes import DisparityTensor, Latents, RgbTensor

LENGTH, OVERLAP = 6, 2


class FakeBackbone:
    """
    Bright is near: the disparity is the image's brightness, with a trace of the noise.

    With random_gauges every window has a scale and a shift of its own, which depend on what the
    window shows and on nothing else.
    """

    name = 'fake'
    device = torch.device('cpu')
    latent_channels = 1
    pixels_per_latent = 4
    size_multiple = 8
    noise_range = NoiseRange(0.02, 80.0)
    preferences = Preferences(LENGTH, OVERLAP, 32)

    def __init__(self, *, random_gauges: bool = False, noise_share: float = 0.0) -> None:
        self.random_gauges = random_gauges
        self.noise_share = noise_share
        self.calls: list[tuple[int, float]] = []  # frames and noise label of each network call

    def encode_rgb(self, rgb: RgbTensor, noise: RgbTensor) -> Conditioning:
        brightness = (rgb.mean(dim=1, keepdim=True) + 1.0) / 2.0
        latents = torch.nn.functional.avg_pool2d(brightness, self.pixels_per_latent)
        return Conditioning(latents, torch.zeros(len(rgb), 1, 1))

    def predict(self, scaled: Latents, noise_label: float, conditioning: Conditioning) -> Latents:
        """Give the v whose denoised latents are the window's brightness in the window's gauge."""
        self.calls.append((len(scaled), noise_label))
        sigma = math.exp(4.0 * noise_label)
        root = math.sqrt(sigma**2 + 1.0)
        scale, shift = self.gauge(conditioning)
        z0 = scale * conditioning.image_latents + shift + self.noise_share * scaled
        return (scaled / root - z0) * root / sigma

    def gauge(self, conditioning: Conditioning) -> tuple[float, float]:
        """Draw the window's gauge from what it shows."""
        if not self.random_gauges:
            return 1.0, 0.0
        seed = zlib.crc32(conditioning.image_latents.numpy().tobytes())
        generator = np.random.default_rng(seed)
        return float(generator.uniform(0.4, 1.0)), float(generator.uniform(0.0, 0.3))

    def decode(self, latents: Latents) -> DisparityTensor:
        return torch.nn.functional.interpolate(latents, scale_factor=self.pixels_per_latent)[:, 0]

    def encode(self, disparity: DisparityTensor) -> Latents:
        return torch.nn.functional.avg_pool2d(disparity[:, None], self.pixels_per_latent)


class Remembering:
    """
    A backbone that does not compute anything twice.

    What only settings of later stages tell apart costs one pass of the network.
    """

    def __init__(self, backbone) -> None:
        self._backbone = backbone
        self._known: dict[tuple[bytes, float], torch.Tensor] = {}

    def __getattr__(self, name: str):
        return getattr(self._backbone, name)

    def predict(self, scaled: Latents, noise_label: float, conditioning: Conditioning) -> Latents:
        seen = hashlib.sha256(scaled.numpy().tobytes())
        seen.update(conditioning.image_latents.numpy().tobytes())
        key = (seen.digest(), noise_label)
        if key not in self._known:
            self._known[key] = self._backbone.predict(scaled, noise_label, conditioning)
        return self._known[key].clone()
