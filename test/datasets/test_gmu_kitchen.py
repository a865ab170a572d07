import numpy as np
import pytest
from wall import check, Wall, write_image

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.gmu_kitchen import open_gmu_kitchen

scipy_io = pytest.importorskip('scipy.io', reason='scipy reads .mat files')

CAMERA = Camera(
    1920, 1080, 1047.7637710998533, 1051.1749325842486, 959.26120509632392, 529.11546499433564
)
SCALE = -6.9887  # of scene 3, in the page's file of scales


def reconstruction(wall, index):
    """Turn a metric optical pose into Rw2c and Tw2c: Bundler's axes, COLMAP's unit."""
    flip = np.diag([1.0, -1.0, -1.0])
    cam_T_world = np.linalg.inv(wall.world_T_cam(index))
    return flip @ cam_T_world[:3, :3], flip @ cam_T_world[:3, 3] * abs(SCALE)


def write(root, wall):
    poses = []
    for index in range(wall.frames):
        name = f'rgb_{index + 1}.png'
        write_image(root / f'gmu_scene_003/Images/{name}', wall.rgb())
        write_image(
            root / f'gmu_scene_003/Depths/depth_{index + 1}.png', wall.steps(index, 1000.0)
        )
        rotation, translation = reconstruction(wall, index)
        poses.append((name, rotation, translation[None]))
    fields = [('imgName', object), ('Rw2c', object), ('Tw2c', object)]
    folder = root / 'gmu-kitchens_info/scene_pose_info'
    folder.mkdir(parents=True)
    file = folder / 'scene_3_reconstruct_info_frame_sort.mat'
    scipy_io.savemat(file, {'frames': np.array(poses, fields)})


def test_depth_is_millimetres_and_poses_are_metric_optical(tmp_path) -> None:
    wall = Wall(CAMERA, frames=2)
    write(tmp_path, wall)

    (video,) = open_gmu_kitchen(tmp_path)

    check(video, wall, step_m=0.0005)


def test_the_poses_put_points_where_the_datasets_own_script_puts_them(tmp_path) -> None:
    wall = Wall(CAMERA, frames=2)
    write(tmp_path, wall)
    (video,) = open_gmu_kitchen(tmp_path)
    frame = video.read(1)
    row, column = 400, 700
    z = wall.depth_m(1)[row, column]

    # depth2world.m: x = -(u - cx) z s / fx, y = (v - cy) z s / fy, z s, with s negative
    local = np.array(
        [
            -(column - CAMERA.cx) * z * SCALE / CAMERA.fx,
            (row - CAMERA.cy) * z * SCALE / CAMERA.fy,
            z * SCALE,
        ]
    )
    rotation, translation = reconstruction(wall, 1)
    theirs = rotation.T @ local - rotation.T @ translation

    optical = np.array(
        [(column - CAMERA.cx) * z / CAMERA.fx, (row - CAMERA.cy) * z / CAMERA.fy, z]
    )
    ours = frame.world_T_cam[:3, :3] @ optical + frame.world_T_cam[:3, 3]
    assert ours * abs(SCALE) == pytest.approx(theirs, abs=1e-6)


def test_missing_poses_are_named(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=1))
    next(tmp_path.glob('gmu-kitchens_info/*/*.mat')).unlink()

    with pytest.raises(InputError, match='unpack gmu-kitchens_info'):
        open_gmu_kitchen(tmp_path)
