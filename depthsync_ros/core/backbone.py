"""What the method asks of a video-depth diffusion model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from depthsync_ros.core.shapes import DisparityTensor, Latents, RgbTensor, Tokens

# Frames that encoder and decoder see together: a temporal decoder's result depends on it.
CHUNK_FRAMES = 8


@dataclass(frozen=True)
class NoiseRange:
    """The noise levels a network was trained on (Karras et al. 2022, table 1: sigma, rho)."""

    sigma_min: float
    sigma_max: float
    rho: float = 7.0


@dataclass(frozen=True)
class Preferences:
    """
    The sizes a model works best at, used where a setting says 'the model's own'.

    Units: window_length and window_overlap in frames; max_side in pixels.
    """

    window_length: int
    window_overlap: int
    max_side: int


@dataclass(frozen=True, eq=False)
class Conditioning:
    """
    What the network is told of the RGB frames: one row a frame, so rows can be kept and reused.

    Shapes: image_latents (frames, channels, rows, cols) are concatenated to the noisy latents;
        tokens (frames, tokens, width) are attended to, each by its own frame alone.
    """

    image_latents: Latents
    tokens: Tokens

    def __len__(self) -> int:
        return len(self.image_latents)

    def frame(self, position: int) -> 'Conditioning':
        """Return one frame's row, still with its leading axis of length one."""
        rows = slice(position, position + 1)
        return Conditioning(self.image_latents[rows], self.tokens[rows])


def concatenate(parts: Sequence[Conditioning]) -> Conditioning:
    """Put conditionings of consecutive frames behind one another."""
    return Conditioning(
        torch.cat([part.image_latents for part in parts]),
        torch.cat([part.tokens for part in parts]),
    )


class Backbone(Protocol):
    """
    A latent video-depth diffusion model with v-prediction, DepthCrafter's kind.

    Every tensor goes in and comes out as float32 on `device`; the model works in a dtype of its
    own in between.
    """

    name: str
    device: torch.device
    latent_channels: int
    pixels_per_latent: int
    size_multiple: int  # height and width of the images must be multiples of it
    noise_range: NoiseRange
    preferences: Preferences

    def encode_rgb(self, rgb: RgbTensor, noise: RgbTensor) -> Conditioning:
        """
        Prepare the frames for the network, each by itself.

        Units: rgb in [-1, 1]; noise is standard normal, the model scales it by its own
            noise augmentation (DepthCrafter: 0.02).
        """
        ...

    def predict(self, scaled: Latents, noise_label: float, conditioning: Conditioning) -> Latents:
        """
        Call the network F once on a whole window.

        Units: scaled is z / sqrt(sigma^2 + 1); noise_label is ln(sigma) / 4.
        """
        ...

    def decode(self, latents: Latents) -> DisparityTensor:
        """Decode latents to affine-invariant disparity; trained on [0, 1] but not clamped."""
        ...

    def encode(self, disparity: DisparityTensor) -> Latents:
        """Encode disparity maps whose values lie in [0, 1]."""
        ...
