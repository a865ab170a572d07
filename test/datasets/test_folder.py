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
    assert (video.name, video.counts) == ('kitchen', {})


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
    assert [shot.stamp_ns for shot in video.shots] == [0, 33_333_333, 66_666_666]  # 30 Hz


def test_images_may_be_png_and_a_lens_may_be_given(tmp_path) -> None:
    wall = Wall(CAMERA)
    write(tmp_path, wall)
    for file in sorted((tmp_path / 'rgb').iterdir()):
        write_image(file.with_suffix('.png'), wall.rgb())
        file.unlink()
    numbers = json.loads((tmp_path / 'intrinsics.json').read_text())
    lens = {'distortion_model': 'plumb_bob', 'distortion': [0.1, -0.2, 0.001, -0.002, 0.05]}
    (tmp_path / 'intrinsics.json').write_text(json.dumps(numbers | lens))

    (video,) = open_folder(tmp_path)

    check(video, wall, step_m=0.0005)
    assert video.view.distortion_model == 'plumb_bob'
    assert video.view.distortion == (0.1, -0.2, 0.001, -0.002, 0.05)


def test_a_gap_in_time_is_counted_and_stamps_that_fall_are_refused(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=12))
    lines = (tmp_path / 'poses.txt').read_text().splitlines()
    rest = [' '.join(line.split()[1:]) for line in lines]

    def stamped(seconds):
        pairs = zip(seconds, rest, strict=True)
        (tmp_path / 'poses.txt').write_text('\n'.join(f'{s} {line}' for s, line in pairs))
        return open_folder(tmp_path)[0]

    assert stamped([*range(6), *range(20, 26)]).counts == {'gaps in time': 1}
    for seconds in ([*range(6), *range(6)], [*range(6), *range(5, 11)]):  # back, and equal
        with pytest.raises(InputError, match='stamps must rise'):
            stamped(seconds)


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


def test_a_folder_without_any_depth_is_refused(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA))
    for file in (tmp_path / 'depth').iterdir():
        file.unlink()

    with pytest.raises(InputError, match='holds no depth of the images'):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('0.1 1 2 3 0 0 0', '7 columns; a trajectory has 8'),
        ('0.1 1 2 3 0 0 0 0', 'a quaternion of length 0'),
        ('0.1 1 2 3 0 0 0 one', 'is not a table of numbers'),
    ],
)
def test_a_trajectory_that_is_none_is_refused(tmp_path, line, said) -> None:
    write(tmp_path, Wall(CAMERA, frames=1))
    (tmp_path / 'poses.txt').write_text(f'{line}\n')

    with pytest.raises(InputError, match=said):
        open_folder(tmp_path)


def test_an_image_that_vanishes_or_is_damaged_is_named_when_it_is_read(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=2))
    (video,) = open_folder(tmp_path)
    (tmp_path / 'rgb/000000.jpg').unlink()
    (tmp_path / 'rgb/000001.jpg').write_bytes(b'no image')

    for index in range(2):
        with pytest.raises(InputError, match=f'00000{index}.jpg is missing, or not an image'):
            video.read(index)


def test_depth_of_another_size_than_the_calibration_is_refused(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=1))
    write_image(tmp_path / 'depth/000000.png', np.full((120, 160), 1000, np.uint16))

    with pytest.raises(InputError, match='160x120, its calibration says 320x240'):
        open_folder(tmp_path)[0].read(0)
