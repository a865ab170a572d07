"""Giving a window up: asked for between two calls of the network, never inside one."""

from collections.abc import Callable
from typing import TypeAlias

import torch

from depthsync_ros.core.backbone import Backbone, CHUNK_FRAMES, concatenate, Conditioning
from depthsync_ros.core.errors import Cancelled
from depthsync_ros.core.shapes import DisparityTensor, Latents, RgbTensor

Cancelling: TypeAlias = Callable[[], bool]  # whether the work under way is to be given up


def never() -> bool:
    """Let everything be finished."""
    return False


def give_up_if(cancelled: Cancelling) -> None:
    """
    Go on, unless the work is to be given up.

    :raises Cancelled: it is.
    """
    if cancelled():
        raise Cancelled('the window was given up before its next step')


class Interruptible:
    """
    A backbone that asks before each call of the network whether to go on.

    Encoder and decoder are called on CHUNK_FRAMES frames at a time, which is how they see the
    frames anyway, so the result has the same bits.

    :raises Cancelled: from every method, before the network is called.
    """

    def __init__(self, backbone: Backbone, cancelled: Cancelling) -> None:
        self._backbone = backbone
        self._cancelled = cancelled
        self.name, self.device = backbone.name, backbone.device
        self.latent_channels = backbone.latent_channels
        self.pixels_per_latent = backbone.pixels_per_latent
        self.size_multiple = backbone.size_multiple
        self.noise_range, self.preferences = backbone.noise_range, backbone.preferences

    def encode_rgb(self, rgb: RgbTensor, noise: RgbTensor) -> Conditioning:
        parts = zip(torch.split(rgb, CHUNK_FRAMES), torch.split(noise, CHUNK_FRAMES), strict=True)
        return concatenate([self._asked().encode_rgb(*part) for part in parts])

    def predict(self, scaled: Latents, noise_label: float, conditioning: Conditioning) -> Latents:
        return self._asked().predict(scaled, noise_label, conditioning)

    def decode(self, latents: Latents) -> DisparityTensor:
        return torch.cat(
            [self._asked().decode(part) for part in torch.split(latents, CHUNK_FRAMES)]
        )

    def encode(self, disparity: DisparityTensor) -> Latents:
        return torch.cat(
            [self._asked().encode(part) for part in torch.split(disparity, CHUNK_FRAMES)]
        )

    def _asked(self) -> Backbone:
        give_up_if(self._cancelled)
        return self._backbone
