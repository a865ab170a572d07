"""What tf tells of metres at an image's stamp, asked when the image arrives."""

from collections import deque
import threading
import time

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, ExtrapolationException, TransformException, TransformListener

from depthsync_ros.core.breaks import TIME_JUMP_NS
from depthsync_ros.core.evidence import Evidence
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.messages import transform_of
from depthsync_ros.ros.convert import Arrival

CACHE_S = 10.0
WAIT_S = 0.1  # odometry may be published a little after the image it belongs to
LATE = 256  # look-ups that wait for tf at a time
FUTURE = 'into the future'


class Lookup:
    """One look-up, tried until it succeeds or cannot any more; goes away with its image."""

    def __init__(self, buffer: Buffer, odom_frame: str, frame_id: str, stamp_ns: int) -> None:
        self._buffer = buffer
        self._query = (odom_frame, frame_id, Time(nanoseconds=stamp_ns))
        self._lock = threading.Lock()
        self._evidence = Evidence(missing='tf was not asked')
        self.open = True

    def attempt(self) -> bool:
        """Try once; say whether another try makes sense."""
        with self._lock:
            if self.open:
                try:
                    found = self._buffer.lookup_transform(*self._query)
                except TransformException as error:
                    self._evidence = Evidence(missing=str(error))
                    self.open = isinstance(error, ExtrapolationException) and FUTURE in str(error)
                else:
                    self._evidence = Evidence(odom_T_cam=transform_of(found.transform))
                    self.open = False
            return self.open

    def finish(self) -> Evidence:
        """Wait a moment for tf that is late, then give what there is."""
        deadline = time.monotonic() + WAIT_S
        while self.attempt() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.open = False
        return self._evidence


class TfOdometry:
    """
    Looks the image's frame up in the odometry frame.

    An image waits in the queue for longer than tf keeps its past, so the look-up is tried as it
    arrives and, where tf is late, again with every later image and when its turn comes.
    """

    def __init__(self, node: Node, settings: MetricSettings) -> None:
        self._odom_frame = settings.odom_frame
        self._buffer = Buffer(Duration(seconds=CACHE_S))
        self._listener = TransformListener(self._buffer, node)
        self._late: deque[Lookup] = deque(maxlen=LATE)
        self._last_ns = 0

    def look_up(self, arrival: Arrival) -> Lookup:
        """Start the look-up of an image that has just arrived; never waits."""
        if arrival.stamp_ns < self._last_ns - TIME_JUMP_NS:
            self._buffer.clear()  # tf would refuse what comes now as data from the past
        self._last_ns = arrival.stamp_ns
        header = arrival.image.header
        lookup = Lookup(self._buffer, self._odom_frame, header.frame_id, arrival.stamp_ns)
        self._late.append(lookup)
        for _ in range(len(self._late)):
            waiting = self._late.popleft()
            if waiting.attempt():
                self._late.append(waiting)
        return lookup

    def close(self) -> None:
        """Unsubscribe from tf."""
        self._listener.unregister()
