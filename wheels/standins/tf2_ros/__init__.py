"""
A stand-in for tf2_ros where no ROS installation has it: sending transforms, no more.

Names, arguments, topic and quality of service are those of tf2_ros of ROS 2 Jazzy.
"""

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage


class TransformBroadcaster:
    """Publishes transforms on /tf."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        profile = QoSProfile(depth=100) if qos is None else qos
        self.pub_tf = node.create_publisher(TFMessage, '/tf', profile)

    def sendTransform(
        self, transform: TransformStamped | Iterable[TransformStamped]
    ) -> None:
        """Publish one transform, or several in one message."""
        several = isinstance(transform, Iterable)
        self.pub_tf.publish(TFMessage(transforms=list(transform) if several else [transform]))
