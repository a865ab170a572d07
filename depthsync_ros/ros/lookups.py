"""Where a frame was at an image's stamp: asked when the image arrives, answered when it leaves."""

from collections import deque
import threading
import time

from rclpy.time import Time
from tf2_ros import Buffer, ExtrapolationException, TransformException

from depthsync_ros.core.shapes import Transform
from depthsync_ros.messages import transform_of

WAIT_S = 0.1  # tf may be published a little after the image it belongs to
LATE = 256  # look-ups that wait for tf at a time
FUTURE = 'into the future'


class LookupFailure(Exception):
    """Why there is no transform; never leaves the node."""


class Lookup:
    """One look-up, tried until it succeeds or cannot any more; goes away with its image."""

    def __init__(self, buffer: Buffer, target: str, source: str, stamp_ns: int) -> None:
        self._buffer = buffer
        self._query = (target, source, Time(nanoseconds=stamp_ns))
        self._lock = threading.Lock()
        self._found: Transform | None = None
        self._failure = 'tf was not asked'
        self.open = True

    def attempt(self) -> bool:
        """Try once; say whether another try makes sense."""
        with self._lock:
            if self.open:
                try:
                    found = self._buffer.lookup_transform(*self._query)
                except TransformException as error:
                    self._failure = str(error)
                    self.open = isinstance(error, ExtrapolationException) and FUTURE in str(error)
                else:
                    self._found = transform_of(found.transform)
                    self.open = False
            return self.open

    def finish(self) -> Transform:
        """
        Wait a moment for tf that is late, then give target_T_source.

        :raises LookupFailure: there is none.
        """
        deadline = time.monotonic() + WAIT_S
        while self.attempt() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.open = False
        if self._found is None:
            raise LookupFailure(self._failure)
        return self._found


class Lookups:
    """
    Looks the images' frame up in another frame.

    An image waits in queue and window for longer than tf keeps its past, so the look-up is tried
    as it arrives and, where tf is late, again with every later image and when its turn comes.
    """

    def __init__(self, buffer: Buffer, target: str) -> None:
        self._buffer = buffer
        self._target = target
        self._late: deque[Lookup] = deque(maxlen=LATE)

    def start(self, source: str, stamp_ns: int) -> Lookup:
        """Start the look-up of an image that has just arrived; never waits."""
        lookup = Lookup(self._buffer, self._target, source, stamp_ns)
        self._late.append(lookup)
        for _ in range(len(self._late)):
            waiting = self._late.popleft()
            if waiting.attempt():
                self._late.append(waiting)
        return lookup
