"""What a bag's tf says of one frame in another, at one time."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from depthsync_ros.core.rigid import invert
from depthsync_ros.core.shapes import Transform
from depthsync_ros.messages import nanoseconds, rotation_matrix

KEEP_NS = 10_000_000_000  # as a tf2 buffer does


class LookupFailure(Exception):
    """Why there is no transform; never leaves the bags."""


@dataclass(frozen=True, eq=False)
class _Edge:
    """Where a frame is in its parent at one time; quaternion x, y, z, w."""

    stamp_ns: int
    parent: str
    position: np.ndarray
    quat_xyzw: np.ndarray

    @property
    def parent_T_child(self) -> Transform:
        result = np.eye(4)
        result[:3, :3] = rotation_matrix(self.quat_xyzw)
        result[:3, 3] = self.position
        return result


@dataclass
class TransformBuffer:
    """The last seconds of every frame that moves, and every frame that does not."""

    moving: dict[str, list[_Edge]] = field(default_factory=dict)  # oldest first
    static: dict[str, _Edge] = field(default_factory=dict)

    def add(self, message: Any, *, static: bool) -> None:
        """Take a tf2_msgs/TFMessage."""
        for stamped in message.transforms:
            moved, turned = stamped.transform.translation, stamped.transform.rotation
            edge = _Edge(
                nanoseconds(stamped.header.stamp),
                stamped.header.frame_id.removeprefix('/'),
                np.array([moved.x, moved.y, moved.z]),
                np.array([turned.x, turned.y, turned.z, turned.w]),
            )
            child = stamped.child_frame_id.removeprefix('/')
            if static:
                self.static[child] = edge
            else:
                self._insert(self.moving.setdefault(child, []), edge)

    def look_up(self, target: str, source: str, stamp_ns: int) -> Transform:
        """
        Give target_T_source, interpolated between neighbours in time, never beyond the ends.

        :raises LookupFailure: the frames are not connected, or not at this time; or one has no
            name.
        """
        if not (target and source):
            raise LookupFailure(f'tf cannot connect {source!r} with {target!r}: frames have names')
        above_target = dict(self._climb(target, stamp_ns))
        for frame, frame_T_source in self._climb(source, stamp_ns):
            if frame in above_target:
                target_T_source: Transform = invert(above_target[frame]) @ frame_T_source
                return target_T_source
        raise LookupFailure(f'tf does not connect {source!r} with {target!r}')

    def _climb(self, frame: str, stamp_ns: int) -> Iterator[tuple[str, Transform]]:
        """Give each ancestor, the frame itself first, and where the frame is in it."""
        ancestor_T_frame, seen = np.eye(4), {frame}
        yield frame, ancestor_T_frame
        while frame in self.static or frame in self.moving:
            edge = self.static.get(frame) or _at(frame, self.moving[frame], stamp_ns)
            frame = edge.parent
            if frame in seen:
                raise LookupFailure(f'tf goes round in a circle at {frame!r}')
            seen.add(frame)
            ancestor_T_frame = edge.parent_T_child @ ancestor_T_frame
            yield frame, ancestor_T_frame

    @staticmethod
    def _insert(edges: list[_Edge], edge: _Edge) -> None:
        insort(edges, edge, key=_stamp)
        oldest_ns = edges[-1].stamp_ns - KEEP_NS
        del edges[: bisect_left(edges, oldest_ns, key=_stamp)]


def _stamp(edge: _Edge) -> int:
    return edge.stamp_ns


def _at(frame: str, edges: list[_Edge], stamp_ns: int) -> _Edge:
    later = bisect_left(edges, stamp_ns, key=_stamp)
    if later < len(edges) and edges[later].stamp_ns == stamp_ns:
        return edges[later]
    if later in (0, len(edges)):
        raise LookupFailure(f'tf has {frame!r} only before or only after the image')
    before, after = edges[later - 1], edges[later]
    share = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    position = before.position + share * (after.position - before.position)
    return _Edge(
        stamp_ns, before.parent, position, _slerp(before.quat_xyzw, after.quat_xyzw, share)
    )


def _slerp(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """
    Turn at constant speed along the shorter arc.

    >>> _slerp(np.array([0.0, 0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 0.0]), 0.5).round(3)
    array([0.707, 0.   , 0.   , 0.707])
    """
    cosine = float(start @ end)
    if cosine < 0.0:
        end, cosine = -end, -cosine
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-9:
        return start
    turned: np.ndarray = np.sin((1.0 - share) * angle) * start + np.sin(share * angle) * end
    turned /= np.sin(angle)
    return turned
