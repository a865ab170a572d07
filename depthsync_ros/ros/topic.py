"""A topic whose messages are made only while somebody listens."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile


class Topic:
    """Asks for a message only when there is a subscriber to send it to."""

    def __init__(self, node: Node, kind: Any, name: str, qos: QoSProfile) -> None:
        self._node = node
        self._publisher = node.create_publisher(kind, name, qos)

    @property
    def listeners(self) -> int:
        """How many subscriptions are connected."""
        return int(self._publisher.get_subscription_count())

    def publish(self, make: Callable[..., Any], *details: Any) -> None:
        """Publish make(*details), if anybody listens."""
        if self.listeners:
            self._publisher.publish(make(*details))

    def close(self) -> None:
        """Take the topic back."""
        self._node.destroy_publisher(self._publisher)
