"""Which camera_info belongs to which image."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from message_filters import SimpleFilter, TimeSynchronizer
from sensor_msgs.msg import CameraInfo

from depthsync_ros.core.breaks import TIME_JUMP_NS
from depthsync_ros.messages import nanoseconds

IMAGE, INFO = 0, 1
OnMatched: TypeAlias = Callable[[Any, CameraInfo], None]
OnUnmatched: TypeAlias = Callable[[str], None]  # an image that never will be, and why


class Pairing(Protocol):
    """Takes both streams, one message at a time, images of no negative stamp; never waits."""

    def image(self, image: Any) -> None:
        """Take an image."""
        ...

    def info(self, info: CameraInfo) -> bool:
        """Take a camera_info; False if it had come already, by another way."""
        ...


class Latched:
    """
    The camera_info heard last serves every image, whatever the stamps.

    An image that comes before any camera_info has none. camera_info is heard from latched and
    from other publishers, so a message of the former comes twice.
    """

    def __init__(self, on_matched: OnMatched, on_unmatched: OnUnmatched) -> None:
        self._on_matched, self._on_unmatched = on_matched, on_unmatched
        self._info: CameraInfo | None = None

    def image(self, image: Any) -> None:
        if self._info is None:
            self._on_unmatched('no camera_info has come yet')
        else:
            self._on_matched(image, self._info)

    def info(self, info: CameraInfo) -> bool:
        new = info != self._info
        self._info = info
        return new


class Synchronised:
    """
    An image goes with the camera_info of exactly its stamp.

    Where time jumps back, a new synchroniser is made: one that is full of messages from the
    future would drop every new one as the oldest. The stream that has not jumped yet goes on
    with the old one.
    """

    def __init__(self, history: int, on_matched: OnMatched) -> None:
        self._history = history
        self._on_matched = on_matched
        self._newest_ns = [0, 0]
        self._behind: int | None = None  # the stream that time has not jumped back in yet
        self._renew()
        self._old_relays = self._relays

    def image(self, image: Any) -> None:
        self._relay(IMAGE, image)

    def info(self, info: CameraInfo) -> bool:
        self._relay(INFO, info)
        return True

    def _renew(self) -> None:
        self._relays = [SimpleFilter(), SimpleFilter()]
        TimeSynchronizer(self._relays, self._history).registerCallback(self._on_matched)

    def _relay(self, which: int, message: Any) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        if stamp_ns < 0:  # the synchroniser would raise, and keep its lock for ever
            return
        other_ns = self._newest_ns[1 - which]
        jumped = stamp_ns < self._newest_ns[which] - TIME_JUMP_NS
        if which == self._behind:
            if jumped or stamp_ns <= other_ns + TIME_JUMP_NS:
                self._behind = None
        elif jumped:
            self._old_relays = self._relays
            self._renew()
            unheard_or_ahead = other_ns == 0 or other_ns > stamp_ns + TIME_JUMP_NS
            self._behind = 1 - which if unheard_or_ahead else None
        self._newest_ns[which] = stamp_ns if jumped else max(stamp_ns, self._newest_ns[which])
        relays = self._old_relays if which == self._behind else self._relays
        relays[which].signalMessage(message)
