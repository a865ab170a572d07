"""The way the camera has come, whole and of bounded size."""

from depthsync_ros.core.shapes import Transform


class Path:
    """
    Poses of one parent frame; when they become too many, every second one goes.

    stamps_ns and poses are of equal length, in the order of travel.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._every = 1
        self._count = 0
        self.stamps_ns: list[int] = []
        self.poses: list[Transform] = []

    def add(self, stamp_ns: int, parent_T_child: Transform) -> None:
        """Take the next pose, or let it go by where the path has become coarser."""
        self._count += 1
        if (self._count - 1) % self._every:
            return
        self.stamps_ns.append(stamp_ns)
        self.poses.append(parent_T_child)
        if len(self.poses) > self._most:
            self._every *= 2
            del self.stamps_ns[1::2], self.poses[1::2]
