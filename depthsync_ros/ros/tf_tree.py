"""The tf tree as the node hears it: look-ups, and who is whose parent."""

import threading
from typing import TypeAlias

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from tf2_ros import Buffer

from depthsync_ros.messages import nanoseconds
from depthsync_ros.ros.qos import TF_HISTORY

CACHE_S = 10.0
Identity: TypeAlias = tuple[str, str, int, tuple[float, float, float]]


class TfTree(Buffer):
    """
    A tf2 buffer that also knows the parent of every frame, and which transforms are our own.

    tf takes a transform of whoever sends one: a frame with two parents jumps between them. So
    what we are about to send is held against what others have sent.
    """

    def __init__(self) -> None:
        super().__init__(Duration(seconds=CACHE_S))
        self._lock = threading.Lock()
        self._parents: dict[str, str] = {}  # by child, as others say
        self._sent: dict[Identity, None] = {}  # oldest first

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Take what came on /tf."""
        self._hear(transform)
        super().set_transform(transform, authority)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Take what came on /tf_static."""
        self._hear(transform)
        super().set_transform_static(transform, authority)

    def sending(self, transform: TransformStamped) -> None:
        """Remember a transform as our own, before it is sent and comes back."""
        with self._lock:
            self._sent[_identity(transform)] = None
            if len(self._sent) > TF_HISTORY:
                del self._sent[next(iter(self._sent))]

    def objection(self, parent: str, child: str) -> str:
        """Say why parent -> child must not be sent; '' where nothing speaks against it."""
        with self._lock:
            other = self._parents.get(child)
            if other is not None:
                return (
                    f'somebody else publishes {other} -> {child} in tf, and a frame has one '
                    'parent: set tf.arrangement to another, or stop the other publisher'
                )
            if child in self._ancestors(parent):
                return (
                    f'{child} is above {parent} in tf: {parent} -> {child} would close a circle; '
                    'set tf.arrangement to another'
                )
        return ''

    def _hear(self, transform: TransformStamped) -> None:
        with self._lock:
            if _identity(transform) not in self._sent:
                parent = transform.header.frame_id.removeprefix('/')
                self._parents[transform.child_frame_id.removeprefix('/')] = parent

    def _ancestors(self, frame: str) -> set[str]:
        found: set[str] = set()
        while frame in self._parents and frame not in found:
            found.add(frame)
            frame = self._parents[frame]
        return found | {frame}


def _identity(transform: TransformStamped) -> Identity:
    header, moved = transform.header, transform.transform.translation
    place = moved.x, moved.y, moved.z
    return header.frame_id, transform.child_frame_id, nanoseconds(header.stamp), place
