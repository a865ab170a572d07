"""
ScanNet: exported folders, and .sens files.

Exported by the dataset's reader: color/0.jpg (1296x968), depth/0.png (640x480, 16 bit,
millimetres, 0 invalid), pose/0.txt (4x4 camera to world; -inf where tracking was lost), and
intrinsic/intrinsic_depth.txt, the camera of depth. Colour is resized to depth's size, and 8 rows
and 11 columns are cut off on each side, where depth has no values, as published evaluations do.
Source: https://github.com/ScanNet/ScanNet (README: Data Organization, Data Formats;
SensReader/python/SensorData.py for .sens, version 4); crop: DepthCrafter, benchmark/.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
import struct
from typing import Any, BinaryIO
import zlib

import cv2
import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Map, RgbImage, Transform
from depthsync_ros.datasets.sequence import (
    check_rigid,
    Crop,
    INDOOR_M,
    NS_PER_SECOND,
    read_depth_png,
    read_matrix,
    read_numbers,
    read_rgb,
    Shot,
    subfolders,
    Video,
)

MILLIMETRES = 1000.0
CROP = Crop(8, 11)
FPS = 30
WIDTH, HEIGHT = 640, 480
VERSION = 4
JPEG, ZLIB = 2, 1  # the compressions that ScanNet uses
FRAME = struct.Struct('<16f4Q')


def open_scannet(root: Path) -> list[Video]:
    """
    Open scenes: .sens files, or folders as the dataset's reader exports them.

    :raises InputError: there are none, or a file is not what it should be.
    """
    if root.is_file():
        return [open_sens(root)]
    packed = sorted(root.glob('*.sens')) or sorted(root.glob('*/*.sens'))
    if packed and not (root / 'color').exists():
        return [open_sens(path) for path in packed]
    return [_exported(path) for path in subfolders(root, 'color')]


def open_sens(path: Path) -> Video:
    """
    Open one .sens file; frames are read from it on demand.

    :raises InputError: it is cut off, of another version, or compressed in another way.
    """
    with path.open('rb') as stream:
        try:
            header = _header(stream, path)
            entries = [_entry(stream) for _ in range(header.frames)]
        except struct.error:
            raise InputError(f'{path} is cut off; download it again') from None
    if entries and entries[-1].end > path.stat().st_size:
        raise InputError(f'{path} is cut off; download it again')
    shots = [
        Shot(
            index * NS_PER_SECOND // FPS,  # its own time stamps are 0 in many scenes
            partial(_colour, path, entry),
            partial(_depth, path, entry, header),
            check_rigid(entry.world_T_cam, f'{path}, frame {index}'),
        )
        for index, entry in enumerate(entries)
    ]
    return Video(path.stem, header.camera, INDOOR_M, shots, CROP)


@dataclass(frozen=True)
class _Header:
    """The part of a .sens file before its frames that is used."""

    camera: Camera
    per_metre: float
    frames: int


@dataclass(frozen=True, eq=False)
class _Entry:
    """Where a frame's data lie in a .sens file."""

    world_T_cam: Transform
    start: int
    colour_bytes: int
    depth_bytes: int

    @property
    def end(self) -> int:
        return self.start + self.colour_bytes + self.depth_bytes


def _exported(path: Path) -> Video:
    numbers = sorted(int(file.stem) for file in (path / 'color').glob('*.jpg'))
    intrinsic = read_numbers(path / 'intrinsic' / 'intrinsic_depth.txt')
    shots = []
    for number in numbers:
        depth = path / 'depth' / f'{number}.png'
        shots.append(
            Shot(
                number * NS_PER_SECOND // FPS,
                partial(read_rgb, path / 'color' / f'{number}.jpg'),
                partial(read_depth_png, depth, MILLIMETRES) if depth.exists() else None,
                read_matrix(path / 'pose' / f'{number}.txt'),
            )
        )
    return Video(path.name, _camera(intrinsic, WIDTH, HEIGHT), INDOOR_M, shots, CROP)


def _camera(matrix: np.ndarray, width: int, height: int) -> Camera:
    return Camera(width, height, *(float(matrix[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2))))


def _header(stream: BinaryIO, path: Path) -> _Header:
    def read(layout: str) -> tuple[Any, ...]:
        shape = struct.Struct(f'<{layout}')
        return shape.unpack(stream.read(shape.size))

    (version,) = read('I')
    if version != VERSION:
        raise InputError(f'{path} is a .sens file of version {version}; {VERSION} can be read')
    stream.read(read('Q')[0])  # the sensor's name
    matrices = [np.array(read('16f')).reshape(4, 4) for _ in range(4)]
    colour, depth = read('2i')
    if colour != JPEG or depth != ZLIB:
        raise InputError(
            f'{path} has colour compression {colour} and depth compression {depth}; '
            f'ScanNet has {JPEG} (JPEG) and {ZLIB} (zlib)'
        )
    _, _, width, height = read('4I')
    (per_metre,) = read('f')
    return _Header(_camera(matrices[2], width, height), per_metre, read('Q')[0])


def _entry(stream: BinaryIO) -> _Entry:
    *pose, _, _, colour, depth = FRAME.unpack(stream.read(FRAME.size))
    start = stream.tell()
    stream.seek(colour + depth, 1)
    return _Entry(np.array(pose).reshape(4, 4), start, colour, depth)


def _colour(path: Path, entry: _Entry) -> RgbImage:
    with path.open('rb') as stream:
        stream.seek(entry.start)
        data = np.frombuffer(stream.read(entry.colour_bytes), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if pixels is None:
        raise InputError(f'{path}: a colour image is damaged')
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _depth(path: Path, entry: _Entry, header: _Header) -> Map:
    with path.open('rb') as stream:
        stream.seek(entry.start + entry.colour_bytes)
        data = stream.read(entry.depth_bytes)
    try:
        steps = np.frombuffer(zlib.decompress(data), '<u2')
        steps = steps.reshape(header.camera.height, header.camera.width)
    except (zlib.error, ValueError) as error:
        raise InputError(f'{path}: a depth image is damaged ({error})') from None
    depth = steps.astype(np.float32) / np.float32(header.per_metre)
    depth[steps == 0] = np.nan
    return depth
