"""Tiny bags with known content, written by rosbags alone, and a pipeline that needs no model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.evidence import Evidence
from depthsync_ros.core.frames import (
    DepthFrame,
    Dropped,
    Frame,
    Output,
    StageSeconds,
    WindowReport,
)

WIDTH, HEIGHT = 16, 12
# Not a whole microsecond: a stamp that went through a float second would come back changed.
FIRST_NS = 1_700_000_000_123_456_789
PERIOD_NS = 33_333_333
LOG_DELAY_NS = 4_000_001
STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}

CUSTOM = 'robot_msgs/msg/Battery'
CUSTOM_TEXT = 'std_msgs/Header header\nfloat32 volts\nstring[] cells\n'


def make_store() -> Any:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(CUSTOM_TEXT, CUSTOM))
    return store


STORE = make_store()


def stamp_of(number: int) -> int:
    return FIRST_NS + number * PERIOD_NS


def log_of(number: int) -> int:
    return stamp_of(number) + LOG_DELAY_NS


def rgb_of(number: int) -> np.ndarray:
    """Make the image that frame `number` shows."""
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def header(stamp_ns: int, frame_id: str = 'cam_optical') -> Any:
    types = STORE.types
    time = types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
    return types['std_msgs/msg/Header'](stamp=time, frame_id=frame_id)


def image(stamp_ns: int, rgb: np.ndarray, encoding: str = 'bgr8', frame_id: str = 'cam_optical'):
    return STORE.types['sensor_msgs/msg/Image'](
        header=header(stamp_ns, frame_id),
        height=rgb.shape[0],
        width=rgb.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=rgb.shape[1] * 3,
        data=np.ascontiguousarray(rgb[..., ::-1]).reshape(-1),
    )


def camera_info(
    stamp_ns: int, *, fx: float = 20.0, d: Sequence[float] = (0.0,) * 5, **fields: Any
):
    types = STORE.types
    roi = types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, do_rectify=False)
    values = {
        'header': header(stamp_ns),
        'height': HEIGHT,
        'width': WIDTH,
        'distortion_model': 'plumb_bob',
        'd': np.array(d, float),
        'k': np.array([fx, 0, 7.5, 0, fx, 5.5, 0, 0, 1.0]),
        'r': np.eye(3).reshape(-1),
        'p': np.array([fx, 0, 7.5, 0, 0, fx, 5.5, 0, 0, 0, 1.0, 0]),
        'binning_x': 0,
        'binning_y': 0,
        'roi': roi,
    }
    return types['sensor_msgs/msg/CameraInfo'](**(values | fields))


def battery(stamp_ns: int):
    return STORE.types[CUSTOM](header=header(stamp_ns), volts=12.5, cells=['a', 'b'])


def tf(stamp_ns: int):
    types = STORE.types
    vector = types['geometry_msgs/msg/Vector3'](1.0, 2.0, 3.0)
    turn = types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0)
    motion = types['geometry_msgs/msg/Transform'](vector, turn)
    stamped = types['geometry_msgs/msg/TransformStamped'](
        header(stamp_ns, 'base'), 'cam_optical', motion
    )
    return types['tf2_msgs/msg/TFMessage']([stamped])


def point_cloud(stamp_ns: int, points: np.ndarray, frame_id: str):
    """Make an unorganised cloud of points (n, 3) as FLOAT32."""
    types = STORE.types
    data = np.ascontiguousarray(points, '<f4')
    return types['sensor_msgs/msg/PointCloud2'](
        header=header(stamp_ns, frame_id),
        height=1,
        width=len(points),
        fields=[
            types['sensor_msgs/msg/PointField'](name, 4 * place, 7, 1)
            for place, name in enumerate('xyz')
        ],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        data=data.reshape(-1).view(np.uint8),
        is_dense=False,
    )


@dataclass(frozen=True)
class Row:
    """One message to write."""

    topic: str
    log_ns: int
    message: Any


def write_rows(
    path: Path,
    rows: Sequence[Row],
    storage: str = 'mcap',
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    writer = Writer(path, version=9, storage_plugin=STORAGES[storage])
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections: dict[tuple[str, str], Any] = {}
        for row in rows:
            kind = row.message.__msgtype__
            if (row.topic, kind) not in connections:
                connections[row.topic, kind] = writer.add_connection(
                    row.topic, kind, typestore=STORE
                )
            data = STORE.serialize_cdr(row.message, kind)
            writer.write(connections[row.topic, kind], row.log_ns, data)
    return path


def camera_rows(n_frames: int, *, with_info: bool = True, frame_id: str = 'cam_optical'):
    rows = []
    for number in range(n_frames):
        stamp_ns = stamp_of(number)
        message = image(stamp_ns, rgb_of(number), frame_id=frame_id)
        rows.append(Row('/cam/image_raw', log_of(number), message))
        if with_info:
            rows.append(Row('/cam/camera_info', log_of(number), camera_info(stamp_ns)))
    return rows


def robot_rows(n_frames: int) -> list[Row]:
    """Give a camera's rows with a robot's other topics between them."""
    rows = camera_rows(n_frames)
    for number in range(n_frames):
        rows.append(Row('/battery', log_of(number) + 7, battery(stamp_of(number))))
        rows.append(Row('/tf', log_of(number) + 9, tf(stamp_of(number))))
    return sorted(rows, key=lambda row: row.log_ns)


class FakePipeline:
    """
    Finishes frames in fours, the last of each four when the next begins, like a seam.

    Depth is the image's green channel plus one; its first pixel is unknown.
    """

    window = 4

    def __init__(self, on_push: Callable[[int], None] = lambda index: None) -> None:
        self._on_push = on_push
        self._waiting: list[tuple[int, Frame]] = []
        self._accepted = self._windows = self._last_ns = 0

    def push(self, frame: Frame) -> Output:
        self._on_push(self._accepted)
        if frame.stamp_ns <= self._last_ns:
            raise InputError(f'frame {frame.stamp_ns} is not later than {self._last_ns}')
        self._last_ns = frame.stamp_ns
        self._waiting.append((self._accepted, frame))
        self._accepted += 1
        if len(self._waiting) <= self.window:
            return Output()
        done, self._waiting = self._waiting[: self.window], self._waiting[self.window :]
        return self._finish(done)

    def flush(self) -> Output:
        done, self._waiting = self._waiting, []
        return self._finish(done) if done else Output()

    def _finish(self, done: list[tuple[int, Frame]]) -> Output:
        frames = tuple(self._depth(index, frame) for index, frame in done)
        report = WindowReport(
            index=self._windows,
            first_index=done[0][0],
            frame_count=len(done),
            new_frames=len(done),
            first_stamp_ns=done[0][1].stamp_ns,
            last_stamp_ns=done[-1][1].stamp_ns,
            frame_id=done[0][1].frame_id,
            scale=1.5,
            shift=0.25,
            disparity_shift=0.1,
            metric=False,
            seam_pixels=100,
            seam_residual_before=float('nan'),
            seam_residual_after=0.01,
            tracks=50,
            posed_frames=len(done),
            pose_residual_px=0.5,
            seconds=StageSeconds(1.0, 2.0, 3.0, 4.0, 5.0),
            notes=('a note',),
        )
        self._windows += 1
        return Output(frames, (report,))

    @staticmethod
    def _depth(index: int, frame: Frame) -> DepthFrame:
        return DepthFrame(
            1,
            index,
            frame.stamp_ns,
            frame.frame_id,
            depth_of(frame.rgb),
            metric=False,
            camera=frame.camera,
            world_T_cam=pose_of(index),
            pose_covariance=np.eye(6),
            rgb=frame.rgb,
        )


class Listening(FakePipeline):
    """Keeps the evidence that frames came with."""

    def __init__(self) -> None:
        super().__init__()
        self.evidence: list[Evidence] = []

    def push(self, frame: Frame) -> Output:
        self.evidence.append(frame.evidence)
        return super().push(frame)


class LosingPipeline(FakePipeline):
    """Loses its second window."""

    def _finish(self, done: list[tuple[int, Frame]]) -> Output:
        if self._windows == 1:
            self._windows += 1
            stamps = tuple(frame.stamp_ns for _, frame in done)
            return Output(dropped=(Dropped(stamps, 'no scale'),))
        return super()._finish(done)


def depth_of(rgb: np.ndarray) -> np.ndarray:
    depth = rgb[..., 1].astype(np.float32) + 1.0
    depth[0, 0] = np.nan
    return depth


def pose_of(index: int) -> np.ndarray | None:
    """Turn by 0.1 rad a frame about y and move along x; frame 1 has no pose."""
    if index == 1:
        return None
    angle_rad = 0.1 * index
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = [
        [np.cos(angle_rad), 0.0, np.sin(angle_rad)],
        [0.0, 1.0, 0.0],
        [-np.sin(angle_rad), 0.0, np.cos(angle_rad)],
    ]
    world_T_cam[0, 3] = 0.5 * index
    return world_T_cam


def ignore(_tally: Any) -> None:
    """Progress that nobody watches."""
