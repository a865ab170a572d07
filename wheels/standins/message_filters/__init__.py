"""
A stand-in for message_filters where no ROS installation has it: exact time synchronisation.

Names, arguments and order of calls are those of message_filters of ROS 2 Jazzy, down to its
lock, which stays held when a callback raises: code that is safe here is safe there.
"""

from collections.abc import Callable, Sequence
import threading
from typing import Any

from rclpy.time import Time


class SimpleFilter:
    """Something that messages come out of."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., None], *args: Any) -> int:
        """Call cb(*messages, *args) for each output; give the connection's number."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg: Any) -> None:
        """Hand messages to every callback."""
        for callback, args in self.callbacks.values():
            callback(*msg, *args)


class Subscriber(SimpleFilter):
    """A subscription as a filter; arguments as of Node.create_subscription, node first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.node, message_type, self.topic, *rest = args
        kwargs.setdefault('qos_profile', 10)
        self.sub = self.node.create_subscription(
            message_type, self.topic, *rest, self.callback, **kwargs
        )

    def callback(self, msg: Any) -> None:
        """Pass a message on."""
        self.signalMessage(msg)

    def getTopic(self) -> str:
        """Return the name that was subscribed to."""
        return self.topic

    def __getattr__(self, key: str) -> Any:
        """Offer the subscription's own attributes."""
        return getattr(self.sub, key)


class TimeSynchronizer(SimpleFilter):
    """Gives sets of messages of equal stamp, one from each filter, oldest first."""

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queues: list[dict[int, Any]] = []
        self.connectInput(fs)
        self.queue_size = queue_size
        self.lock = threading.Lock()

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        """Listen to these filters from now on."""
        self.queues = [{} for _ in fs]
        self.input_connections = [
            source.registerCallback(self.add, queue, index)
            for index, (source, queue) in enumerate(zip(fs, self.queues, strict=True))
        ]

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int | None = None) -> None:
        """Take a message; hand on the sets that it completes."""
        self.lock.acquire()
        my_queue[Time.from_msg(msg.header.stamp).nanoseconds] = msg
        while len(my_queue) > self.queue_size:
            del my_queue[min(my_queue)]
        for stamp in sorted(set.intersection(*(set(queue) for queue in self.queues))):
            self.signalMessage(*(queue[stamp] for queue in self.queues))
            for queue in self.queues:
                del queue[stamp]
        self.lock.release()
