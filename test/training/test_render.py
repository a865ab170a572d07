import json
import os

import cv2
import numpy as np
import pytest

pytest.importorskip('mujoco', reason='mujoco is not installed')
os.environ.setdefault('LP_NUM_THREADS', '1')

from training import render
from training.scenes.catalogue import CATALOGUE_DIR, read_catalogues
from training.scenes.furniture import CACHE_DIR


@pytest.fixture(scope='module')
def studio():
    if not CATALOGUE_DIR.exists():
        pytest.skip(f'{CATALOGUE_DIR} is absent: sweethome3d-furniture is not installed')
    try:
        return render.Studio(read_catalogues(), CACHE_DIR)
    except (ImportError, RuntimeError, AttributeError) as error:
        pytest.skip(f'no EGL display: {error}')


def test_a_training_file_holds_a_clip_and_stills(studio, tmp_path) -> None:
    path = tmp_path / '0000004.npz'

    render.write_train(studio, 4, path)

    with np.load(path) as file:
        assert file['rgb'].shape == (32, 192, 256, 3)
        assert file['depth'].shape == (32, 192, 256)
        assert (file['rgb'].dtype, file['depth'].dtype) == (np.uint8, np.float16)
        assert file['world_T_cam'].shape == (32, 4, 4)
        assert file['starts'].tolist() == [0, *range(24, 32)]
        places = file['world_T_cam'][24:, :3, 3]
        assert len(np.unique(places.round(3), axis=0)) == 8
        fx, fy, cx, cy = file['intrinsics'][0]
        assert fx == fy
        assert (cx, cy) == (127.5, 95.5)
        assert 128 / fx == pytest.approx(np.tan(np.deg2rad(file['fov_deg'][0]) / 2))
        assert np.isfinite(file['depth']).all()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_video_is_a_folder_of_pictures_depth_and_poses(studio, tmp_path) -> None:
    folder = tmp_path / '1000000'

    render.write_video(studio, 1_000_000, folder, 3, 'short')

    assert [entry.name for entry in tmp_path.iterdir()] == ['1000000']
    assert len((folder / 'poses.txt').read_text().splitlines()) == 3
    assert json.loads((folder / 'intrinsics.json').read_text())['width'] == 320
    assert cv2.imread(str(folder / 'rgb' / '000002.jpg')).shape == (240, 320, 3)
    depth = cv2.imread(str(folder / 'depth' / '000002.png'), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    assert depth.min() > 250  # millimetres: the camera keeps its distance


def test_a_scene_that_is_there_is_left_alone(tmp_path, monkeypatch) -> None:
    done = tmp_path / 'train' / '0000007.npz'
    done.parent.mkdir()
    done.write_bytes(b'kept')
    arguments = ['render', '--out', str(tmp_path), '--split', 'train', '--scenes', '7:8']
    monkeypatch.setattr('sys.argv', arguments)

    number, reason = render.render_one((render.parse_arguments(), 7))

    assert (number, reason) == (7, '')
    assert done.read_bytes() == b'kept'
