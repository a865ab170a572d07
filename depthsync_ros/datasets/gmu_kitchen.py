"""
GMU Kitchens.

gmu_scene_00N/Images/rgb_K.png, gmu_scene_00N/Depths/depth_K.png, and the poses in
gmu-kitchens_info/scene_pose_info/scene_N_reconstruct_info_frame_sort.mat. 1920x1080, Kinect v2;
depth 16 bit, millimetres, 0 invalid, registered to colour. The .mat file's frames hold imgName,
Rw2c and Tw2c of a reconstruction: world to camera, for a camera that looks along -z with y up
(Bundler's), in units of which |scale| make a metre, one scale a scene.
Source: Georgakis et al. 2016 (arXiv:1609.07826); https://cs.gmu.edu/~robot/gmu-kitchens.html, its
depth2world.m (depth / 1000 * scale, calibration, inverse pose) and its file of scales.
"""

from functools import partial
from pathlib import Path
import re

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Transform
from depthsync_ros.datasets.sequence import (
    check_rigid,
    INDOOR_M,
    NS_PER_SECOND,
    read_depth_png,
    read_rgb,
    Shot,
    subfolders,
    Video,
)

CAMERA = Camera(
    1920, 1080, 1.0477637710998533e03, 1.0511749325842486e03, 9.5926120509632392e02,
    5.2911546499433564e02,
)  # fmt: skip
# The published scales, less their sign: with Bundler's axes turned, depth is positive.
UNITS_PER_METRE = {
    1: 6.238, 2: 2.6919, 3: 6.9887, 4: 6.1620, 5: 6.1817, 6: 7.7468, 7: 5.8562, 8: 6.1502,
    9: 5.9528,
}  # fmt: skip
BUNDLER = np.diag([1.0, -1.0, -1.0])
MILLIMETRES = 1000.0
FPS = 30
POSES = Path('gmu-kitchens_info/scene_pose_info')


def open_gmu_kitchen(root: Path) -> list[Video]:
    """
    Open the scenes below root, or one scene beside gmu-kitchens_info.

    :raises InputError: a file is missing, or scipy is (it reads .mat files).
    """
    return [_open(path) for path in subfolders(root, 'Images')]


def camera_pose(rotation: np.ndarray, translation: np.ndarray, units: float) -> Transform:
    """Turn world to camera, in Bundler's axes and units, into metric camera to world."""
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = rotation.T @ BUNDLER
    world_T_cam[:3, 3] = -rotation.T @ translation / units
    return world_T_cam


def _open(path: Path) -> Video:
    number = re.fullmatch(r'gmu_scene_0*(\d+)', path.name)
    if not number or int(number[1]) not in UNITS_PER_METRE:
        raise InputError(f'{path}: a scene is named gmu_scene_001 to gmu_scene_009')
    scene = int(number[1])
    poses = _poses(path.parent / POSES / f'scene_{scene}_reconstruct_info_frame_sort.mat', scene)
    images = {int(file.stem.split('_')[1]): file for file in path.glob('Images/rgb_*.png')}
    shots = []
    for frame in sorted(images):
        depth = path / 'Depths' / f'depth_{frame}.png'
        shots.append(
            Shot(
                frame * NS_PER_SECOND // FPS,
                partial(read_rgb, images[frame]),
                partial(read_depth_png, depth, MILLIMETRES) if depth.exists() else None,
                poses.get(images[frame].name),
            )
        )
    return Video(path.name, CAMERA, INDOOR_M, shots)


def _poses(file: Path, scene: int) -> dict[str, Transform | None]:
    try:
        from scipy.io import loadmat  # noqa: PLC0415  optional
    except ImportError as error:
        raise InputError('the poses of GMU Kitchens need scipy: pip install scipy') from error
    if not file.exists():
        raise InputError(f'{file} is missing: unpack gmu-kitchens_info beside the scenes')
    frames = loadmat(file, squeeze_me=True)['frames']
    units = UNITS_PER_METRE[scene]
    return {
        str(frame['imgName']): check_rigid(
            camera_pose(
                np.asarray(frame['Rw2c'], float), np.asarray(frame['Tw2c'], float).ravel(), units
            ),
            f'{file}, {frame["imgName"]}',
        )
        for frame in np.atleast_1d(frames)
    }
