"""
Fuse depth images into one point cloud: a consumer that knows only depth, camera_info and tf.

    python examples/fuse.py --ros-args -r depth:=/depthsync/depth \
        -r depth/camera_info:=/depthsync/depth/camera_info

Ctrl-C writes cloud.ply. The unit is the depth's own; one point is kept for each voxel.
"""

import argparse
import contextlib
from pathlib import Path
import sys

from message_filters import Subscriber, TimeSynchronizer
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

HISTORY = QoSProfile(depth=2000)
WORLD = 'depthsync_world'


class Cloud:
    """
    One point for each voxel of the world.

    Messages are any objects with the fields of depth Image, CameraInfo and TFMessage; a frame
    whose transform has not come yet waits for it, and the other way round.
    """

    def __init__(self, voxel: float, stride: int) -> None:
        self._voxel, self._stride = voxel, stride
        self._waiting: dict[tuple[int, int], np.ndarray] = {}
        self._voxels: dict[bytes, np.ndarray] = {}
        self.cam_T_world: dict[tuple[int, int], np.ndarray] = {}
        self.frames = 0

    @property
    def points(self) -> np.ndarray:
        """All points, (n, 3) float32."""
        return np.array(list(self._voxels.values()), np.float32).reshape(-1, 3)

    def add_tf(self, message: TFMessage) -> None:
        """Take what came on tf."""
        for transform in message.transforms:
            if transform.child_frame_id == WORLD:
                stamp = transform.header.stamp
                self.cam_T_world[stamp.sec, stamp.nanosec] = matrix(transform.transform)
                self._settle((stamp.sec, stamp.nanosec))

    def add_depth(self, depth: Image, info: CameraInfo) -> None:
        """Take a depth image and its camera_info."""
        stamp = depth.header.stamp
        self._waiting[stamp.sec, stamp.nanosec] = unproject(depth, info, self._stride)
        self._settle((stamp.sec, stamp.nanosec))

    def _settle(self, stamp: tuple[int, int]) -> None:
        """Add a frame once both its points and its transform are there."""
        if stamp not in self._waiting or stamp not in self.cam_T_world:
            return
        world_T_cam = np.linalg.inv(self.cam_T_world[stamp])
        points = self._waiting.pop(stamp) @ world_T_cam[:3, :3].T + world_T_cam[:3, 3]
        cells = np.floor(points / self._voxel).astype(np.int32)
        for cell, point in zip(cells, points, strict=True):
            self._voxels.setdefault(cell.tobytes(), point)
        self.frames += 1


class Fuser(Node):
    """Hears depth, camera_info and tf."""

    def __init__(self, voxel: float, stride: int) -> None:
        super().__init__('fuse')
        self.cloud = Cloud(voxel, stride)
        self.create_subscription(TFMessage, '/tf', self.cloud.add_tf, HISTORY)
        depth = Subscriber(self, Image, 'depth', qos_profile=HISTORY)
        info = Subscriber(self, CameraInfo, 'depth/camera_info', qos_profile=HISTORY)
        self._pairs = TimeSynchronizer([depth, info], 2000)
        self._pairs.registerCallback(self.cloud.add_depth)


def matrix(transform: object) -> np.ndarray:
    """Turn geometry_msgs/Transform into a 4x4 matrix."""
    t, q = transform.translation, transform.rotation
    x, y, z, w = q.x, q.y, q.z, q.w
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), t.x],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), t.y],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), t.z],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def unproject(depth: Image, info: CameraInfo, stride: int) -> np.ndarray:
    """Turn every stride-th pixel with known depth into an optical-frame point."""
    z = np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width)
    v, u = np.mgrid[0 : depth.height : stride, 0 : depth.width : stride]
    z = z[::stride, ::stride]
    x, y = (u - info.k[2]) / info.k[0], (v - info.k[5]) / info.k[4]
    points = np.stack([x * z, y * z, z], axis=-1)
    return points[np.isfinite(z)]


def write_ply(file: Path, points: np.ndarray) -> None:
    """Write points as binary PLY."""
    header = (
        f'ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n'
        'property float x\nproperty float y\nproperty float z\nend_header\n'
    )
    file.write_bytes(header.encode() + points.astype('<f4').tobytes())


def main() -> int:
    """Run until interrupted, then write the cloud."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('cloud.ply'))
    parser.add_argument('--voxel', type=float, default=0.01, help="in the depth's unit")
    parser.add_argument('--stride', type=int, default=4, help='take every so many pixels')
    arguments = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    rclpy.init()
    fuser = Fuser(arguments.voxel, arguments.stride)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(fuser)
    points = fuser.cloud.points
    write_ply(arguments.out, points)
    sys.stderr.write(f'{fuser.cloud.frames} frames, {len(points)} points in {arguments.out}\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
