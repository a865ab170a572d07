import json

import numpy as np
import pytest
from wall import check, Wall, write_image
from wall_folder import CAMERA, write

from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.folder import open_folder


def test_depth_is_millimetres_and_poses_are_camera_to_world(tmp_path) -> None:
    wall = Wall(CAMERA)
    write(tmp_path / 'kitchen', wall)

    (video,) = open_folder(tmp_path)

    check(video, wall, step_m=0.0005)
    assert (video.name, video.max_depth_m, video.counts) == ('kitchen', 10.0, {})


def test_a_far_scene_is_scored_up_to_80_metres_unless_the_folder_says_otherwise(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, distance_m=30.0))

    assert open_folder(tmp_path)[0].max_depth_m == 80.0
    numbers = json.loads((tmp_path / 'intrinsics.json').read_text())
    (tmp_path / 'intrinsics.json').write_text(json.dumps(numbers | {'max_depth_m': 40}))
    assert open_folder(tmp_path)[0].max_depth_m == 40.0


def test_missing_depth_is_counted_and_missing_poses_leave_none(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA))
    (tmp_path / 'depth/000001.png').unlink()
    (tmp_path / 'poses.txt').unlink()

    (video,) = open_folder(tmp_path)

    assert np.isnan(video.read(1).depth_m).all()
    assert video.counts == {'frames without true depth': 1, 'frames without a true pose': 3}


def test_a_gap_in_time_is_counted_and_stamps_that_fall_are_refused(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=12))
    lines = (tmp_path / 'poses.txt').read_text().splitlines()
    rest = [' '.join(line.split()[1:]) for line in lines]

    def stamped(seconds):
        pairs = zip(seconds, rest, strict=True)
        (tmp_path / 'poses.txt').write_text('\n'.join(f'{s} {line}' for s, line in pairs))
        return open_folder(tmp_path)[0]

    assert stamped([*range(6), *range(20, 26)]).counts == {'gaps in time': 1}
    with pytest.raises(InputError, match='stamps must rise'):
        stamped([*range(6), *range(6)])


def test_what_is_wrong_is_named(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA))

    (tmp_path / 'rgb/000002.jpg').unlink()
    with pytest.raises(InputError, match='3 lines, there are 2 images'):
        open_folder(tmp_path)
    (tmp_path / 'poses.txt').unlink()
    write_image(tmp_path / 'depth/000000.png', np.zeros((240, 320), np.uint8))
    with pytest.raises(InputError, match='depth is 16 bit'):
        open_folder(tmp_path)
    (tmp_path / 'intrinsics.json').unlink()
    with pytest.raises(InputError, match=r'intrinsics.json cannot be read'):
        open_folder(tmp_path)
    with pytest.raises(InputError, match='holds no rgb'):
        open_folder(tmp_path / 'depth')


def test_depth_of_another_size_than_the_calibration_is_refused(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=1))
    write_image(tmp_path / 'depth/000000.png', np.full((120, 160), 1000, np.uint16))

    with pytest.raises(InputError, match='160x120, its calibration says 320x240'):
        open_folder(tmp_path)[0].read(0)
