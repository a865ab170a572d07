"""Transforms that never change, on /tf_static."""

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.transform_broadcaster import as_list


class StaticTransformBroadcaster:
    """
    Publishes on /tf_static: one message of all transforms so far, kept for those who come later.

    As in Jazzy, the first transform that was sent for a child frame stays: later ones are ignored.
    """

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.pub_tf = node.create_publisher(TFMessage, '/tf_static', kept if qos is None else qos)
        self.net_message = TFMessage()

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Add one transform or several, and publish all."""
        known = {before.child_frame_id for before in self.net_message.transforms}
        for new in as_list(transform):
            if new.child_frame_id not in known:
                known.add(new.child_frame_id)
                self.net_message.transforms.append(new)
        self.pub_tf.publish(self.net_message)
