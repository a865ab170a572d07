import time

import numpy as np
import pytest
from wall import check, Wall, write_image

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.kitti import open_kitti

CAMERA = Camera(1242, 375, 721.5377, 721.5377, 609.5593, 172.854)
BASELINE_PX_M = 44.85728  # P_rect_02[0, 3]: camera 2 is 6 cm beside camera 0
DRIVE = '2011_09_26_drive_0001_sync'
LATITUDE, LONGITUDE = 49.015, 8.43
EARTH_M = 6378137.0


def rotation(axis, angle):
    c, s = np.cos(angle), np.sin(angle)
    return {
        'x': np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        'y': np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        'z': np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def transform(turn, move):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, move
    return matrix


# imu and velodyne: x forward, y left, z up; camera: x right, y down, z forward
AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
VELO_T_IMU = transform(rotation('z', 0.0148), [-0.81, 0.32, -0.8])
CAM_T_VELO = transform(rotation('x', 0.0075) @ AXES, [-0.004, -0.076, -0.272])
RECTIFY = transform(rotation('y', 0.01), [0.0, 0.0, 0.0])
CAM2_T_CAM0 = transform(np.eye(3), [BASELINE_PX_M / CAMERA.fx, 0.0, 0.0])


def oxts_line(world_T_imu):
    """Invert the devkit's Mercator projection and its Rz(yaw) Ry(pitch) Rx(roll)."""
    scale = np.cos(np.radians(LATITUDE))
    x0 = scale * np.radians(LONGITUDE) * EARTH_M
    y0 = scale * EARTH_M * np.log(np.tan(np.radians(90.0 + LATITUDE) / 2.0))
    x, y, z = world_T_imu[:3, 3]
    longitude = np.degrees((x0 + x) / (scale * EARTH_M))
    latitude = 2.0 * np.degrees(np.arctan(np.exp((y0 + y) / (scale * EARTH_M)))) - 90.0
    r = world_T_imu[:3, :3]
    roll, pitch = np.arctan2(r[2, 1], r[2, 2]), -np.arcsin(r[2, 0])
    yaw = np.arctan2(r[1, 0], r[0, 0])
    numbers = [latitude, longitude, 112.8 + z, roll, pitch, yaw, *([0.0] * 24)]
    return ' '.join(f'{number:.13f}' for number in numbers) + '\n'


def write(root, wall, annotated=None, part='val'):
    day = root / 'raw/2011_09_26'
    path = day / DRIVE
    imu_T_cam = np.linalg.inv(CAM2_T_CAM0 @ RECTIFY @ CAM_T_VELO @ VELO_T_IMU)
    # The car's first pose: at the page's latitude, heading somewhere, level.
    start = transform(rotation('z', 0.7), [0.0, 0.0, 0.0]) @ imu_T_cam
    (path / 'oxts/data').mkdir(parents=True)
    stamps = ''
    for index in range(wall.frames):
        name = f'{index:010d}'
        write_image(path / f'image_02/data/{name}.png', wall.rgb())
        moved = start @ np.linalg.inv(wall.world_T_cam(0)) @ wall.world_T_cam(index)
        world_T_imu = moved @ np.linalg.inv(imu_T_cam)
        (path / f'oxts/data/{name}.txt').write_text(oxts_line(world_T_imu))
        stamps += f'2011-09-26 13:02:25.{900_000_000 + index:09d}\n'
        if annotated is None or index in annotated:
            depth = root / f'depth/{part}/{DRIVE}/proj_depth/groundtruth/image_02/{name}.png'
            write_image(depth, wall.steps(index, 256.0))
    (path / 'image_02/timestamps.txt').write_text(stamps)
    projection = np.array([
        [CAMERA.fx, 0, CAMERA.cx, BASELINE_PX_M], [0, CAMERA.fy, CAMERA.cy, 0], [0, 0, 1, 0],
    ])  # fmt: skip

    def numbers(values):
        return ' '.join(f'{value:.12e}' for value in np.ravel(values))

    (day / 'calib_cam_to_cam.txt').write_text(
        'calib_time: 09-Jan-2012 13:57:47\n'
        f'R_rect_00: {numbers(RECTIFY[:3, :3])}\nP_rect_02: {numbers(projection)}\n'
    )
    for name, matrix in (('velo_to_cam', CAM_T_VELO), ('imu_to_velo', VELO_T_IMU)):
        (day / f'calib_{name}.txt').write_text(
            f'calib_time: 25-May-2012 16:47:16\nR: {numbers(matrix[:3, :3])}\n'
            f'T: {numbers(matrix[:3, 3])}\n'
        )


def test_depth_is_256_a_metre_and_poses_follow_the_devkit(tmp_path) -> None:
    wall = Wall(CAMERA, distance_m=30.0)
    write(tmp_path, wall)

    (video,) = open_kitti(tmp_path)

    # 1e-4 m: camera 2's offset is fx b / fx of seven digits, and the projection is metres
    # from 1e6 m; half a step of depth is 2 mm.
    check(video, wall, step_m=0.5 / 256.0, pose_tolerance=1e-4, max_depth_m=80.0)
    assert video.shots[1].stamp_ns - video.shots[0].stamp_ns == 1  # nanoseconds are kept
    assert video.shots[0].stamp_ns // 10**9 == 1317042145  # 2011-09-26 13:02:25 UTC


def test_time_stamps_are_utc_wherever_the_machine_is(tmp_path, monkeypatch) -> None:
    write(tmp_path, Wall(CAMERA, frames=1))
    monkeypatch.setenv('TZ', 'Asia/Tokyo')
    time.tzset()
    try:
        (video,) = open_kitti(tmp_path)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert video.shots[0].stamp_ns // 10**9 == 1317042145


def test_the_training_part_is_read_too(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=1), part='train')

    assert [video.name for video in open_kitti(tmp_path)] == [DRIVE]


def test_images_without_annotated_depth_are_skipped_and_counted(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=3), annotated=(1, 2))

    (video,) = open_kitti(tmp_path)

    assert len(video) == 2
    assert video.counts == {'images without annotated depth': 1}


def test_a_missing_calibration_is_named(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=1))
    (tmp_path / 'raw/2011_09_26/calib_imu_to_velo.txt').unlink()

    with pytest.raises(InputError, match=r'calib_imu_to_velo.txt is missing'):
        open_kitti(tmp_path)


def test_what_of_a_drive_is_missing_is_named(tmp_path) -> None:
    write(tmp_path, Wall(CAMERA, frames=2))
    images = tmp_path / f'raw/2011_09_26/{DRIVE}/image_02'

    stamps = images / 'timestamps.txt'
    stamps.write_text(stamps.read_text().splitlines()[0])
    with pytest.raises(InputError, match='fewer lines than there are images'):
        open_kitti(tmp_path)
    for name in ('0000000000', '0000000001'):
        (images / f'data/{name}.png').rename(images / f'data/{name[:-2]}5{name[-1]}.png')
    with pytest.raises(InputError, match='annotates none of the images'):
        open_kitti(tmp_path)
    for file in (images / 'data').iterdir():
        file.unlink()
    with pytest.raises(InputError, match='holds no images of the drive'):
        open_kitti(tmp_path)


def test_a_root_without_annotated_depth_says_what_to_unpack(tmp_path) -> None:
    with pytest.raises(InputError, match=r'data_depth_annotated.zip'):
        open_kitti(tmp_path)
