"""From /tf and /tf_static into a buffer."""

from threading import Thread

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.buffer import Buffer

AUTHORITY = 'default_authority'


class TransformListener:
    """
    Fills a buffer with what other nodes send.

    With spin_thread a thread of its own spins the node. Otherwise the node's executor does: a
    look-up that waits inside a callback of a single-threaded executor waits in vain.
    """

    def __init__(
        self,
        buffer: Buffer,
        node: Node,
        *,
        spin_thread: bool = False,
        qos: QoSProfile | int | None = None,
        static_qos: QoSProfile | int | None = None,
    ) -> None:
        kept = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.buffer = buffer
        self.node = node
        self.group = ReentrantCallbackGroup()
        self.tf_sub = node.create_subscription(
            TFMessage,
            '/tf',
            self.callback,
            QoSProfile(depth=100) if qos is None else qos,
            callback_group=self.group,
        )
        self.tf_static_sub = node.create_subscription(
            TFMessage,
            '/tf_static',
            self.static_callback,
            kept if static_qos is None else static_qos,
            callback_group=self.group,
        )
        if spin_thread:
            self.executor = SingleThreadedExecutor()
            self.dedicated_listener_thread = Thread(target=self._spin)
            self.dedicated_listener_thread.start()

    def __del__(self) -> None:
        if hasattr(self, 'dedicated_listener_thread'):
            self.executor.shutdown()
            self.dedicated_listener_thread.join()
        self.unregister()

    def unregister(self) -> None:
        """End both subscriptions."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data: TFMessage) -> None:
        """Take what came on /tf."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, AUTHORITY)

    def static_callback(self, data: TFMessage) -> None:
        """Take what came on /tf_static."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, AUTHORITY)

    def _spin(self) -> None:
        self.executor.add_node(self.node)
        self.executor.spin()
        self.executor.remove_node(self.node)
