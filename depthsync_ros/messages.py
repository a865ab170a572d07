"""
From the core's records to ROS messages, field by field, for whatever classes hold the fields.

The node has rclpy's classes, the bag tool rosbags'. Both take every field by keyword, so each
message is spelled once, here, completely; a `Vocabulary` says which classes they are. Neither
library is imported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from depthsync_ros.calibration import calibration_of
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.confidence import edge_confidence
from depthsync_ros.core.frames import DepthFrame, WindowReport
from depthsync_ros.core.shapes import Covariance, Transform
from depthsync_ros.encoding.cloud import coloured_points, FIELDS, POINT
from depthsync_ros.encoding.compressed_depth import compress_depth, compress_millimetres
from depthsync_ros.encoding.millimetres import millimetres
from depthsync_ros.images import pixel_bytes

WORLD_FRAME = 'depthsync_world'
NS_PER_SECOND = 1_000_000_000
FLOAT, MILLIMETRES = '32FC1', '16UC1'
UNKNOWN_COVARIANCE = np.full((6, 6), np.nan)


class Vocabulary(Protocol):
    """
    The message classes of one library.

    With rclpy: `message('sensor_msgs/msg/Image')` is the class itself, and `sequence` wraps a
    flat array as `array.array(values.dtype.char, values.tobytes())`, the only form that its
    setters take without visiting every element.
    """

    def message(self, name: str) -> Callable[..., Any]:
        """Return the class of a message that is named as 'package/msg/Name'."""
        ...

    def sequence(self, values: np.ndarray) -> Any:
        """Wrap a flat array of numbers for a field of unbounded length."""
        ...


@dataclass(frozen=True)
class Messages:
    """Makes every message that the package publishes or writes."""

    words: Vocabulary

    def depth_image(self, frame: DepthFrame, encoding: str = FLOAT) -> Any:
        """
        sensor_msgs/Image (REP 118): 32FC1, NaN unknown, or 16UC1 in millimetres, 0 unknown.

        Millimetres of a frame that is not metric are unknown, all of them.
        """
        pixels = frame.depth if encoding == FLOAT else _millimetres(frame)
        return self.image(frame.stamp_ns, frame.frame_id, encoding, pixels)

    def compressed_depth(self, frame: DepthFrame, encoding: str = FLOAT) -> Any:
        """sensor_msgs/CompressedImage of the depth image, as image_transport's compressedDepth."""
        if encoding == FLOAT:
            data = compress_depth(frame.depth)
        else:
            data = compress_millimetres(_millimetres(frame))
        kind = f'{encoding}; compressedDepth png'
        return self.compressed_image(frame.stamp_ns, frame.frame_id, kind, data)

    def confidence_image(self, frame: DepthFrame) -> Any:
        """sensor_msgs/Image, 32FC1 in [0, 1]: low at depth's edges, NaN where it is unknown."""
        pixels = edge_confidence(frame.depth)
        return self.image(frame.stamp_ns, frame.frame_id, FLOAT, pixels)

    def point_cloud(self, frame: DepthFrame) -> Any:
        """sensor_msgs/PointCloud2: organised, xyz and rgb, NaN where depth is unknown."""
        points = coloured_points(frame)
        height, width = points.shape
        field, float32 = self.words.message('sensor_msgs/msg/PointField'), 7
        return self.words.message('sensor_msgs/msg/PointCloud2')(
            header=self.header(frame.stamp_ns, frame.frame_id),
            height=height,
            width=width,
            fields=[
                field(name=name, offset=4 * position, datatype=float32, count=1)
                for position, name in enumerate(FIELDS)
            ],
            is_bigendian=False,
            point_step=POINT.itemsize,
            row_step=POINT.itemsize * width,
            data=self.words.sequence(points.reshape(-1).view(np.uint8)),
            is_dense=bool(np.isfinite(frame.depth).all()),
        )

    def path(self, frame_id: str, stamps_ns: Sequence[int], poses: Sequence[Transform]) -> Any:
        """nav_msgs/Path, stamped as its last pose."""
        stamped = self.words.message('geometry_msgs/msg/PoseStamped')
        return self.words.message('nav_msgs/msg/Path')(
            header=self.header(stamps_ns[-1], frame_id),
            poses=[
                stamped(header=self.header(stamp_ns, frame_id), pose=self._pose(pose))
                for stamp_ns, pose in zip(stamps_ns, poses, strict=True)
            ],
        )

    def image(self, stamp_ns: int, frame_id: str, encoding: str, pixels: np.ndarray) -> Any:
        """sensor_msgs/Image of pixels that already are in the encoding's type and order."""
        height, width = pixels.shape[:2]
        data = pixel_bytes(pixels)
        return self.words.message('sensor_msgs/msg/Image')(
            header=self.header(stamp_ns, frame_id),
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=0,
            step=data.size // height,
            data=self.words.sequence(data),
        )

    def compressed_image(self, stamp_ns: int, frame_id: str, kind: str, data: bytes) -> Any:
        """sensor_msgs/CompressedImage of a file's bytes; kind is 'jpeg' or 'png'."""
        return self.words.message('sensor_msgs/msg/CompressedImage')(
            header=self.header(stamp_ns, frame_id),
            format=kind,
            data=self.words.sequence(np.frombuffer(data, np.uint8)),
        )

    def camera_info(self, stamp_ns: int, frame_id: str, camera: Camera) -> Any:
        """sensor_msgs/CameraInfo of an image that is described by camera alone."""
        numbers = calibration_of(camera)
        return self.words.message('sensor_msgs/msg/CameraInfo')(
            header=self.header(stamp_ns, frame_id),
            height=numbers.height,
            width=numbers.width,
            distortion_model=numbers.distortion_model,
            d=self.words.sequence(np.array(numbers.d, np.float64)),
            k=np.array(numbers.k),
            r=np.array(numbers.r),
            p=np.array(numbers.p),
            binning_x=0,
            binning_y=0,
            roi=self.words.message('sensor_msgs/msg/RegionOfInterest')(
                x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
            ),
        )

    def odometry(
        self,
        stamp_ns: int,
        parent: str,
        child: str,
        parent_T_child: Transform,
        covariance: Covariance = UNKNOWN_COVARIANCE,
    ) -> Any:
        """
        nav_msgs/Odometry: the child's pose in the parent.

        Where the pose's covariance is unknown, and always for the twist, which is not derived,
        the first number is -1, as sensor_msgs/Imu has it: a zero would claim certainty.
        """
        make = self.words.message
        zero = make('geometry_msgs/msg/Vector3')
        return make('nav_msgs/msg/Odometry')(
            header=self.header(stamp_ns, parent),
            child_frame_id=child,
            pose=make('geometry_msgs/msg/PoseWithCovariance')(
                pose=self._pose(parent_T_child), covariance=_covariance(covariance)
            ),
            twist=make('geometry_msgs/msg/TwistWithCovariance')(
                twist=make('geometry_msgs/msg/Twist')(
                    linear=zero(x=0.0, y=0.0, z=0.0), angular=zero(x=0.0, y=0.0, z=0.0)
                ),
                covariance=_covariance(UNKNOWN_COVARIANCE),
            ),
        )

    def transform(self, stamp_ns: int, parent: str, child: str, parent_T_child: Transform) -> Any:
        """geometry_msgs/TransformStamped: the child's pose in the parent."""
        make = self.words.message
        return make('geometry_msgs/msg/TransformStamped')(
            header=self.header(stamp_ns, parent),
            child_frame_id=child,
            transform=make('geometry_msgs/msg/Transform')(
                translation=self._point('geometry_msgs/msg/Vector3', parent_T_child),
                rotation=self._quaternion(parent_T_child),
            ),
        )

    def window_report(self, report: WindowReport) -> Any:
        """
        depthsync_ros/WindowReport; its header carries the window's last stamp.

        Numbers become Python's own: rclpy takes none of numpy's integers.
        """
        header = self.header(report.last_stamp_ns, report.frame_id)
        return self.words.message('depthsync_ros/msg/WindowReport')(
            header=header,
            index=report.index,
            first_index=report.first_index,
            frame_count=report.frame_count,
            new_frames=report.new_frames,
            first_stamp=self.time(report.first_stamp_ns),
            last_stamp=self.time(report.last_stamp_ns),
            scale=float(report.scale),
            shift=float(report.shift),
            disparity_shift=float(report.disparity_shift),
            metric=report.metric,
            unit=report.unit,
            metric_source=report.metric_source,
            metric_scale=float(report.metric_scale),
            metric_uncertainty=float(report.metric_uncertainty),
            metric_frames=int(report.metric_frames),
            seam_pixels=int(report.seam_pixels),
            seam_residual_before=float(report.seam_residual_before),
            seam_residual_after=float(report.seam_residual_after),
            tracks=int(report.tracks),
            posed_frames=int(report.posed_frames),
            pose_residual_px=float(report.pose_residual_px),
            encode_seconds=report.seconds.encode,
            denoise_seconds=report.seconds.denoise,
            decode_seconds=report.seconds.decode,
            align_seconds=report.seconds.align,
            pose_seconds=report.seconds.pose,
            notes=list(report.notes),
        )

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """std_msgs/Header, exact to the nanosecond."""
        return self.words.message('std_msgs/msg/Header')(
            stamp=self.time(stamp_ns), frame_id=frame_id
        )

    def time(self, stamp_ns: int) -> Any:
        """builtin_interfaces/Time."""
        seconds, nanoseconds = divmod(stamp_ns, NS_PER_SECOND)
        return self.words.message('builtin_interfaces/msg/Time')(sec=seconds, nanosec=nanoseconds)

    def _pose(self, a_T_b: Transform) -> Any:
        return self.words.message('geometry_msgs/msg/Pose')(
            position=self._point('geometry_msgs/msg/Point', a_T_b),
            orientation=self._quaternion(a_T_b),
        )

    def _point(self, name: str, a_T_b: Transform) -> Any:
        x, y, z = (float(value) for value in a_T_b[:3, 3])
        return self.words.message(name)(x=x, y=y, z=z)

    def _quaternion(self, a_T_b: Transform) -> Any:
        x, y, z, w = (float(value) for value in quat_xyzw(a_T_b))
        return self.words.message('geometry_msgs/msg/Quaternion')(x=x, y=y, z=z, w=w)


