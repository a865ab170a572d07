"""The two subscriptions and what pairs them."""

from collections import deque
from collections.abc import Callable
from statistics import median
import threading
import time
from typing import Any

from message_filters import SimpleFilter, Subscriber, TimeSynchronizer
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from depthsync_ros.core.breaks import TIME_JUMP_NS
from depthsync_ros.messages import nanoseconds
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.ledger import Ledger, NO_CAMERA_INFO
from depthsync_ros.ros.qos import input_qos
from depthsync_ros.ros.settings import InputSettings

IMAGE_TOPIC, INFO_TOPIC = 'image', 'camera_info'
INTERVALS = 30
LONG_INTERVAL = 1.7  # times the usual one: at least one image is missing
FEW = 5  # intervals that make a usual one


class GapCounter:
    """Counts the images that should have come between two that did, by their stamps."""

    def __init__(self) -> None:
        self.missing = 0
        self._last_ns = 0
        self._intervals_ns: deque[int] = deque(maxlen=INTERVALS)

    def see(self, stamp_ns: int) -> None:
        """Take the next image's stamp."""
        interval_ns, self._last_ns = stamp_ns - self._last_ns, stamp_ns
        if interval_ns <= 0 or interval_ns == stamp_ns:
            return
        if len(self._intervals_ns) >= FEW:
            usual_ns = median(self._intervals_ns)
            if interval_ns > LONG_INTERVAL * usual_ns:
                self.missing += round(interval_ns / usual_ns) - 1
        self._intervals_ns.append(interval_ns)


class PairedInput:
    """
    Subscribes to image and camera_info and calls `on_pair`, which must neither wait nor raise.

    The synchroniser discards silently, so what comes in is counted before it. After `close`
    nothing comes in or is counted any more, not even by a callback that had begun.
    """

    def __init__(
        self,
        node: Node,
        settings: InputSettings,
        ledger: Ledger,
        on_pair: Callable[[Arrival], None],
    ) -> None:
        self._node = node
        self._ledger = ledger
        self._on_pair = on_pair
        self._history = settings.history
        self._lock = threading.Lock()
        self._closed = False
        self.gaps = GapCounter()
        self._newest_ns = [0, 0]
        self._behind: int | None = None  # the stream that time has not jumped back in yet
        self._pair()
        self._old_relays = self._relays
        image_type, self.image_topic = Image, node.resolve_topic_name(IMAGE_TOPIC)
        if settings.transport == 'compressed':
            image_type, self.image_topic = CompressedImage, f'{self.image_topic}/compressed'
        self.info_topic = node.resolve_topic_name(INFO_TOPIC)
        # Both in one group: their callbacks never run at the same time.
        options = {
            'qos_profile': input_qos(settings),
            'callback_group': MutuallyExclusiveCallbackGroup(),
        }
        self._subscribers = [
            Subscriber(node, image_type, self.image_topic, **options),
            Subscriber(node, CameraInfo, self.info_topic, **options),
        ]
        self._subscribers[0].registerCallback(self._on_image)
        self._subscribers[1].registerCallback(self._on_info)

    def close(self) -> None:
        """Unsubscribe; message_filters has no call for it."""
        with self._lock:
            self._closed = True
        for subscriber in self._subscribers:
            self._node.destroy_subscription(subscriber.sub)

    def _pair(self) -> None:
        self._relays = [SimpleFilter(), SimpleFilter()]
        TimeSynchronizer(self._relays, self._history).registerCallback(self._on_matched)

    def _on_image(self, image: Any) -> None:
        with self._lock:
            if not self._closed:
                self._ledger.count('images')
                self.gaps.see(nanoseconds(image.header.stamp))
                self._relay(0, image)

    def _on_info(self, info: CameraInfo) -> None:
        with self._lock:
            if not self._closed:
                self._ledger.count('infos')
                self._relay(1, info)

    def _relay(self, which: int, message: Any) -> None:
        """
        Pass a message to the synchroniser; to a new one where time has jumped back.

        A synchroniser full of messages from the future would drop every new one as the oldest.
        The stream that has not jumped yet goes on with the old one.
        """
        stamp_ns = nanoseconds(message.header.stamp)
        if stamp_ns < 0:  # the synchroniser would raise, and keep its lock for ever
            self._ledger.dropped(which == 0, NO_CAMERA_INFO, f'a stamp of {stamp_ns} ns')
            return
        other_ns = self._newest_ns[1 - which]
        jumped = stamp_ns < self._newest_ns[which] - TIME_JUMP_NS
        if which == self._behind:
            if jumped or stamp_ns <= other_ns + TIME_JUMP_NS:
                self._behind = None
        elif jumped:
            self._old_relays = self._relays
            self._pair()
            unheard_or_ahead = other_ns == 0 or other_ns > stamp_ns + TIME_JUMP_NS
            self._behind = 1 - which if unheard_or_ahead else None
        self._newest_ns[which] = stamp_ns if jumped else max(stamp_ns, self._newest_ns[which])
        relays = self._old_relays if which == self._behind else self._relays
        relays[which].signalMessage(message)

    def _on_matched(self, image: Any, info: CameraInfo) -> None:
        self._on_pair(Arrival(image, info, time.monotonic()))
        self._ledger.count('matched')  # once it is queued: whoever reads this may flush
