"""Between the image's pixels and the network's."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.shapes import Map, RgbImage, RgbTensor

GUIDE_RADIUS = 2  # network pixels
GUIDE_EPSILON = 2e-3  # variance of grey in [0, 1] below which the image does not guide


def network_size(width: int, height: int, max_side: int, multiple: int) -> tuple[int, int]:
    """
    Choose the (width, height) the network sees: the image's shape, at most max_side long.

    >>> network_size(320, 240, 160, 32)
    (160, 128)

    :raises ConfigError: max_side is smaller than what the network can take.
    """
    if max_side < multiple:
        raise ConfigError(
            f'model.max_side = {max_side} pixels is below the {multiple} this network needs'
        )
    factor = min(1.0, max_side / max(width, height))

    def fitted(side: int) -> int:
        return min(
            max(multiple, round(side * factor / multiple) * multiple),
            max_side // multiple * multiple,
        )

    return fitted(width), fitted(height)


def to_network(images: Sequence[RgbImage], size: tuple[int, int]) -> RgbTensor:
    """Resize images to (width, height) and scale them to [-1, 1], on the CPU."""
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    stacked = np.stack(small).astype(np.float32).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(stacked) / 127.5 - 1.0)


def upsample_linear(disparity: Map, rgb: RgbImage) -> Map:
    """Enlarge disparity to the image's size, blind to the image."""
    return cv2.resize(disparity, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def upsample_guided(disparity: Map, rgb: RgbImage) -> Map:
    """
    Enlarge disparity to the image's size so that its edges fall on the image's.

    Source: He and Sun 2015 (arXiv:1505.00996), fast guided filter, algorithm 2.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0
    guide = cv2.resize(grey, disparity.shape[::-1], interpolation=cv2.INTER_AREA)
    window = (2 * GUIDE_RADIUS + 1,) * 2

    def mean(image: Map) -> Map:
        return cv2.blur(image, window, borderType=cv2.BORDER_REFLECT)

    disparity = disparity.astype(np.float32)
    mean_guide, mean_disparity = mean(guide), mean(disparity)
    variance = mean(guide * guide) - mean_guide**2
    covariance = mean(guide * disparity) - mean_guide * mean_disparity
    slope = covariance / (variance + GUIDE_EPSILON)
    offset = mean_disparity - slope * mean_guide
    large: Map = upsample_linear(mean(slope), rgb) * grey + upsample_linear(mean(offset), rgb)
    return large


UPSAMPLERS = {'guided': upsample_guided, 'linear': upsample_linear}
