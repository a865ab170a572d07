"""One video with its truth, whatever dataset it comes from."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.shapes import Map, RgbImage, Transform
from depthsync_ros.messages import rotation_matrix

NS_PER_SECOND = 1_000_000_000
GAP = 5.0  # times the median interval: a longer one is a gap in time
INDOOR_M, OUTDOOR_M = 10.0, 80.0
RIGID_TOLERANCE = 1e-2  # poses come as text with as few as four decimals
POSE_NUMBERS = 7


@dataclass(frozen=True)
class Crop:
    """Rows and columns without truth, cut off on each side before anything else."""

    rows: int = 0
    columns: int = 0


@dataclass(frozen=True, eq=False)
class Shot:
    """
    One frame as it lies on disk; read_depth gives metres, NaN where invalid.

    read_depth and world_T_cam are None where the dataset has none for this frame.
    """

    stamp_ns: int
    read_rgb: Callable[[], RgbImage]
    read_depth: Callable[[], Map] | None
    world_T_cam: Transform | None


@dataclass(frozen=True, eq=False)
class TrueFrame:
    """
    A frame with its truth.

    Units: depth_m metres along the optical axis, NaN where the truth is unknown.
    Convention: world_T_cam takes optical-frame points (x right, y down, z forward) into the
        dataset's world; None where it is unknown.
    """

    frame: Frame
    depth_m: Map
    world_T_cam: Transform | None


@dataclass(frozen=True, eq=False)
class Video:
    """
    A sequence of a dataset, read frame by frame.

    camera is that of the depth image, before the crop; the colour image is resized to it.
    skipped counts, by reason, what of the recording is not among the frames, and frames that
    lack a part of the truth. decoded holds leading frames that are in memory already.

    :raises InputError: there are no frames, or their stamps do not rise.
    """

    name: str
    camera: Camera
    max_depth_m: float
    shots: Sequence[Shot]
    crop: Crop = Crop()
    skipped: dict[str, int] = field(default_factory=dict)
    decoded: Sequence[TrueFrame] = ()

    def __post_init__(self) -> None:
        if not self.shots:
            raise InputError(
                f'{self.name}: no frame is left; skipped were {self.skipped or "none"}'
            )
        stamps = [shot.stamp_ns for shot in self.shots]
        for before, after in pairwise(stamps):
            if after <= before:
                raise InputError(
                    f'{self.name}: a frame is stamped {after} ns, the one before it {before} ns; '
                    'stamps must rise'
                )

    def __len__(self) -> int:
        return len(self.shots)

    @property
    def view(self) -> Camera:
        """The camera of what `read` gives: cropped."""
        camera, crop = self.camera, self.crop
        return Camera(
            camera.width - 2 * crop.columns,
            camera.height - 2 * crop.rows,
            camera.fx,
            camera.fy,
            camera.cx - crop.columns,
            camera.cy - crop.rows,
            camera.distortion_model,
            camera.distortion,
        )

    @property
    def counts(self) -> dict[str, int]:
        """What a reader of results must know: skips, missing truth and gaps in time."""
        missing = Counter(self.skipped)
        missing['frames without true depth'] += sum(s.read_depth is None for s in self.shots)
        missing['frames without a true pose'] += sum(s.world_T_cam is None for s in self.shots)
        intervals = np.diff([shot.stamp_ns for shot in self.shots])
        if len(intervals):
            missing['gaps in time'] += int((intervals > GAP * np.median(intervals)).sum())
        return {reason: count for reason, count in missing.items() if count}

    def first(self, count: int) -> 'Video':
        """Give the video of the first frames alone, all of it where it is shorter."""
        return replace(self, shots=self.shots[:count])

    def read(self, index: int) -> TrueFrame:
        """
        Read one frame.

        :raises InputError: a file is missing or is not what it should be.
        """
        if index < len(self.decoded):
            return self.decoded[index]
        shot, camera = self.shots[index], self.camera
        rgb = shot.read_rgb()
        if rgb.shape[:2] != (camera.height, camera.width):
            rgb = cv2.resize(rgb, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        depth = np.full((camera.height, camera.width), np.nan, np.float32)
        if shot.read_depth is not None:
            depth = shot.read_depth()
            if depth.shape != (camera.height, camera.width):
                raise InputError(
                    f'{self.name}, frame {index}: true depth is {depth.shape[1]}x'
                    f'{depth.shape[0]}, its calibration says {camera.width}x{camera.height}'
                )
        rows = slice(self.crop.rows, camera.height - self.crop.rows)
        columns = slice(self.crop.columns, camera.width - self.crop.columns)
        frame = Frame(shot.stamp_ns, 'camera', np.ascontiguousarray(rgb[rows, columns]), self.view)
        return TrueFrame(frame, depth[rows, columns], shot.world_T_cam)


# ---- what several datasets share ----------------------------------------------------------------


def read_rgb(file: Path) -> RgbImage:
    """
    Read a colour image.

    :raises InputError: the file is missing or damaged.
    """
    pixels = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise InputError(f'{file} is missing, or not an image that OpenCV reads')
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def read_depth_png(file: Path, per_metre: float, invalid: Sequence[int] = (0,)) -> Map:
    """
    Read a 16-bit depth image, per_metre steps a metre; NaN at the invalid values.

    :raises InputError: the file is missing or has another type of pixel.
    """
    steps = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if steps is None:
        raise InputError(f'{file} is missing, or not an image that OpenCV reads')
    if steps.dtype != np.uint16 or steps.ndim != 2:
        raise InputError(f'{file} is {steps.dtype} {steps.shape}, depth is 16 bit, one channel')
    depth = steps.astype(np.float32) / np.float32(per_metre)
    for value in invalid:
        depth[steps == value] = np.nan
    return depth


def read_numbers(file: Path) -> np.ndarray:
    """
    Read a table of numbers, '#' starting a comment.

    :raises InputError: the file is missing or holds something else.
    """
    try:
        return np.loadtxt(file, ndmin=2)
    except OSError:
        raise InputError(f'{file} is missing') from None
    except ValueError as error:
        raise InputError(f'{file} is not a table of numbers: {error}') from None


def read_matrix(file: Path) -> Transform | None:
    """
    Read a 4x4 camera-to-world matrix; None where it says that tracking was lost (not finite).

    :raises InputError: the file is missing, or not a rigid transform.
    """
    matrix = read_numbers(file)
    if matrix.shape != (4, 4):
        raise InputError(f'{file} is {matrix.shape}, a pose is a matrix of 4x4')
    return check_rigid(matrix, str(file))


def check_rigid(matrix: np.ndarray, name: str) -> Transform | None:
    """
    Return the transform in float64, None where it is not finite.

    :raises InputError: it is not a rotation and a translation.
    """
    if not np.isfinite(matrix).all():
        return None
    rotation = matrix[:3, :3]
    off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if off > RIGID_TOLERANCE or np.linalg.det(rotation) < 0.0:
        raise InputError(f'{name} is not a rigid transform: its rotation is off by {off:.3g}')
    return np.asarray(matrix, np.float64)


def pose(translation: np.ndarray, quaternion_xyzw: np.ndarray) -> Transform:
    """Make a transform of a translation and a quaternion."""
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = rotation_matrix(quaternion_xyzw)
    world_T_cam[:3, 3] = translation
    return world_T_cam


def read_tum_poses(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """
    Read a trajectory: lines of seconds, tx ty tz, qx qy qz qw.

    Gives seconds (float64, exact to 0.2 microseconds today) and transforms (poses, 4, 4).

    :raises InputError: it is not such a file.
    """
    table = read_numbers(file)
    if table.shape[1] != 1 + POSE_NUMBERS:
        raise InputError(
            f'{file} has {table.shape[1]} columns; a trajectory has 8: seconds tx ty tz qx qy qz '
            'qw'
        )
    if not len(table) or not (np.linalg.norm(table[:, 4:], axis=1) > 0.0).all():
        raise InputError(f'{file} is empty, or holds a quaternion of length 0')
    return table[:, 0], np.stack([pose(row[1:4], row[4:]) for row in table])


def to_ns(seconds: float) -> int:
    """Turn seconds into integer nanoseconds."""
    return round(seconds * NS_PER_SECOND)


def subfolders(root: Path, marker: str) -> list[Path]:
    """
    Give root where it holds the marker itself, else every folder below it that does.

    :raises InputError: there is none.
    """
    if (root / marker).exists():
        return [root]
    found = sorted(path.parent for path in root.glob(f'*/{marker}'))
    if not found:
        raise InputError(
            f'{root} holds no {marker}, nor does any folder in it; see docs/evaluation.md for the '
            'layout that is expected'
        )
    return found