def _millimetres(frame: DepthFrame) -> np.ndarray:
    if not frame.metric:
        return np.zeros(frame.depth.shape, np.uint16)
    return millimetres(frame.depth)


def _covariance(covariance: Covariance) -> np.ndarray:
    if np.isfinite(covariance).all():
        return covariance.reshape(-1)
    unknown = np.zeros(36)
    unknown[0] = -1.0
    return unknown


def nanoseconds(stamp: Any) -> int:
    """Read builtin_interfaces/Time as integer nanoseconds."""
    return int(stamp.sec) * NS_PER_SECOND + int(stamp.nanosec)


def transform_of(message: Any) -> Transform:
    """Read geometry_msgs/Transform."""
    moved, turned = message.translation, message.rotation
    a_T_b = np.eye(4)
    a_T_b[:3, :3] = rotation_matrix(np.array([turned.x, turned.y, turned.z, turned.w]))
    a_T_b[:3, 3] = moved.x, moved.y, moved.z
    return a_T_b


def quat_xyzw(a_T_b: Transform) -> np.ndarray:
    """
    Turn a rotation into a unit quaternion, w not negative.

    It is the eigenvector to the largest eigenvalue of a symmetric matrix of the rotation's
    sums and differences: no cases, and stable at half turns.

    >>> quat_xyzw(np.eye(4)).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    r = a_T_b[:3, :3]
    matrix = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], 0.0, 0.0, 0.0],
            [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], 0.0, 0.0],
            [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], 0.0],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)],
        ]
    )
    quaternion = np.linalg.eigh(matrix)[1][:, -1]
    return quaternion if quaternion[3] >= 0.0 else -quaternion


def rotation_matrix(quaternion_xyzw: np.ndarray) -> np.ndarray:
    """Turn a quaternion (of any length but zero) into a rotation matrix."""
    x, y, z, w = np.asarray(quaternion_xyzw, float) / np.linalg.norm(quaternion_xyzw)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
