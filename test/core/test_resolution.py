"""Between the image's pixels and the network's."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.resolution import (
    network_size,
    to_network,
    upsample_guided,
    upsample_linear,
)

SIDES = st.integers(1, 4000)


@given(SIDES, SIDES, st.sampled_from([8, 32, 64]), st.integers(1, 20), st.integers(0, 31))
def test_network_size_is_a_multiple_within_the_limit(width, height, multiple, units, rest) -> None:
    max_side = units * multiple + rest % multiple

    size = network_size(width, height, max_side, multiple)

    for fitted, side in zip(size, (width, height), strict=True):
        assert fitted % multiple == 0
        assert multiple <= fitted <= max_side
        wanted = side * min(1.0, max_side / max(width, height))
        assert abs(fitted - wanted) <= max(multiple / 2, multiple - wanted) or (
            fitted == max_side // multiple * multiple
        ), 'as near to the shape as the multiples allow'


def test_sizes_people_use() -> None:
    assert network_size(1920, 1080, 1024, 64) == (1024, 576)
    assert network_size(640, 480, 160, 32) == (160, 128)
    assert network_size(480, 640, 160, 32) == (128, 160)


def test_side_below_the_networks_least_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'model.max_side = 16 pixels is below the 32 this'):
        network_size(640, 480, 16, 32)


def test_images_come_in_minus_one_to_one_channels_first() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[..., 0], image[..., 2] = 255, 51

    tensor = to_network([image, image], (24, 16))

    assert tensor.shape == (2, 3, 16, 24)
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor[1, :, 3, 3], [1.0, -1.0, -0.6], atol=1e-6)


def step_edge() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give small disparity, a large image, and the true large disparity, with one edge."""
    truth = np.where(np.arange(160) < 83, 0.2, 0.8).astype(np.float32) * np.ones(
        (120, 1), np.float32
    )
    rgb = np.repeat((255 * truth).astype(np.uint8)[..., None], 3, axis=2)
    small = truth.reshape(15, 8, 20, 8).mean(axis=(1, 3))
    return small, rgb, truth


def test_guided_upsampling_is_sharper_than_linear_at_the_images_edge() -> None:
    small, rgb, truth = step_edge()

    guided = np.abs(upsample_guided(small, rgb) - truth)
    linear = np.abs(upsample_linear(small, rgb) - truth)

    near_edge = (slice(20, 100), slice(70, 96))
    assert guided[near_edge].mean() < 0.5 * linear[near_edge].mean()


@pytest.mark.parametrize('upsample', [upsample_guided, upsample_linear])
def test_constant_disparity_stays_constant(upsample) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)

    large = upsample(np.full((15, 20), 0.37, np.float32), rgb)

    assert large.shape == (120, 160)
    assert large.dtype == np.float32
    np.testing.assert_allclose(large, 0.37, atol=1e-5)  # float32 through two box filters


@pytest.mark.parametrize('upsample', [upsample_guided, upsample_linear])
def test_ramp_stays_where_it_is_under_a_blank_image(upsample) -> None:
    """A shift by half a pixel of the small grid would show as 4 pixels of the large one."""
    ramp = np.broadcast_to(((np.arange(160) + 0.5) / 160).astype(np.float32), (120, 160))
    small = ramp.reshape(15, 8, 20, 8).mean(axis=(1, 3))

    large = upsample(small, np.full((120, 160, 3), 128, np.uint8))

    inner = (slice(48, -48), slice(48, -48))  # two box filters and the border: 6 small pixels
    np.testing.assert_allclose(large[inner], ramp[inner], atol=1e-4)
