"""The node's qualities of service, and what the middleware says about those of others."""

from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    qos_policy_name_from_kind,
    QoSProfile,
    ReliabilityPolicy,
)

from depthsync_ros.ros.settings import InputSettings

SHORTEST_RESULT_HISTORY = 64
TF_HISTORY = 4096  # own transforms that may be on their way back to us

# Hears the last message of a latched publisher, also one that was sent before.
LATCHED_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class TopicWatch:
    """
    What the middleware reports about a subscription.

    misfit names the policy by which a publisher does not fit, empty while all do; lost counts
    messages that a publisher sent and the subscription never got.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.misfit = ''
        self.lost = 0

    def events(self, *, lost: bool) -> SubscriptionEventCallbacks:
        """Give the callbacks to subscribe with; not every middleware reports what it lost."""
        return SubscriptionEventCallbacks(
            incompatible_qos=self._on_misfit, message_lost=self._on_lost if lost else None
        )

    def _on_misfit(self, event: Any) -> None:
        self.misfit = qos_policy_name_from_kind(event.last_policy_kind)

    def _on_lost(self, event: Any) -> None:
        self.lost = event.total_count


def input_qos(settings: InputSettings) -> QoSProfile:
    """Sensor-data QoS unless the settings ask for reliable delivery."""
    best_effort = settings.reliability == 'sensor_data'
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=settings.history,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
    )


def result_qos(window_length: int) -> QoSProfile:
    """
    Reliable, and deep enough for the burst of a window: all its frames leave at once.

    Two windows are kept, so that a reliable subscriber may be one whole window behind.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=max(SHORTEST_RESULT_HISTORY, 2 * window_length),
        reliability=ReliabilityPolicy.RELIABLE,
    )
