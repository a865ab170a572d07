"""The node's subscriptions: images and camera_info, counted and paired."""

from collections.abc import Callable
import threading
import time
from typing import Any

from message_filters import Subscriber
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.event_handler import UnsupportedEventTypeError
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from depthsync_ros.messages import nanoseconds
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.gaps import GapCounter
from depthsync_ros.ros.ledger import Ledger, NO_CAMERA_INFO
from depthsync_ros.ros.pairing import Latched, Pairing, Synchronised
from depthsync_ros.ros.qos import input_qos, LATCHED_QOS, TopicWatch
from depthsync_ros.ros.settings import InputSettings

IMAGE_TOPIC, INFO_TOPIC = 'image', 'camera_info'


class CameraInput:
    """
    Subscribes to image and camera_info and calls `on_pair`, which must neither wait nor raise.

    Pairing discards silently, so what comes in is counted before it. After `close` nothing
    comes in or is counted any more, not even by a callback that had begun.
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
        self._lock = threading.Lock()
        self._closed = False
        self.gaps = GapCounter()
        self._pairing = self._make_pairing(settings)
        image_type, image_topic = Image, node.resolve_topic_name(IMAGE_TOPIC)
        if settings.transport == 'compressed':
            image_type, image_topic = CompressedImage, f'{image_topic}/compressed'
        self.images, self.infos = (
            TopicWatch(image_topic),
            TopicWatch(node.resolve_topic_name(INFO_TOPIC)),
        )
        # All in one group: their callbacks never run at the same time.
        self._group = MutuallyExclusiveCallbackGroup()
        qos = input_qos(settings)
        self._subscribers = [
            self._subscribe(image_type, self.images, qos, self._on_image),
            self._subscribe(CameraInfo, self.infos, qos, self._on_info),
        ]
        if settings.camera_info == 'latched':
            # A publisher that does not latch does not fit this one, and need not.
            unwatched = TopicWatch(self.infos.topic)
            latched = self._subscribe(CameraInfo, unwatched, LATCHED_QOS, self._on_info)
            self._subscribers.append(latched)

    def close(self) -> None:
        """Unsubscribe; message_filters has no call for it."""
        with self._lock:
            self._closed = True
        for subscriber in self._subscribers:
            self._node.destroy_subscription(subscriber.sub)

    def _make_pairing(self, settings: InputSettings) -> Pairing:
        if settings.camera_info == 'latched':
            return Latched(self._on_matched, self._on_unmatched)
        return Synchronised(settings.history, self._on_matched)

    def _subscribe(
        self, kind: Any, watch: TopicWatch, qos: QoSProfile, callback: Callable[[Any], None]
    ) -> Subscriber:
        try:
            subscriber = self._subscriber(kind, watch, qos, lost=True)
        except UnsupportedEventTypeError:  # not every middleware counts what it lost
            subscriber = self._subscriber(kind, watch, qos, lost=False)
        subscriber.registerCallback(callback)
        return subscriber

    def _subscriber(
        self, kind: Any, watch: TopicWatch, qos: QoSProfile, *, lost: bool
    ) -> Subscriber:
        return Subscriber(
            self._node,
            kind,
            watch.topic,
            qos_profile=qos,
            callback_group=self._group,
            event_callbacks=watch.events(lost=lost),
        )

    def _on_image(self, image: Any) -> None:
        with self._lock:
            if self._closed:
                return
            self._ledger.count('images')
            stamp_ns = nanoseconds(image.header.stamp)
            if stamp_ns < 0:
                self._on_unmatched(f'a stamp of {stamp_ns} ns')
                return
            self.gaps.see(stamp_ns)
            self._pairing.image(image)

    def _on_info(self, info: CameraInfo) -> None:
        with self._lock:
            if not self._closed and self._pairing.info(info):
                self._ledger.count('infos')

    def _on_matched(self, image: Any, info: CameraInfo) -> None:
        self._on_pair(Arrival(image, info, time.monotonic()))
        self._ledger.count('matched')  # once it is queued: whoever reads this may flush

    def _on_unmatched(self, why: str) -> None:
        self._ledger.dropped(1, NO_CAMERA_INFO, why)
