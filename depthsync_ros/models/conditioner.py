"""From ImageNet features to what the embedded network is told of a frame."""

from torch import nn, Tensor
from torch.nn import functional

from depthsync_ros.core.shapes import Latents, Tokens
from depthsync_ros.models.efficientnet import Features, TAPPED_CHANNELS

GROUPS = 8


class Conditioner(nn.Module):
    """
    A feature pyramid, run once a frame: features and RGB latents to conditioning channels.

    The first four channels of its output are trained to be the frame's disparity on a grid twice
    as fine (rearranged as by pixel_unshuffle), as well as one image can tell it; the others are
    free.

    Source: Lin et al. 2017 (arXiv:1612.03144), top-down pathway with lateral connections.
    """

    def __init__(self, latent_channels: int, channels: int, token_width: int) -> None:
        super().__init__()
        fine, middle, coarse = TAPPED_CHANNELS
        self.coarse_in = nn.Conv2d(coarse, 192, 1)
        self.globally = nn.Linear(192, 192)
        self.coarse = Residual(192)
        self.middle_in = nn.Conv2d(middle, 128, 1)
        self.coarse_to_middle = nn.Conv2d(192, 128, 1)
        self.middle = nn.Sequential(Residual(128), Residual(128))
        self.fine_in = nn.Conv2d(fine, 64, 1)
        self.rgb_in = nn.Conv2d(latent_channels, 64, 3, padding=1)
        self.middle_to_fine = nn.Conv2d(128, 64, 1)
        self.fine = nn.Sequential(Residual(64), Residual(64))
        self.out = nn.Conv2d(64, channels, 1)
        self.token = nn.Linear(192, token_width)

    def forward(self, features: Features, rgb_latents: Latents) -> tuple[Latents, Tokens]:
        """Return conditioning channels on the latent grid, and one token a frame."""
        x = self.coarse_in(features.stride32)
        x = self.coarse(x + self.globally(x.mean((2, 3)))[:, :, None, None])
        token = self.token(x.mean((2, 3)))[:, None]
        x = self.middle(self.middle_in(features.stride16) + self._up(self.coarse_to_middle(x)))
        x = self.fine_in(features.stride8) + self._up(self.middle_to_fine(x))
        x = self.fine(x + self.rgb_in(rgb_latents))
        return self.out(x), token

    @staticmethod
    def _up(x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0, mode='bilinear', align_corners=False)


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
