"""What the robot tells of metres at an image's stamp, asked when the image arrives."""

from collections.abc import Callable
from typing import Protocol

from rclpy.node import Node
from sensor_msgs.msg import Image

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.evidence import DepthMemory, Evidence, MetricDepth, thin_out
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.images import decode_depth
from depthsync_ros.messages import nanoseconds, NS_PER_SECOND
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.lookups import Lookup, LookupFailure, Lookups, Unanswered, wait_for
from depthsync_ros.ros.qos import input_qos
from depthsync_ros.ros.settings import InputSettings
from depthsync_ros.ros.tf_tree import TfTree

DEPTH_TOPIC = 'metric_depth'
LOG_PERIOD_S = 10.0


class MetricSource(Protocol):
    """Whoever may know metres at an image's stamp."""

    def ask(self, arrival: Arrival) -> Callable[[], Evidence]:
        """Ask for an image that has just arrived; never waits. The answer may, a moment."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


def open_source(
    node: Node, tree: TfTree, metric: MetricSettings, inputs: InputSettings
) -> MetricSource | None:
    """Open the source that the settings name; None where images need not come with evidence."""
    if metric.source == 'odometry':
        return TfOdometry(tree, metric.odom_frame)
    if metric.source == 'depth':
        return DepthImages(node, round(metric.depth_slop * NS_PER_SECOND), inputs)
    return None


class TfOdometry:
    """Looks the image's frame up in the odometry frame."""

    def __init__(self, tree: TfTree, odom_frame: str) -> None:
        self._lookups = Lookups(tree, odom_frame)

    def ask(self, arrival: Arrival) -> Callable[[], Evidence]:
        """Ask for an image that has just arrived; never waits. The answer may, a moment."""
        lookup = self._lookups.start(arrival.image.header.frame_id, arrival.stamp_ns)
        return lambda: evidence(lookup)

    def close(self) -> None:
        """Nothing: the tree is the outputs' own."""


def evidence(lookup: Lookup) -> Evidence:
    """Give what was found, or why nothing was."""
    try:
        return Evidence(odom_T_cam=lookup.finish())
    except LookupFailure as failure:
        return Evidence(missing=str(failure))


class DepthImages:
    """Hears a depth camera; each image gets what was measured nearest to its stamp."""

    def __init__(self, node: Node, slop_ns: int, inputs: InputSettings) -> None:
        self._node = node
        self._memory = DepthMemory(slop_ns)
        self._unanswered = Unanswered()
        self._subscription = node.create_subscription(
            Image, DEPTH_TOPIC, self._on_depth, input_qos(inputs)
        )

    def ask(self, arrival: Arrival) -> Callable[[], Evidence]:
        """See MetricSource."""
        question = Measured(self._memory, arrival.stamp_ns)
        self._unanswered.ask(question)
        return question.finish

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def _on_depth(self, image: Image) -> None:
        try:
            depth = thin_out(decode_depth(image))
        except InputError as error:
            self._node.get_logger().warning(
                f'measured depth was refused: {error}', throttle_duration_sec=LOG_PERIOD_S
            )
            return
        self._memory.add(nanoseconds(image.header.stamp), depth)


class Measured:
    """The depth measured nearest to a stamp, as soon as nothing nearer can come."""

    def __init__(self, memory: DepthMemory, stamp_ns: int) -> None:
        self._memory = memory
        self._stamp_ns = stamp_ns
        self._found: MetricDepth | None = None
        self._settled = False

    def attempt(self) -> bool:
        """Try once; say whether something nearer may still come."""
        if not self._settled:
            self._settled = self._memory.is_settled(self._stamp_ns)
            self._found = self._memory.nearest(self._stamp_ns) or self._found
        return not self._settled

    def finish(self) -> Evidence:
        """Wait a moment for depth that is late, then give what there is."""
        wait_for(self)
        missing = '' if self._found else f'none of nearly its stamp came on {DEPTH_TOPIC}'
        return Evidence(depth=self._found, missing=missing)
