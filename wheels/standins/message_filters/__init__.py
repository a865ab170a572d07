"""
A stand-in for message_filters where no ROS installation has it: subscribers and synchronisers.

Names, arguments and behaviour are those of message_filters of ROS 2 Jazzy, its oddities too, so
that code which works here works there: a synchroniser's lock stays held when a callback raises,
and ApproximateTimeSynchronizer wants stamps closer than `slop`, equal is not enough. Filters have
no way to disconnect; to end a Subscriber, destroy its `sub`.
"""

from collections.abc import Callable, Iterator, Sequence
import itertools
import threading
from typing import Any

from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

__all__ = ['ApproximateTimeSynchronizer', 'SimpleFilter', 'Subscriber', 'TimeSynchronizer']

Queue = dict[int, Any]  # messages by stamp, nanoseconds


class SimpleFilter:
    """Something that messages come out of."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., None], *args: Any) -> int:
        """Have cb(*messages, *args) called for each output; return the connection's number."""
        number = len(self.callbacks)
        self.callbacks[number] = cb, args
        return number

    def signalMessage(self, *msg: Any) -> None:
        """Hand one output to every callback, in the order in which they were registered."""
        for cb, args in self.callbacks.values():
            cb(*msg, *args)


class Subscriber(SimpleFilter):
    """A subscription as a filter; arguments as of Node.create_subscription, the node first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        node, *wanted = args
        self.node = node
        self.topic = wanted[1]
        self.sub = node.create_subscription(
            *wanted, self.callback, **{'qos_profile': 10, **kwargs}
        )

    def callback(self, msg: Any) -> None:
        """Pass a message on."""
        self.signalMessage(msg)

    def getTopic(self) -> str:
        """Return the topic as it was given."""
        return self.topic

    def __getattr__(self, key: str) -> Any:
        """Offer the subscription's own attributes."""
        return getattr(self.sub, key)


class TimeSynchronizer(SimpleFilter):
    """
    Gives sets of messages of equal stamp, one from each filter, the oldest set first.

    Each filter's queue keeps the queue_size newest stamps; what falls out goes without a word.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        """Listen to these filters from now on, with empty queues."""
        self.queues: list[Queue] = [{} for _ in fs]
        self.input_connections = [
            source.registerCallback(self.add, self.queues[place], place)
            for place, source in enumerate(fs)
        ]

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message; hand on every set that is complete."""
        self.lock.acquire()  # no `with`: a callback that raises leaves it held, see above
        self._store(msg, Time.from_msg(msg.header.stamp).nanoseconds, my_queue)
        first, *others = self.queues
        for stamp in sorted(stamp for stamp in first if all(stamp in queue for queue in others)):
            self._hand_on([stamp] * len(self.queues))
        self.lock.release()

    def _store(self, msg: Any, stamp: int, queue: Queue) -> None:
        queue[stamp] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]

    def _hand_on(self, stamps: Sequence[int]) -> None:
        chosen = list(zip(self.queues, stamps, strict=True))
        self.signalMessage(*(queue[stamp] for queue, stamp in chosen))
        for queue, stamp in chosen:
            del queue[stamp]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """
    Gives sets of messages whose stamps lie less than `slop` seconds apart.

    A message without header is refused, or stamped with the time now if allow_headerless is set.
    """

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        allow_headerless: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message; hand on the first set that holds it, nearest stamps first."""
        stamp = self._stamp(msg)
        if stamp is None:
            return
        self.lock.acquire()
        self._store(msg, stamp, my_queue)
        for stamps in self._sets_around(stamp, my_queue_index):
            apart = max(stamps) - min(stamps)
            kept = zip(self.queues, stamps, strict=True)
            if apart < self.slop.nanoseconds and all(at in queue for queue, at in kept):
                self._hand_on(stamps)
                break
        self.lock.release()

    def _stamp(self, msg: Any) -> int | None:
        if hasattr(msg, 'header') and hasattr(msg.header, 'stamp'):
            stamp = msg.header.stamp
            if not hasattr(stamp, 'nanoseconds'):
                stamp = Time.from_msg(stamp)
            return int(stamp.nanoseconds)
        if self.allow_headerless:
            return int(ROSClock().now().nanoseconds)
        get_logger('message_filters_approx').warning(
            f'ignored a {type(msg).__name__}: it has no header stamp; set allow_headerless to '
            'take its time of arrival instead'
        )
        return None

    def _sets_around(self, stamp: int, place: int | None) -> Iterator[list[int]]:
        """Combine a message's stamp with those of the other queues that lie within the slop."""
        near = [
            sorted(
                (at for at in queue if abs(at - stamp) <= self.slop.nanoseconds),
                key=lambda at: abs(at - stamp),
            )
            for index, queue in enumerate(self.queues)
            if index != place
        ]
        for others in itertools.product(*near):
            stamps = list(others)
            if place is not None:
                stamps.insert(place, stamp)
            yield stamps
