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
# The page's file of scales, one for each scene: less than 0, the camera looks along -z.
SCALES = (-6.238, -2.6919, -6.9887, -6.1620, -6.1817, -7.7468, -5.8562, -6.1502, -5.9528)
SCALE = SCALES[2]


def reconstruction(wall, index, scale=SCALE):
    """Turn a metric optical pose into Rw2c and Tw2c: Bundler's axes, COLMAP's unit."""
    flip = np.diag([1.0, -1.0, -1.0])
    cam_T_world = np.linalg.inv(wall.world_T_cam(index))
    return flip @ cam_T_world[:3, :3], flip @ cam_T_world[:3, 3] * abs(scale)


def write(root, wall):
    for index in range(wall.frames):
        scene = root / 'gmu_scene_003'
        write_image(scene / f'Images/rgb_{index + 1}.png', wall.rgb())
        write_image(scene / f'Depths/depth_{index + 1}.png', wall.steps(index, 1000.0))
    write_poses(root, wall, 3)


def write_poses(root, wall, scene):
    poses = []
    for index in range(wall.frames):
        rotation, translation = reconstruction(wall, index, SCALES[scene - 1])
        poses.append((f'rgb_{index + 1}.png', rotation, translation[None]))
    fields = [('imgName', object), ('Rw2c', object), ('Tw2c', object)]
    folder = root / 'gmu-kitchens_info/scene_pose_info'
    folder.mkdir(parents=True)
    file = folder / f'scene_{scene}_reconstruct_info_frame_sort.mat'
    scipy_io.savemat(file, {'frames': np.array(poses, fields)})


def test_depth_is_millimetres_and_poses_are_metric_optical(tmp_path) -> None:
    wall = Wall(CAMERA, frames=2)
    write(tmp_path, wall)

    (video,) = open_gmu_kitchen(tmp_path)

    check(video, wall, step_m=0.0005)
    assert np.diff([shot.stamp_ns for shot in video.shots]).tolist() == [33_333_333]  # 30 Hz


@pytest.mark.parametrize('scene', range(1, 10))
def test_each_scenes_own_scale_makes_metres(tmp_path, scene) -> None:
    wall = Wall(CAMERA, frames=2)
    write_poses(tmp_path, wall, scene)
    for name in ('rgb_1.png', 'rgb_2.png'):
        write_image(tmp_path / f'gmu_scene_00{scene}/Images/{name}', np.zeros((2, 2), np.uint8))

    (video,) = open_gmu_kitchen(tmp_path)

    first, second = (shot.world_T_cam for shot in video.shots)
    moved = np.linalg.inv(wall.world_T_cam(0)) @ wall.world_T_cam(1)
    assert np.linalg.inv(first) @ second == pytest.approx(moved, abs=1e-9)


def test_frames_are_in_the_order_of_numbers_and_missing_depth_is_counted(tmp_path) -> None:
    wall = Wall(CAMERA, frames=2)
    write(tmp_path, wall)
    scene = tmp_path / 'gmu_scene_003'
    for number in (9, 10):  # by name, rgb_10 comes before rgb_9
        write_image(scene / f'Images/rgb_{number}.png', wall.rgb())

    (video,) = open_gmu_kitchen(tmp_path)

    assert len(video) == 4
    assert np.isnan(video.read(2).depth_m).all()
    assert video.counts == {
        'frames without true depth': 2,
        'frames without a true pose': 2,
        'gaps in time': 1,
    }


def test_a_folder_that_is_no_scene_is_refused(tmp_path) -> None:
    write_image(tmp_path / 'kitchen/Images/rgb_1.png', np.zeros((4, 4, 3), np.uint8))

    with pytest.raises(InputError, match='a scene is named gmu_scene_001'):
        open_gmu_kitchen(tmp_path)


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
