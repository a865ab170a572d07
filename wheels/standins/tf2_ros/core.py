"""
Trees of frames over time: what is stored, and how a look-up finds its way.

Rotations are unit quaternions (x, y, z, w), times integer nanoseconds, 0 meaning "the latest".
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
import math
from threading import RLock
from typing import Any, NamedTuple

from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.logging import get_logger

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

LATEST = 0
NS_PER_SECOND = 1_000_000_000


class TransformException(Exception):
    """Why there is no transform."""


class ConnectivityException(TransformException):
    """The frames are in different trees."""


class LookupException(TransformException):
    """A frame is not known, or the tree has a loop."""


class ExtrapolationException(TransformException):
    """The time lies outside of what is stored."""


class InvalidArgumentException(TransformException):
    """A frame's name is empty or starts with a slash."""


class TimeoutException(TransformException):
    """Nothing came in time."""


class Rigid(NamedTuple):
    """A rotation, then a translation."""

    quat_xyzw: Quaternion
    position: Vector

    def __matmul__(self, other: 'Rigid') -> 'Rigid':
        moved = rotated(self.quat_xyzw, other.position)
        return Rigid(
            product(self.quat_xyzw, other.quat_xyzw),
            tuple(a + b for a, b in zip(moved, self.position, strict=True)),
        )

    def inverse(self) -> 'Rigid':
        back = conjugate(self.quat_xyzw)
        return Rigid(back, tuple(-value for value in rotated(back, self.position)))


IDENTITY = Rigid((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0))


class Edge(NamedTuple):
    """Where a frame was in its parent at one time."""

    stamp: int
    parent: str
    parent_T_child: Rigid


@dataclass
class Moving:
    """The recent past of a frame that moves."""

    keep_ns: int
    edges: list[Edge] = field(default_factory=list)  # oldest first

    def insert(self, edge: Edge) -> bool:
        """Store an edge; say no if it is too old. What is too old already goes first."""
        if self.edges:
            oldest = self.edges[-1].stamp - self.keep_ns
            self.edges = [kept for kept in self.edges if kept.stamp >= oldest]
            if edge.stamp < oldest:
                return False
        if edge not in self.edges:
            self.edges.insert(bisect_right(self.edges, edge.stamp, key=_stamp), edge)
        return True

    def at(self, time: int) -> Edge:
        """Interpolate between neighbours in time; never beyond the ends."""
        if not self.edges:
            raise ExtrapolationException('')
        first, last = self.edges[0], self.edges[-1]
        if time in (LATEST, last.stamp):
            return last
        if time == first.stamp:
            return first
        if len(self.edges) == 1:
            raise ExtrapolationException(
                f'Lookup would require extrapolation at time {seconds(time)}, but only time '
                f'{seconds(first.stamp)} is in the buffer'
            )
        if time > last.stamp:
            raise ExtrapolationException(
                'Lookup would require extrapolation into the future.  Requested time '
                f'{seconds(time)} but the latest data is at time {seconds(last.stamp)}'
            )
        if time < first.stamp:
            raise ExtrapolationException(
                'Lookup would require extrapolation into the past.  Requested time '
                f'{seconds(time)} but the earliest data is at time {seconds(first.stamp)}'
            )
        later = bisect_right(self.edges, time, key=_stamp)
        return between(self.edges[later - 1], self.edges[later], time)

    def latest(self) -> Edge | None:
        """Return the newest edge, if there is any."""
        return self.edges[-1] if self.edges else None

    def clear(self) -> None:
        """Forget everything."""
        self.edges.clear()


@dataclass
class Fixed:
    """A frame that never moves: one edge, valid at all times."""

    edge: Edge

    def at(self, time: int) -> Edge:
        """Return the edge, for any time."""
        return self.edge._replace(stamp=time)

    def latest(self) -> Edge:
        """Return the edge with time 0: it limits no common time."""
        return self.edge._replace(stamp=LATEST)

    def clear(self) -> None:
        """Keep the edge: what is static outlives a jump in time."""


