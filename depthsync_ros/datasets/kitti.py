"""
KITTI raw with the improved depth of the depth benchmark.

Raw data, below root or root/raw: 2011_09_26/calib_*.txt and 2011_09_26/2011_09_26_drive_0001_sync/
with image_02/data/0000000005.png, image_02/timestamps.txt and oxts/data/0000000005.txt.
Depth, below root or root/depth: train or val/2011_09_26_drive_0001_sync/proj_depth/groundtruth/
image_02/0000000005.png, 16 bit, 256 a metre, 0 invalid; a drive's first and last five images have
none. Images are rectified; P_rect_02 is their camera. Poses: GPS and IMU.
Source: devkit_raw_data.zip (readme.txt: calibration, oxts; matlab/convertOxtsToPose.m) and the
depth devkit (readme.txt), https://www.cvlibs.net/datasets/kitti/raw_data.php, /eval_depth_all.php
"""

from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Transform
from depthsync_ros.datasets.sequence import (
    NS_PER_SECOND,
    OUTDOOR_M,
    read_depth_png,
    read_numbers,
    read_rgb,
    Shot,
    Video,
)

PER_METRE = 256.0
EARTH_M = 6378137.0  # the radius that the devkit projects with


def open_kitti(root: Path) -> list[Video]:
    """
    Open every drive that has annotated depth.

    :raises InputError: there is none, or a calibration is missing.
    """
    pattern = '{}/*_sync/proj_depth/groundtruth/image_02'
    base = root / 'depth' if (root / 'depth').is_dir() else root
    found = [path for part in ('train', 'val') for path in sorted(base.glob(pattern.format(part)))]
    if not found:
        raise InputError(
            f'{base} holds no {pattern.format("train")}: unpack data_depth_annotated.zip there'
        )
    raw = root / 'raw' if (root / 'raw').is_dir() else root
    return [_open(raw, path) for path in found]


def oxts_pose(row: np.ndarray, scale: float) -> Transform:
    """
    Give the IMU's pose in the world of the devkit: Mercator metres, x east, y north, z up.

    Source: devkit_raw_data, convertOxtsToPose.m; row is lat, lon, alt, roll, pitch, yaw.
    """
    latitude, longitude, altitude, roll, pitch, yaw = row[:6]
    world_T_imu = np.eye(4)
    world_T_imu[:3, :3] = _turn(2, yaw) @ _turn(1, pitch) @ _turn(0, roll)
    world_T_imu[:3, 3] = (
        scale * np.radians(longitude) * EARTH_M,
        scale * EARTH_M * np.log(np.tan(np.radians(90.0 + latitude) / 2.0)),
        altitude,
    )
    return world_T_imu


def relative_oxts_pose(row: np.ndarray, origin: np.ndarray) -> Transform:
    """Give a pose with the world's origin at another row's place: the axes stay the world's."""
    scale = float(np.cos(np.radians(origin[0])))
    world_T_imu = oxts_pose(row, scale)
    world_T_imu[:3, 3] -= oxts_pose(origin, scale)[:3, 3]  # thousands of kilometres, else
    return world_T_imu


def _turn(axis: int, angle_rad: float) -> np.ndarray:
    """Rotate about an axis, right-handed."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = np.cos(angle_rad)
    rotation[j, i] = np.sin(angle_rad)
    rotation[i, j] = -rotation[j, i]
    return rotation


def _open(raw: Path, depths: Path) -> Video:
    drive = depths.parents[2].name
    day = raw / drive[:10]
    path = day / drive
    images = sorted((path / 'image_02' / 'data').glob('*.png'))
    if not images:
        raise InputError(
            f'{path}/image_02/data holds no images of the drive with annotated depth; unpack the '
            "raw data's synced and rectified drive there"
        )
    kept = [image for image in images if (depths / image.name).exists()]
    if not kept:
        raise InputError(f'{depths} annotates none of the images in {path}/image_02/data')
    projection = _calibration(day / 'calib_cam_to_cam.txt', 'P_rect_02').reshape(3, 4)
    stamps = _stamps(path / 'image_02' / 'timestamps.txt')
    if len(stamps) <= int(images[-1].stem):
        raise InputError(f'{path}/image_02/timestamps.txt has fewer lines than there are images')
    imu_T_cam = _imu_T_cam(day, projection)
    rows = [read_numbers(path / 'oxts' / 'data' / f'{image.stem}.txt')[0] for image in kept]
    shots = [
        Shot(
            stamps[int(image.stem)],
            partial(read_rgb, image),
            partial(read_depth_png, depths / image.name, PER_METRE),
            relative_oxts_pose(row, rows[0]) @ imu_T_cam,
        )
        for image, row in zip(kept, rows, strict=True)
    ]
    height, width = read_depth_png(depths / kept[0].name, PER_METRE).shape
    camera = Camera(width, height, *(projection[i] for i in ((0, 0), (1, 1), (0, 2), (1, 2))))
    skipped = {'images without annotated depth': len(images) - len(kept)}
    return Video(drive, camera, OUTDOOR_M, shots, skipped=skipped)


def _imu_T_cam(day: Path, projection: np.ndarray) -> Transform:
    """Chain imu -> velodyne -> camera 0 -> rectified camera 0 -> rectified camera 2."""
    rectified_T_cam0 = np.eye(4)
    rectified_T_cam0[:3, :3] = _calibration(day / 'calib_cam_to_cam.txt', 'R_rect_00').reshape(
        3, 3
    )
    cam2_T_rectified = np.eye(4)
    cam2_T_rectified[:3, 3] = np.linalg.solve(projection[:, :3], projection[:, 3])
    cam0_T_velodyne = _rigid(day / 'calib_velo_to_cam.txt')
    velodyne_T_imu = _rigid(day / 'calib_imu_to_velo.txt')
    return np.linalg.inv(cam2_T_rectified @ rectified_T_cam0 @ cam0_T_velodyne @ velodyne_T_imu)


def _rigid(file: Path) -> Transform:
    transform = np.eye(4)
    transform[:3, :3] = _calibration(file, 'R').reshape(3, 3)
    transform[:3, 3] = _calibration(file, 'T')
    return transform


def _calibration(file: Path, name: str) -> np.ndarray:
    if not file.exists():
        raise InputError(f"{file} is missing: unpack the day's calibration there")
    for line in file.read_text(encoding='utf-8').splitlines():
        key, _, values = line.partition(':')
        if key == name:
            return np.array([float(value) for value in values.split()])
    raise InputError(f'{file} holds no {name}')


def _stamps(file: Path) -> list[int]:
    """Read lines such as 2011-09-26 13:02:25.964389445, to the nanosecond."""
    if not file.exists():
        raise InputError(f'{file} is missing')
    stamps = []
    for line in file.read_text(encoding='utf-8').split('\n'):
        if line.strip():
            whole, _, fraction = line.strip().partition('.')
            moment = datetime.strptime(whole, '%Y-%m-%d %H:%M:%S').replace(tzinfo=timezone.utc)
            nanoseconds = int(fraction.ljust(9, '0')[:9]) if fraction else 0
            stamps.append(int(moment.timestamp()) * NS_PER_SECOND + nanoseconds)
    return stamps
