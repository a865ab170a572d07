import numpy as np
import pytest
from wall import check, HOLE, Wall, write_image

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.seven_scenes import open_seven_scenes

CAMERA = Camera(640, 480, 585.0, 585.0, 320.0, 240.0)


def write(path, wall):
    for index in range(wall.frames):
        name = f'frame-{index:06d}'
        write_image(path / f'{name}.color.png', wall.rgb())
        depth = wall.steps(index, 1000.0, invalid=65535)
        depth[HOLE][:5] = 0  # some of what is unknown, as files have it too
        write_image(path / f'{name}.depth.png', depth)
        rows = [' '.join(f'{v: .7e}' for v in row) for row in wall.world_T_cam(index)]
        (path / f'{name}.pose.txt').write_text('\t\n'.join(rows) + '\n')


def test_depth_is_millimetres_with_65535_invalid_and_poses_are_camera_to_world(tmp_path) -> None:
    wall = Wall(CAMERA)
    write(tmp_path / 'chess/seq-01', wall)

    (video,) = open_seven_scenes(tmp_path / 'chess')

    check(video, wall, step_m=0.0005)
    assert video.name == 'chess_seq-01'
    assert [shot.stamp_ns for shot in video.shots] == [0, 33_333_333, 66_666_666]


def test_a_missing_depth_image_is_counted(tmp_path) -> None:
    write(tmp_path / 'seq-01', Wall(CAMERA, frames=3))
    (tmp_path / 'seq-01/frame-000001.depth.png').unlink()

    (video,) = open_seven_scenes(tmp_path / 'seq-01')

    assert np.isnan(video.read(1).depth_m).all()
    assert video.counts == {'frames without true depth': 1}


@pytest.mark.parametrize(
    ('matrix', 'said'),
    [
        (2.0 * np.eye(4), 'not a rigid transform'),
        (np.diag([1.0, 1.0, -1.0, 1.0]), 'not a rigid transform'),  # a reflection
        (np.eye(4)[:3], r'is \(3, 4\), a pose is a matrix of 4x4'),
    ],
)
def test_a_matrix_that_is_no_pose_is_refused(tmp_path, matrix, said) -> None:
    write(tmp_path / 'seq-01', Wall(CAMERA, frames=1))
    np.savetxt(tmp_path / 'seq-01/frame-000000.pose.txt', matrix)

    with pytest.raises(InputError, match=said):
        open_seven_scenes(tmp_path)


def test_a_missing_pose_is_named_and_a_missing_frame_is_a_gap(tmp_path) -> None:
    write(tmp_path / 'seq-01', Wall(CAMERA, frames=4))
    for part in ('color.png', 'depth.png', 'pose.txt'):
        last = tmp_path / f'seq-01/frame-000003.{part}'
        last.rename(last.with_name(f'frame-000020.{part}'))

    assert open_seven_scenes(tmp_path)[0].counts == {'gaps in time': 1}
    (tmp_path / 'seq-01/frame-000001.pose.txt').unlink()
    with pytest.raises(InputError, match=r'frame-000001.pose.txt is missing'):
        open_seven_scenes(tmp_path)