class BufferCore:
    """Transforms by child frame. Safe to use from several threads."""

    def __init__(self, cache_time: Duration = Duration(seconds=10.0)) -> None:  # noqa: B008
        self._keep_ns = cache_time.nanoseconds
        self._children: dict[str, Moving | Fixed] = {}
        self._names: set[str] = set()
        self._lock = RLock()

    def clear(self) -> None:
        """Forget what moved; names and static transforms stay."""
        with self._lock:
            for history in self._children.values():
                history.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform of its stamp; a bad one is logged and ignored."""
        self._set(transform, authority, is_static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform for all times; a bad one is logged and ignored."""
        self._set(transform, authority, is_static=True)

    def lookup_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> TransformStamped:
        """Return target_T_source, without waiting."""
        with self._lock:
            stamp, target_T_source = self._lookup(target_frame, source_frame, nanoseconds(time))
        return message(target_frame, source_frame, stamp, target_T_source)

    def lookup_transform_full_core(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> TransformStamped:
        """Return target at its time from source at another, without waiting."""
        with self._lock:
            self._check('target_frame', target_frame)
            self._check('source_frame', source_frame)
            self._check('fixed_frame', fixed_frame)
            _, fixed_T_source = self._lookup(fixed_frame, source_frame, nanoseconds(source_time))
            stamp, target_T_fixed = self._lookup(
                target_frame, fixed_frame, nanoseconds(target_time)
            )
        return message(target_frame, source_frame, stamp, target_T_fixed @ fixed_T_source)

    def can_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> tuple[bool, str]:
        """Say whether lookup_transform_core would succeed, and if not, why."""
        return self._succeeds(self.lookup_transform_core, target_frame, source_frame, time)

    def can_transform_full_core(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> tuple[bool, str]:
        """Say whether lookup_transform_full_core would succeed, and if not, why."""
        return self._succeeds(
            self.lookup_transform_full_core,
            target_frame,
            target_time,
            source_frame,
            source_time,
            fixed_frame,
        )

    @staticmethod
    def _succeeds(look_up: Any, *query: Any) -> tuple[bool, str]:
        try:
            look_up(*query)
        except TransformException as error:
            return False, str(error)
        return True, ''

    def _set(self, transform: TransformStamped, authority: str, *, is_static: bool) -> None:
        parent = transform.header.frame_id.removeprefix('/')
        child = transform.child_frame_id.removeprefix('/')
        parent_T_child = rigid(transform)
        faults = list(faults_of(parent, child, parent_T_child))
        if faults:
            for fault in faults:
                get_logger('tf2').error(
                    f'{fault}: ignoring transform from "{parent}" to "{child}" by "{authority}"'
                )
            return
        edge = Edge(nanoseconds(transform.header.stamp), parent, parent_T_child)
        with self._lock:
            self._names |= {parent, child}
            if is_static:
                self._children[child] = Fixed(edge)
                return
            if not isinstance(self._children.get(child), Moving):
                self._children[child] = Moving(self._keep_ns)
            if not self._children[child].insert(edge):
                get_logger('tf2').warning(
                    f'TF_OLD_DATA: ignoring data from the past for frame {child} at time '
                    f'{seconds(edge.stamp)} by "{authority}"'
                )

    def _check(self, argument: str, frame: str) -> None:
        where = f'passed to lookupTransform argument {argument}'
        if not frame:
            raise InvalidArgumentException(
                f'Invalid argument "{frame}" {where} - in tf2 frame_ids cannot be empty'
            )
        if frame.startswith('/'):
            raise InvalidArgumentException(
                f'Invalid argument "{frame}" {where} - in tf2 frame_ids cannot start with a \'/\''
            )
        if frame not in self._names:
            raise LookupException(f'"{frame}" {where} does not exist. ')

    def _lookup(self, target: str, source: str, time: int) -> tuple[int, Rigid]:
        if target == source:
            own = self._children[target].latest() if target in self._children else None
            return (own.stamp if time == LATEST and own else time), IDENTITY
        self._check('target_frame', target)
        self._check('source_frame', source)
        if time == LATEST:
            time = self._latest_common_time(target, source)
        try:
            return time, self._path(target, source, time)
        except ExtrapolationException as error:
            raise ExtrapolationException(
                f'{error}, when looking up transform from frame [{source}] to frame [{target}]'
            ) from None

    def _path(self, target: str, source: str, time: int) -> Rigid:
        """Climb from both ends until they meet; above that nothing needs to be known."""
        above_source = {source: IDENTITY}
        gap: ExtrapolationException | None = None
        frame = source
        try:
            for frame, edge in self._climb(source, time):
                if frame == target:
                    break
                above_source[edge.parent] = edge.parent_T_child @ above_source[frame]
        except ExtrapolationException as error:
            gap = error
        frame_T_target, frame = IDENTITY, target
        steps = self._climb(target, time)
        while frame not in above_source:
            step = next(steps, None)
            if step is None:
                raise gap or ConnectivityException(unconnected(target, source))
            frame = step[1].parent
            frame_T_target = step[1].parent_T_child @ frame_T_target
        return frame_T_target.inverse() @ above_source[frame]

    def _climb(self, frame: str, time: int) -> Iterator[tuple[str, Edge]]:
        for _ in range(len(self._names)):
            if frame not in self._children:
                return
            edge = self._children[frame].at(time)
            yield frame, edge
            frame = edge.parent
        raise LookupException(loop())

    def _latest_common_time(self, target: str, source: str) -> int:
        """Return the newest time at which every moving edge of the path is known."""
        below: dict[str, list[int]] = {}  # by ancestor of source: the stamps on the way there
        stamps: list[int] = []
        for edge in self._climb_latest(source):
            stamps = [*stamps, edge.stamp]
            below[edge.parent] = stamps
            if edge.parent == target:
                return earliest(stamps)
        stamps = []
        for edge in self._climb_latest(target):
            stamps = [*stamps, edge.stamp]
            if edge.parent in below:
                return earliest(stamps + below[edge.parent])
            if edge.parent == source:
                return earliest(stamps)
        raise ConnectivityException(unconnected(target, source))

    def _climb_latest(self, frame: str) -> Iterator[Edge]:
        for _ in range(len(self._names)):
            edge = self._children[frame].latest() if frame in self._children else None
            if edge is None:
                return
            yield edge
            frame = edge.parent
        raise LookupException(loop())


def earliest(stamps: list[int]) -> int:
    return min((stamp for stamp in stamps if stamp != LATEST), default=LATEST)


def faults_of(parent: str, child: str, parent_T_child: Rigid) -> Iterator[str]:
    if parent == child:
        yield 'TF_SELF_TRANSFORM'
    if not child:
        yield 'TF_NO_CHILD_FRAME_ID'
    if not parent:
        yield 'TF_NO_FRAME_ID'
    if any(map(math.isnan, (*parent_T_child.position, *parent_T_child.quat_xyzw))):
        yield 'TF_NAN_INPUT'


def between(before: Edge, after: Edge, time: int) -> Edge:
    """Interpolate; where the parent changed, the earlier edge still holds."""
    if before.parent != after.parent:
        return before
    share = (time - before.stamp) / (after.stamp - before.stamp)
    position = tuple(
        a + share * (b - a)
        for a, b in zip(before.parent_T_child.position, after.parent_T_child.position, strict=True)
    )
    turned = slerp(before.parent_T_child.quat_xyzw, after.parent_T_child.quat_xyzw, share)
    return before._replace(parent_T_child=Rigid(turned, position))


def slerp(start: Quaternion, end: Quaternion, share: float) -> Quaternion:
    """Turn at constant speed along the shorter arc."""
    cosine = sum(a * b for a, b in zip(start, end, strict=True))
    if cosine < 0.0:
        end, cosine = tuple(-value for value in end), -cosine
    angle = math.acos(min(cosine, 1.0))
    if angle == 0.0:
        return start
    of_start = math.sin((1.0 - share) * angle) / math.sin(angle)
    of_end = math.sin(share * angle) / math.sin(angle)
    return tuple(of_start * a + of_end * b for a, b in zip(start, end, strict=True))


def product(a: Quaternion, b: Quaternion) -> Quaternion:
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def conjugate(quat_xyzw: Quaternion) -> Quaternion:
    x, y, z, w = quat_xyzw
    return (-x, -y, -z, w)


def rotated(quat_xyzw: Quaternion, vector: Vector) -> Vector:
    return product(product(quat_xyzw, (*vector, 0.0)), conjugate(quat_xyzw))[:3]


def normalised(quat_xyzw: Quaternion) -> Quaternion:
    """
    Give a quaternion length 1 and the sign that tf2 gives it; NaN if its length is 0.

    tf2 takes it through a matrix: w comes out positive if the rotation is less than 120 degrees,
    else the largest of x, y and z does.
    """
    length = math.hypot(*quat_xyzw)
    if length == 0.0:
        return (math.nan, math.nan, math.nan, math.nan)
    x, y, z, w = (value / length for value in quat_xyzw)
    leading = w if 4.0 * w * w > 1.0 else max((x, y, z), key=abs)
    sign = -1.0 if leading < 0.0 else 1.0
    return (sign * x, sign * y, sign * z, sign * w)


def rigid(transform: TransformStamped) -> Rigid:
    turn, move = transform.transform.rotation, transform.transform.translation
    return Rigid(normalised((turn.x, turn.y, turn.z, turn.w)), (move.x, move.y, move.z))


def message(target: str, source: str, stamp: int, target_T_source: Rigid) -> TransformStamped:
    made = TransformStamped(child_frame_id=source)
    made.header.frame_id = target
    made.header.stamp = TimeMessage(sec=stamp // NS_PER_SECOND, nanosec=stamp % NS_PER_SECOND)
    turn, move = made.transform.rotation, made.transform.translation
    turn.x, turn.y, turn.z, turn.w = normalised(target_T_source.quat_xyzw)
    move.x, move.y, move.z = target_T_source.position
    return made


def nanoseconds(time: Any) -> int:
    """Read rclpy's Time, or a message's."""
    if hasattr(time, 'nanosec'):
        return int(time.sec) * NS_PER_SECOND + int(time.nanosec)
    return int(time.nanoseconds)


def seconds(stamp: int) -> str:
    return f'{stamp / NS_PER_SECOND:.6f}'


def unconnected(target: str, source: str) -> str:
    return (
        f"Could not find a connection between '{target}' and '{source}' because they are not "
        'part of the same tree.Tf has two or more unconnected trees.'
    )


def loop() -> str:
    return 'The tf tree is invalid because it contains a loop.'


def _stamp(edge: Edge) -> int:
    return edge.stamp
