"""What the robot tells of metres at an image's stamp, asked when the image arrives."""

from collections.abc import Callable
from dataclasses import dataclass
import threading
from typing import Any, Generic, Protocol, TypeAlias

from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from tf2_ros import Buffer

from depthsync_ros.clouds import read_cloud
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.evidence import Evidence, Measurement, MetricDepth, Recent, thin_out
from depthsync_ros.core.points import Cloud, see_cloud
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.images import decode_depth
from depthsync_ros.messages import nanoseconds, NS_PER_SECOND
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.lookups import Lookup, LookupFailure, Lookups, Unanswered, wait_for
from depthsync_ros.ros.qos import input_qos
from depthsync_ros.ros.settings import InputSettings
from depthsync_ros.ros.tf_tree import TfTree

LOG_PERIOD_S = 10.0
Answer: TypeAlias = Callable[[Camera], Evidence]  # of the camera that took the image


class MetricSource(Protocol):
    """Whoever may know metres at an image's stamp."""

    def ask(self, arrival: Arrival) -> Answer:
        """Ask for an image that has just arrived; never waits. The answer may, a moment."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


def open_source(
    node: Node, hear_tf: Callable[[], TfTree], metric: MetricSettings, inputs: InputSettings
) -> MetricSource | None:
    """Open the source that the settings name; None where images need not come with evidence."""
    slop_ns = round(metric.depth_slop * NS_PER_SECOND)
    if metric.source == 'odometry':
        return TfOdometry(hear_tf(), metric.odom_frame)
    if metric.source == 'depth':
        return DepthImages(Hearing(node, DEPTH, slop_ns, inputs))
    if metric.source == 'points':
        return PointClouds(Hearing(node, POINTS, slop_ns, inputs), hear_tf())
    return None


class TfOdometry:
    """Looks the image's frame up in the odometry frame."""

    def __init__(self, tree: TfTree, odom_frame: str) -> None:
        self._lookups = Lookups(tree, odom_frame)

    def ask(self, arrival: Arrival) -> Answer:
        """See MetricSource."""
        lookup = self._lookups.start(arrival.image.header.frame_id, arrival.stamp_ns)
        return lambda _camera: evidence(lookup)

    def close(self) -> None:
        """Nothing: the tree is the outputs' own."""


def evidence(lookup: Lookup) -> Evidence:
    """Give what was found, or why nothing was."""
    try:
        return Evidence(odom_T_cam=lookup.finish())
    except LookupFailure as failure:
        return Evidence(missing=str(failure))


# ---- what is measured near the image's stamp ----------------------------------------------------


@dataclass(frozen=True)
class Heard(Generic[Measurement]):
    """A topic of measurements; read raises InputError."""

    topic: str
    kind: type
    read: Callable[[Any], Measurement]


DEPTH: Heard[MetricDepth] = Heard(
    'metric_depth', Image, lambda image: thin_out(decode_depth(image))
)
POINTS: Heard[Cloud] = Heard('metric_points', PointCloud2, read_cloud)


class Hearing(Generic[Measurement]):
    """Hears a topic and remembers the last measurements; those that cannot be read it refuses."""

    def __init__(
        self, node: Node, heard: Heard[Measurement], slop_ns: int, inputs: InputSettings
    ) -> None:
        self._node = node
        self._heard = heard
        self._recent: Recent[Measurement] = Recent(slop_ns)
        self._subscription = node.create_subscription(
            heard.kind, heard.topic, self._on_message, input_qos(inputs)
        )

    def nearest(self, stamp_ns: int) -> 'Nearest[Measurement]':
        """Ask for what was measured nearest to a stamp."""
        return Nearest(self._recent, stamp_ns, self._heard.topic)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def _on_message(self, message: Any) -> None:
        try:
            measured = self._heard.read(message)
        except InputError as error:
            self._node.get_logger().warning(
                f'{self._heard.topic} was refused: {error}', throttle_duration_sec=LOG_PERIOD_S
            )
            return
        self._recent.add(nanoseconds(message.header.stamp), measured)


class Nearest(Generic[Measurement]):
    """What was measured nearest to a stamp, as soon as nothing nearer can come."""

    def __init__(self, recent: Recent[Measurement], stamp_ns: int, topic: str) -> None:
        self._recent = recent
        self._stamp_ns = stamp_ns
        self._settled = False
        self.found: Measurement | None = None
        self.missing = Evidence(missing=f'none of nearly its stamp came on {topic}')

    def attempt(self) -> bool:
        """Try once; say whether something nearer may still come."""
        if not self._settled:
            self._settled = self._recent.is_settled(self._stamp_ns)
            self.found = self._recent.nearest(self._stamp_ns) or self.found
        return not self._settled


class DepthImages:
    """Gives each image the depth that a depth camera measured nearest to its stamp."""

    def __init__(self, hearing: Hearing[MetricDepth]) -> None:
        self._hearing = hearing
        self._unanswered = Unanswered()
        self.close = hearing.close

    def ask(self, arrival: Arrival) -> Answer:
        """See MetricSource."""
        question = self._hearing.nearest(arrival.stamp_ns)
        self._unanswered.ask(question)
        return lambda _camera: measured(question)


def measured(question: Nearest[MetricDepth]) -> Evidence:
    """Wait a moment for depth that is late, then give what there is."""
    wait_for(question)
    return Evidence(depth=question.found) if question.found else question.missing


class PointClouds:
    """
    Gives each image the cloud that was measured nearest to its stamp, placed by tf.

    tf is asked at the cloud's stamp: how far the robot moved between the two is not undone.
    """

    def __init__(self, hearing: Hearing[Cloud], tree: TfTree) -> None:
        self._hearing = hearing
        self._tree = tree
        self._unanswered = Unanswered()
        self.close = hearing.close

    def ask(self, arrival: Arrival) -> Answer:
        """See MetricSource."""
        nearest = self._hearing.nearest(arrival.stamp_ns)
        question = PlacedCloud(nearest, self._tree, arrival.image.header.frame_id)
        self._unanswered.ask(question)
        return question.finish


class PlacedCloud:
    """
    The cloud measured nearest to a stamp, and where it was from the camera.

    tf forgets sooner than an image's turn comes, so it is asked about each cloud that may be it.
    """

    def __init__(self, nearest: Nearest[Cloud], buffer: Buffer, camera_frame: str) -> None:
        self._nearest = nearest
        self._buffer = buffer
        self._camera_frame = camera_frame
        self._lock = threading.Lock()
        self._asked: tuple[Cloud, Lookup] | None = None

    def attempt(self) -> bool:
        """Try once; say whether a nearer cloud, or tf, may still come."""
        with self._lock:
            nearer_may_come = self._nearest.attempt()
            cloud = self._nearest.found
            if cloud is not None and (self._asked is None or self._asked[0] is not cloud):
                self._asked = cloud, self._look_up(cloud)
            tf_may_come = self._asked is not None and self._asked[1].attempt()
            return nearer_may_come or tf_may_come

    def finish(self, camera: Camera) -> Evidence:
        """Wait a moment for what is late, then give what there is."""
        wait_for(self)
        with self._lock:
            asked = self._asked
        if asked is None:
            return self._nearest.missing
        cloud, lookup = asked
        try:
            return see_cloud(camera, lookup.result(), cloud)
        except LookupFailure as failure:
            return Evidence(missing=str(failure))

    def _look_up(self, cloud: Cloud) -> Lookup:
        return Lookup(self._buffer, self._camera_frame, cloud.frame_id, cloud.stamp_ns)
