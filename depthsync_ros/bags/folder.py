"""Make a bag from a folder of images with calibration and, where known, truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
import json
from pathlib import Path

import cv2
import numpy as np

from depthsync_ros.bags.storage import BagWriter
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Transform
from depthsync_ros.messages import Messages, NS_PER_SECOND, rotation_matrix

IMAGE, INFO = '/camera/image_raw', '/camera/camera_info'
TRUTH_DEPTH, TRUTH_ODOMETRY, TRUTH_WORLD = '/truth/depth', '/truth/odometry', 'truth_world'
FORMATS = {'.jpg': 'jpeg', '.jpeg': 'jpeg', '.png': 'png'}
POSE_NUMBERS = 7


@dataclass(frozen=True)
class FolderJob:
    """
    One folder to make a bag of.

    rate_hz gives the stamps where there is no poses.txt.
    """

    source: Path
    target: Path
    compressed: bool = False
    rate_hz: float = 30.0
    frame_id: str = 'camera_optical_frame'
    storage: str = 'mcap'
    overwrite: bool = False


@dataclass(frozen=True, eq=False)
class Shot:
    """One image of the folder; world_T_cam is None where the folder has no poses."""

    stamp_ns: int
    rgb: Path
    depth: Path
    world_T_cam: Transform | None


def import_folder(job: FolderJob) -> tuple[int, int]:
    """
    Write the bag and return how many images it has and by how many seconds stamps were moved.

    ROS reads the stamp 0 as "no time" and tf as "the latest", so a sequence that starts within
    its first second is moved by one.

    :raises InputError: a file is missing or is not what it should be.
    """
    shots = _shots(job)
    camera = _camera(job.source / 'intrinsics.json')
    shift_s = 1 if shots[0].stamp_ns < NS_PER_SECOND else 0
    with BagWriter(job.target, job.storage, overwrite=job.overwrite) as out:
        folder = _FolderWriter(out, job, camera)
        for shot in shots:
            folder.write(shot, shot.stamp_ns + shift_s * NS_PER_SECOND)
    return len(shots), shift_s


class _FolderWriter:
    def __init__(self, out: BagWriter, job: FolderJob, camera: Camera) -> None:
        self._out, self._job, self._camera = out, job, camera
        self._make = Messages(out.words)
        if job.compressed:
            self._image = out.add(f'{IMAGE}/compressed', 'sensor_msgs/msg/CompressedImage')
        else:
            self._image = out.add(IMAGE, 'sensor_msgs/msg/Image')
        self._info = out.add(INFO, 'sensor_msgs/msg/CameraInfo')
        self._depth = out.add(TRUTH_DEPTH, 'sensor_msgs/msg/Image')
        self._odometry = out.add(TRUTH_ODOMETRY, 'nav_msgs/msg/Odometry')

    def write(self, shot: Shot, stamp_ns: int) -> None:
        name = self._job.frame_id
        if self._job.compressed:
            image = self._make.compressed_image(
                stamp_ns, name, FORMATS[shot.rgb.suffix], shot.rgb.read_bytes()
            )
        else:
            pixels = _read_pixels(shot.rgb, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            _check_size(shot.rgb, pixels, self._camera)
            image = self._make.image(stamp_ns, name, 'bgr8', pixels)
        self._out.write(self._image, stamp_ns, image)
        info = self._make.camera_info(stamp_ns, name, self._camera)
        self._out.write(self._info, stamp_ns, info)
        if shot.depth.exists():
            depth = _read_pixels(shot.depth, cv2.IMREAD_UNCHANGED)
            if depth.dtype != np.uint16 or depth.ndim != 2:
                raise InputError(f'{shot.depth} is not a 16-bit image of one channel')
            truth = self._make.image(stamp_ns, name, '16UC1', depth)
            self._out.write(self._depth, stamp_ns, truth)
        if shot.world_T_cam is not None:
            odometry = self._make.odometry(stamp_ns, TRUTH_WORLD, name, shot.world_T_cam)
            self._out.write(self._odometry, stamp_ns, odometry)


def _shots(job: FolderJob) -> Sequence[Shot]:
    folder = job.source / 'rgb'
    files = sorted(file for file in folder.glob('*') if file.suffix in FORMATS)
    if not files:
        raise InputError(f'{folder} holds no .jpg or .png; see `depthsync import --help`')
    poses = job.source / 'poses.txt'
    if poses.exists():
        rows = [line.split() for line in poses.read_text(encoding='utf-8').splitlines()]
        rows = [row for row in rows if row and not row[0].startswith('#')]
    else:
        rows = [[str(Decimal(i) / Decimal(repr(job.rate_hz)))] for i in range(len(files))]
    if len(rows) != len(files):
        raise InputError(
            f'{poses} has {len(rows)} lines, {folder} {len(files)} images; one line for each '
            'image is needed'
        )
    return [
        Shot(
            _stamp_ns(row[0], poses),
            file,
            job.source / 'depth' / f'{file.stem}.png',
            _pose(row[1:], poses) if poses.exists() else None,
        )
        for file, row in zip(files, rows, strict=True)
    ]


def _stamp_ns(seconds: str, file: Path) -> int:
    """Read decimal seconds exactly; a float would be off by up to 119 ns."""
    try:
        stamp_ns = int((Decimal(seconds) * NS_PER_SECOND).to_integral_value())
    except InvalidOperation:
        raise InputError(f'{file}: {seconds!r} is not a time in seconds') from None
    if stamp_ns < 0:
        raise InputError(f'{file}: the time {seconds} is negative')
    return stamp_ns


def _pose(words: Sequence[str], file: Path) -> Transform:
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) != POSE_NUMBERS or not np.linalg.norm(numbers[3:]) > 0.0:
        raise InputError(f"{file}: '{' '.join(words)}' is not tx ty tz qx qy qz qw")
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = rotation_matrix(numbers[3:])
    world_T_cam[:3, 3] = numbers[:3]
    return world_T_cam


def _camera(file: Path) -> Camera:
    try:
        numbers = json.loads(file.read_text(encoding='utf-8'))
        return Camera(
            width=int(numbers['width']),
            height=int(numbers['height']),
            fx=float(numbers['fx']),
            fy=float(numbers['fy']),
            cx=float(numbers['cx']),
            cy=float(numbers['cy']),
            distortion_model=str(numbers.get('distortion_model', 'none')),
            distortion=tuple(float(value) for value in numbers.get('distortion', ())),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f'{file} does not hold width, height, fx, fy, cx and cy in pixels ({error!r})'
        ) from None


def _read_pixels(file: Path, flags: int) -> np.ndarray:
    pixels = cv2.imread(str(file), flags)
    if pixels is None:
        raise InputError(f'{file} is not an image that OpenCV reads; it is damaged or empty')
    return pixels


def _check_size(file: Path, pixels: np.ndarray, camera: Camera) -> None:
    if pixels.shape[:2] != (camera.height, camera.width):
        raise InputError(
            f'{file} is {pixels.shape[1]}x{pixels.shape[0]}, intrinsics.json says '
            f'{camera.width}x{camera.height}'
        )
