"""
The plain folder layout: rgb/000000.jpg, depth/000000.png, poses.txt, intrinsics.json.

depth: 16-bit PNG in millimetres, 0 invalid. poses.txt: TUM lines (seconds tx ty tz qx qy qz qw),
one a frame, camera to world, optical frame; may be missing. intrinsics.json: width, height, fx,
fy, cx, cy in pixels of the stored images, optionally distortion_model, distortion and max_depth_m.
"""

from functools import partial
import json
from pathlib import Path
from typing import Any

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.sequence import (
    INDOOR_M,
    NS_PER_SECOND,
    OUTDOOR_M,
    read_depth_png,
    read_rgb,
    read_tum_poses,
    Shot,
    subfolders,
    to_ns,
    Video,
)

MILLIMETRES = 1000.0
FPS = 30  # of stamps where there is no poses.txt
FAR_SHARE = 0.01  # of the true depth beyond 10 m: more makes it an outdoor scene
PROBES = 10


def open_folder(root: Path) -> list[Video]:
    """
    Open one sequence, or every sequence below root.

    :raises InputError: a part is missing or does not fit.
    """
    return [_open(path) for path in subfolders(root, 'rgb')]


def _open(path: Path) -> Video:
    images = sorted(
        file for file in (path / 'rgb').iterdir() if file.suffix in {'.jpg', '.jpeg', '.png'}
    )
    numbers = _intrinsics(path / 'intrinsics.json')
    depths = [path / 'depth' / f'{image.stem}.png' for image in images]
    stamps, poses = _poses(path / 'poses.txt', len(images))
    shots = [
        Shot(
            stamp,
            partial(read_rgb, image),
            partial(read_depth_png, depth, MILLIMETRES) if depth.exists() else None,
            world_T_cam,
        )
        for image, depth, stamp, world_T_cam in zip(images, depths, stamps, poses, strict=True)
    ]
    present = [depth for depth in depths if depth.exists()]
    if not present:
        raise InputError(f'{path / "depth"} holds no depth of the images in {path / "rgb"}')
    max_depth_m = float(numbers['max_depth_m']) if 'max_depth_m' in numbers else _range_m(present)
    return Video(path.name, _camera(numbers, path), max_depth_m, shots)


def _intrinsics(file: Path) -> dict[str, Any]:
    try:
        numbers = json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(f'{file} cannot be read as JSON: {error}') from None
    if not isinstance(numbers, dict):
        raise InputError(f'{file} holds no object with width, height, fx, fy, cx, cy')
    return numbers


def _camera(numbers: dict[str, Any], path: Path) -> Camera:
    try:
        return Camera(
            int(numbers['width']),
            int(numbers['height']),
            *(float(numbers[name]) for name in ('fx', 'fy', 'cx', 'cy')),
            str(numbers.get('distortion_model', 'none')),
            tuple(float(value) for value in numbers.get('distortion', ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f'{path}/intrinsics.json needs width, height, fx, fy, cx and cy as numbers ({error!r})'
        ) from None


def _poses(file: Path, count: int) -> tuple[list[int], list[np.ndarray | None]]:
    if not file.exists():
        return [i * NS_PER_SECOND // FPS for i in range(count)], [None] * count
    seconds, poses = read_tum_poses(file)
    if len(poses) != count:
        raise InputError(f'{file} has {len(poses)} lines, there are {count} images; one each')
    return [to_ns(second) for second in seconds], list(poses)


def _range_m(depths: list[Path]) -> float:
    """Tell an outdoor scene, scored up to 80 m, from an indoor one, up to 10 m."""
    probed = depths[:: max(1, len(depths) // PROBES)]
    values = np.concatenate([read_depth_png(file, MILLIMETRES).ravel() for file in probed])
    values = values[np.isfinite(values)]
    far = len(values) > 0 and (values > INDOOR_M).mean() > FAR_SHARE
    return OUTDOOR_M if far else INDOOR_M
