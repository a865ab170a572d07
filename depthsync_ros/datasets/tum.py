"""
TUM RGB-D, and the datasets in its layout: Bonn RGB-D Dynamic and ICL-NUIM.

TUM: rgb.txt and depth.txt list 'seconds file', groundtruth.txt 'seconds tx ty tz qx qy qz qw', the
colour camera's optical centre in the world. Depth PNG: 16 bit, 5000 a metre, 0 invalid,
registered to colour. Colour, depth and pose are associated by nearest time within 20 ms.
Source: https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats (format and intrinsics),
/tools (associate.py: 20 ms, one to one).

Bonn: the same layout; groundtruth.txt is of the marker body in the motion capture's axes, the
sensor is T_ros^-1 T T_ros T_m. Source: https://www.ipb.uni-bonn.de/data/rgbd-dynamic-dataset/

ICL-NUIM, TUM-compatible PNGs: associations.txt lists 'frame depth frame rgb', *.gt.freiburg has
the frame number for a time, 30 Hz. The images are stored top down, but the poses are of the
renderer's camera, y up: they are reflected at the xz plane, and fy is +480 (the page's -480 is
for the renderer's own format, whose .depth files hold distances from the camera's centre; the
PNGs are read as depth along the axis, as TUM defines it).
Source: https://www.doc.ic.ac.uk/~ahanda/VaFRIC/iclnuim.html and /codes.html; that the reflection
is needed: https://github.com/nvidia-isaac/cuVSLAM/pull/135
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Transform
from depthsync_ros.datasets.sequence import (
    INDOOR_M,
    NS_PER_SECOND,
    read_depth_png,
    read_rgb,
    read_tum_poses,
    Shot,
    subfolders,
    to_ns,
    Video,
)

PER_METRE = 5000.0
WITHIN_S = 0.02
ICL_FPS = 30
ASSOCIATION_COLUMNS = 4

KINECTS = {
    'freiburg1': Camera(
        640, 480, 517.3, 516.5, 318.6, 255.3, 'plumb_bob',
        (0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    ),
    'freiburg2': Camera(
        640, 480, 520.9, 521.0, 325.1, 249.7, 'plumb_bob',
        (0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
    ),
    'freiburg3': Camera(640, 480, 535.4, 539.2, 320.1, 247.6),
}  # fmt: skip
BONN = Camera(
    640,
    480,
    542.822841,
    542.576870,
    315.593520,
    237.756098,
    'plumb_bob',
    (0.039903, -0.099343, -0.000730, -0.000144, 0.0),
)
ICL = Camera(640, 480, 481.20, 480.00, 319.50, 239.50)

BONN_AXES = np.array([[-1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]])
BONN_MARKER = np.array([
    [1.0157, 0.1828, -0.2389, 0.0113],
    [0.0009, -0.8431, -0.6413, -0.0098],
    [-0.3009, 0.6147, -0.8085, 0.0111],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
MIRROR = np.diag([1.0, -1.0, 1.0, 1.0])


def open_tum(root: Path) -> list[Video]:
    """
    Open TUM RGB-D sequences; their folder's name says which Kinect it was.

    :raises InputError: a list is missing, or the name holds none of freiburg1, 2, 3.
    """
    return [_recorded(path, _kinect(path), _as_it_is) for path in subfolders(root, 'rgb.txt')]


def open_bonn(root: Path) -> list[Video]:
    """
    Open Bonn RGB-D Dynamic sequences.

    :raises InputError: a list is missing.
    """
    return [_recorded(path, BONN, bonn_camera) for path in subfolders(root, 'rgb.txt')]


def open_icl(root: Path) -> list[Video]:
    """
    Open ICL-NUIM sequences of TUM-compatible PNGs.

    :raises InputError: associations.txt or the trajectory is missing.
    """
    return [_rendered(path) for path in subfolders(root, 'associations.txt')]


def bonn_camera(world_T_marker: Transform) -> Transform:
    """
    Turn the pose that is published into the camera's.

    Convention: the published T_m has a scale of 1.06 in its rotation; the nearest rotation is
        taken.
    """
    left, _, right = np.linalg.svd(BONN_MARKER[:3, :3])
    marker_T_cam = BONN_MARKER.copy()
    marker_T_cam[:3, :3] = left @ right
    return np.linalg.inv(BONN_AXES) @ world_T_marker @ BONN_AXES @ marker_T_cam


def mirrored(pose: Transform) -> Transform:
    """Turn a pose with y up, in camera and world, into one with y down in both."""
    return MIRROR @ pose @ MIRROR


def associate(first: np.ndarray, second: np.ndarray, within: float) -> list[tuple[int, int]]:
    """
    Pair times one to one, the nearest first, as the benchmark's associate.py does.

    >>> associate(np.array([0.0, 1.0]), np.array([0.9, 1.01, 5.0]), 0.2)
    [(1, 1)]
    """
    nearest = np.searchsorted(second, first)
    candidates = []
    for i, place in enumerate(nearest):
        for j in (place - 1, place):
            if 0 <= j < len(second) and abs(first[i] - second[j]) < within:
                candidates.append((abs(first[i] - second[j]), i, int(j)))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(candidates):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return sorted(pairs.items())


@dataclass(frozen=True, eq=False)
class _Listed:
    """A list of files with their times."""

    seconds: np.ndarray
    files: Sequence[Path]


def _kinect(path: Path) -> Camera:
    for name, camera in KINECTS.items():
        if name in path.name:
            return camera
    raise InputError(
        f'{path}: the folder must keep its name, such as rgbd_dataset_freiburg1_desk: it says '
        f'which camera it was ({", ".join(KINECTS)})'
    )


def _as_it_is(world_T_cam: Transform) -> Transform:
    return world_T_cam


def _recorded(path: Path, camera: Camera, convert: Callable[[Transform], Transform]) -> Video:
    colour, depth = _read_list(path / 'rgb.txt'), _read_list(path / 'depth.txt')
    seconds, poses = read_tum_poses(path / 'groundtruth.txt')
    pairs = associate(colour.seconds, depth.seconds, WITHIN_S)
    posed = dict(associate(colour.seconds, seconds, WITHIN_S))
    shots = [
        Shot(
            to_ns(colour.seconds[i]),
            partial(read_rgb, colour.files[i]),
            partial(read_depth_png, depth.files[j], PER_METRE),
            convert(poses[posed[i]]) if i in posed else None,
        )
        for i, j in pairs
    ]
    skipped = {'colour images without depth within 20 ms': len(colour.files) - len(pairs)}
    return Video(path.name, camera, INDOOR_M, shots, skipped=skipped)


def _rendered(path: Path) -> Video:
    lines = _lines(path / 'associations.txt')
    if any(len(line) != ASSOCIATION_COLUMNS for line in lines):
        raise InputError(f"{path / 'associations.txt'}: a line is 'frame depth frame rgb'")
    trajectories = sorted(path.glob('*.gt.freiburg'))
    if len(trajectories) != 1:
        raise InputError(
            f'{path} holds {len(trajectories)} files *.gt.freiburg, one is needed: put the one '
            'that belongs to the images there'
        )
    numbers, poses = read_tum_poses(trajectories[0])
    pose_of = {round(number): mirrored(pose) for number, pose in zip(numbers, poses, strict=True)}
    shots = []
    for _, depth, frame, rgb in lines:
        number = int(float(frame))
        stamp_ns = number * NS_PER_SECOND // ICL_FPS
        read_depth = partial(read_depth_png, path / depth, PER_METRE)
        shots.append(
            Shot(stamp_ns, partial(read_rgb, path / rgb), read_depth, pose_of.get(number))
        )
    return Video(path.name, ICL, INDOOR_M, shots)


def _read_list(file: Path) -> _Listed:
    lines = _lines(file)
    try:
        seconds = np.array([float(line[0]) for line in lines])
        files = [file.parent / line[1] for line in lines]
    except (ValueError, IndexError):
        raise InputError(f"{file}: a line is not 'seconds file'") from None
    return _Listed(seconds, files)


def _lines(file: Path) -> list[list[str]]:
    if not file.exists():
        raise InputError(f'{file} is missing')
    words = [line.split() for line in file.read_text(encoding='utf-8').splitlines()]
    return [line for line in words if line and not line[0].startswith('#')]
