"""
7-Scenes: seq-XX/frame-000000.color.png, .depth.png, .pose.txt.

640x480. Depth: 16 bit, millimetres, 65535 invalid (0 too). Pose: 4x4 camera to world. Focal length
585 and principal point (320, 240) for both cameras, which are not registered to each other.
Source: https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/ (Overview, Dataset
Details: "the RGB and depth camera have not been calibrated and we can't provide calibration
parameters at the moment"; "for frames without valid depth: 65535"); KinectFusion's depth, 30 Hz.
"""

from functools import partial
from pathlib import Path

from depthsync_ros.core.camera import Camera
from depthsync_ros.datasets.sequence import (
    INDOOR_M,
    NS_PER_SECOND,
    read_depth_png,
    read_matrix,
    read_rgb,
    Shot,
    subfolders,
    Video,
)

CAMERA = Camera(640, 480, 585.0, 585.0, 320.0, 240.0)
MILLIMETRES = 1000.0
INVALID = (0, 65535)
FPS = 30


def open_seven_scenes(root: Path) -> list[Video]:
    """
    Open a scene (its seq-XX folders), or one sequence.

    :raises InputError: a file is missing or is not what it should be.
    """
    return [_open(path) for path in subfolders(root, 'frame-000000.color.png')]


def _open(path: Path) -> Video:
    shots = []
    for colour in sorted(path.glob('frame-*.color.png')):
        number = colour.name.split('.')[0]
        depth = path / f'{number}.depth.png'
        shots.append(
            Shot(
                int(number.removeprefix('frame-')) * NS_PER_SECOND // FPS,
                partial(read_rgb, colour),
                partial(read_depth_png, depth, MILLIMETRES, INVALID) if depth.exists() else None,
                read_matrix(path / f'{number}.pose.txt'),
            )
        )
    return Video(f'{path.parent.name}_{path.name}', CAMERA, INDOOR_M, shots)
