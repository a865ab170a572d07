import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mujoco', reason='mujoco is not installed')
os.environ.setdefault('LP_NUM_THREADS', '1')

from training.scenes.catalogue import CATALOGUE_DIR, read_catalogues
from training.scenes.furniture import CACHE_DIR
from training.scenes.shoot import (
    edge_share,
    FIRST_NUMBER,
    shrink_depth,
    split_of,
    Studio,
    View,
)

NUMBER, VIEW = 7, View(fov_deg=62.0, drawing=(160, 120), sensor=(160, 120))


@pytest.fixture(scope='module')
def studio() -> Studio:
    if not CATALOGUE_DIR.exists():
        pytest.skip(f'{CATALOGUE_DIR} is absent: sweethome3d-furniture is not installed')
    try:
        return Studio(read_catalogues(), Path(CACHE_DIR))
    except (ImportError, RuntimeError, AttributeError) as error:
        pytest.skip(f'no EGL display: {error}')


def film(studio: Studio, number: int, frames: int = 6):
    """Film a still room: what moves would break the test of depth against poses."""
    scene = studio.scene(number)
    scene.room.movers.clear()
    path = scene.find_path(0.8, VIEW.fov_deg, 'short')
    shots = list(scene.film(path, np.linspace(0, 0.8, frames), VIEW))
    scene.close()
    return scene.room, shots


@pytest.fixture(scope='module')
def filmed(studio):
    return film(studio, NUMBER)


def test_a_scene_number_gives_the_same_bytes_again(studio, filmed) -> None:
    _, again = film(studio, NUMBER)
    _, other = film(studio, NUMBER + 1)

    for first, second in zip(filmed[1], again, strict=True):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    assert other[0][0].tobytes() != again[0][0].tobytes()


def test_depth_and_poses_agree_between_frames(filmed) -> None:
    (_, first_m, world_T_first), (_, last_m, world_T_last) = filmed[1][0], filmed[1][-1]
    row, column = np.mgrid[:120, :160].astype(float)
    x, y = (column - 79.5) / VIEW.focal_px, (row - 59.5) / VIEW.focal_px
    points = np.stack([x * first_m, y * first_m, first_m, np.ones_like(first_m)], -1)

    moved = points @ (np.linalg.inv(world_T_last) @ world_T_first).T
    column_last = np.round(moved[..., 0] / moved[..., 2] * VIEW.focal_px + 79.5).astype(int)
    row_last = np.round(moved[..., 1] / moved[..., 2] * VIEW.focal_px + 59.5).astype(int)
    seen = (column_last >= 0) & (column_last < 160) & (row_last >= 0) & (row_last < 120)
    found = last_m[row_last[seen], column_last[seen]]
    error = np.abs(found - moved[..., 2][seen]) / found

    assert not np.allclose(world_T_first, world_T_last, atol=0.01), 'the camera did not move'
    assert seen.mean() > 0.2
    # what the last frame hides is wrong by design, hence the median; half a pixel is 0.3 %
    assert np.median(error) < 0.01


def test_the_camera_keeps_clear_of_things(filmed) -> None:
    room, shots = filmed
    positions = np.stack([world_T_cam[:3, 3] for _, _, world_T_cam in shots])

    assert room.clearance(positions).min() > 0.28
    assert min(depth_m.min() for _, depth_m, _ in shots) > 0.25


def test_numbers_of_two_splits_never_meet() -> None:
    for split, first in FIRST_NUMBER.items():
        assert split_of(first) == split
        assert split_of(first + 999_999) == split
    with pytest.raises(ValueError, match='belongs to no split'):
        split_of(3_000_000)


def test_shrinking_depth_keeps_edges_clean_and_slopes_true() -> None:
    step = np.tile(np.where(np.arange(320) < 161, 1.0, 4.0), (240, 1)).astype(np.float32)
    slope = np.tile(np.linspace(2, 3, 320), (240, 1)).astype(np.float32)

    assert set(np.unique(shrink_depth(step, (160, 128)))) == {1.0, 4.0}
    centres = (np.arange(160) * 2 + 0.5) / 319 + 2
    assert shrink_depth(slope, (160, 128))[5] == pytest.approx(centres, abs=1e-5)


def test_a_bare_wall_shows_no_edges() -> None:
    disparity = np.tile(np.linspace(0.3, 0.6, 64, dtype=np.float32), (48, 1))
    step = disparity.copy()
    step[:, 30:] *= 2

    assert edge_share(1 / disparity) == 0.0
    assert edge_share(1 / step) > 0.02
