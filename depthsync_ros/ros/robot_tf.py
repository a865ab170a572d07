"""Sends the camera's poses to tf as the settings arrange it, and says what was withheld."""

from collections import Counter
from collections.abc import Iterable
import threading

from geometry_msgs.msg import TransformStamped
import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_ros import TransformBroadcaster, TransformListener

from depthsync_ros.core.breaks import TIME_JUMP_NS
from depthsync_ros.core.frames import DepthFrame
from depthsync_ros.core.shapes import Transform
from depthsync_ros.messages import Messages
from depthsync_ros.ros.arrangements import arrange, Link, Placement
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.lookups import Lookup, LookupFailure, Lookups
from depthsync_ros.ros.settings import TfSettings
from depthsync_ros.ros.tf_tree import TfTree

# Why a frame's transform was withheld; the diagnostics list them by these names.
NO_POSE = 'no pose'
NOT_METRIC = 'not metric yet'
NO_LOOKUP = 'look-up failed'
NO_FRAME_ID = 'image without frame_id'
OBJECTION = 'tf has it otherwise'
LOG_PERIOD_S = 10.0
MOST_ASKED = 10_000  # images between arrival and departure; far more than memory holds


class RobotTf:
    """
    Places frames in the robot's tf and sends the transforms.

    Nothing is guessed: where a pose, metres or a look-up is missing, or tf already has it
    otherwise, nothing is sent, and counted.
    """

    def __init__(self, node: Node, settings: TfSettings, make: Messages, qos: QoSProfile) -> None:
        self.tree = TfTree()
        self.arrangement = arrange(settings)
        self._node = node
        self._make = make
        self._listener: TransformListener | None = None
        if settings.arrangement != 'off':
            self.hear_tf()
        self.broadcaster = TransformBroadcaster(node, qos)
        self._lookups = Lookups(self.tree, self.arrangement.target)
        self._asked: dict[int, Lookup] = {}  # by stamp, in the order of arrival
        self._lock = threading.Lock()
        self._last_ns = 0
        self._sent = 0
        self._withheld: Counter[str] = Counter()
        self._why = ''  # the last sentence

    def hear_tf(self) -> TfTree:
        """Fill the tree from /tf and /tf_static from now on; nobody listens without need."""
        if self._listener is None:
            self._listener = TransformListener(self.tree, self._node)
        return self.tree

    def close(self) -> None:
        """Unsubscribe from tf, and take the topic back."""
        if self._listener is not None:
            self._listener.unregister()
        self._node.destroy_publisher(self.broadcaster.pub_tf)

    def arrive(self, arrival: Arrival) -> None:
        """Ask tf, for an image that has just arrived, what placing it will take."""
        stamp_ns = arrival.stamp_ns
        if stamp_ns < self._last_ns - TIME_JUMP_NS:
            self.tree.clear()  # tf would refuse what comes now as data from the past
        self._last_ns = stamp_ns
        if self.arrangement.target:
            lookup = self._lookups.start(arrival.image.header.frame_id, stamp_ns)
            with self._lock:
                self._asked[stamp_ns] = lookup
                if len(self._asked) > MOST_ASKED:
                    del self._asked[next(iter(self._asked))]

    def place(self, frame: DepthFrame) -> Placement | None:
        """Place the next frame that leaves; None, counted, where that cannot be done."""
        lookup = self._answer(frame.stamp_ns)
        if frame.world_T_cam is None:
            return self._withhold(NO_POSE)
        if self.arrangement.needs_metres and not frame.metric:
            return self._withhold(NOT_METRIC, 'the metric scale is not known yet')
        if not frame.frame_id:
            return self._withhold(NO_FRAME_ID, 'the images have no frame_id: set it in the driver')
        try:
            found = _found(lookup) if self.arrangement.target else np.eye(4)
        except LookupFailure as failure:
            target = self.arrangement.target
            return self._withhold(
                NO_LOOKUP, f'{frame.frame_id} was not found in {target}: {failure}'
            )
        self._why = ''
        return self.arrangement.place(frame, found)

    def send(self, links: Iterable[tuple[int, Link]]) -> None:
        """Send transforms in one message, each at its stamp, unless tf has it otherwise."""
        transforms = [one for stamp_ns, link in links if (one := self._ready(stamp_ns, link))]
        if transforms:
            self.broadcaster.sendTransform(transforms)

    def _ready(self, stamp_ns: int, link: Link) -> TransformStamped | None:
        objection = self.tree.objection(link.parent, link.child)
        if objection:
            self._withhold(OBJECTION, objection)
            return None
        transform: TransformStamped = self._make.transform(
            stamp_ns, link.parent, link.child, link.parent_T_child
        )
        self.tree.sending(transform)
        self._sent += 1
        return transform

    @property
    def warning(self) -> str:
        """Why the last frame's transform was withheld; '' where it was sent."""
        return f'no tf for the last image: {self._why}' if self._why else ''

    def values(self) -> dict[str, object]:
        """Say in numbers what was sent."""
        withheld = {f'tf withheld: {why}': count for why, count in self._withheld.items()}
        return {'tf sent': self._sent, **withheld}

    def _answer(self, stamp_ns: int) -> Lookup | None:
        """Take a frame's look-up out; images that came before it have been dropped."""
        with self._lock:
            if stamp_ns not in self._asked:
                return None
            for older in list(self._asked):
                lookup = self._asked.pop(older)
                if older == stamp_ns:
                    return lookup
        return None

    def _withhold(self, why: str, sentence: str = '') -> None:
        self._withheld[why] += 1
        if sentence:
            self._why = sentence
            self._node.get_logger().warning(
                f'no transform sent: {sentence}', throttle_duration_sec=LOG_PERIOD_S
            )


def _found(lookup: Lookup | None) -> Transform:
    if lookup is None:
        raise LookupFailure('tf was not asked when the image came')
    return lookup.finish()
