"""From ImageNet features to what the embedded network is told of a frame."""

import torch
from torch import nn, Tensor
from torch.nn import functional

from depthsync_ros.core.shapes import Latents, Tokens
from depthsync_ros.models.efficientnet import Features, TAPPED_CHANNELS

GROUPS = 8
COARSE, MIDDLE, FINE = 192, 144, 96
# The estimate is on a grid of a quarter of the image's pixels each way, latents on a sixteenth.
ESTIMATE_FACTOR = 4
ESTIMATE_CHANNELS = ESTIMATE_FACTOR**2


class Conditioner(nn.Module):
    """
    A feature pyramid, run once a frame: features to conditioning channels.

    The first 16 channels of its output are trained to be the frame's disparity on a grid four
    times as fine as the latents' (rearranged by pixel_unshuffle), as well as one image can tell
    it; the others are free.

    Source: Lin et al. 2017 (arXiv:1612.03144), top-down pathway with lateral connections.
    """

    def __init__(self, channels: int, token_width: int) -> None:
        super().__init__()
        if channels <= ESTIMATE_CHANNELS:
            raise ValueError(
                f'{channels} channels leave none free beside the {ESTIMATE_CHANNELS} of disparity'
            )
        fine, middle, coarse = TAPPED_CHANNELS
        self.coarse_in = nn.Conv2d(coarse, COARSE, 1)
        self.globally = nn.Linear(COARSE, COARSE)
        self.coarse = nn.Sequential(Residual(COARSE), Residual(COARSE))
        self.middle_in = nn.Conv2d(middle, MIDDLE, 1)
        self.coarse_to_middle = nn.Conv2d(COARSE, MIDDLE, 1)
        self.middle = nn.Sequential(Residual(MIDDLE), Residual(MIDDLE))
        self.fine_in = nn.Conv2d(fine, FINE, 1)
        self.middle_to_fine = nn.Conv2d(MIDDLE, FINE, 1)
        self.fine = nn.Sequential(Residual(FINE), Residual(FINE))
        self.estimate = nn.Conv2d(FINE, 4, 3, padding=1)
        self.free = nn.Conv2d(FINE, channels - ESTIMATE_CHANNELS, 2, stride=2)
        self.token = nn.Linear(COARSE, token_width)

    def forward(self, features: Features) -> tuple[Latents, Tokens]:
        """Return conditioning channels on a grid of stride 16, and one token a frame."""
        x = self.coarse_in(features.stride32)
        x = self.coarse(x + self.globally(x.mean((2, 3)))[:, :, None, None])
        token = self.token(x.mean((2, 3)))[:, None]
        x = self.middle(self.middle_in(features.stride16) + self._up(self.coarse_to_middle(x)))
        x = self.fine(self.fine_in(features.stride8) + self._up(self.middle_to_fine(x)))
        x = functional.silu(x)
        estimate = functional.pixel_shuffle(self.estimate(x), 2)
        channels = functional.pixel_unshuffle(estimate, ESTIMATE_FACTOR)
        return torch.cat([channels, self.free(x)], dim=1), token

    @staticmethod
    def _up(x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0, mode='bilinear', align_corners=False)


def estimate_of(channels: Latents) -> Tensor:
    """
    Rearrange the first channels to the disparity that they are trained to be.

    Shapes: (frames, channels, rows, cols) to (frames, 4 rows, 4 cols).
    """
    return functional.pixel_shuffle(channels[:, :ESTIMATE_CHANNELS], ESTIMATE_FACTOR)[:, 0]


class Residual(nn.Module):
    """Two normalised convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.silu(self.norm1(x)))
        return x + self.conv2(functional.silu(self.norm2(y)))
