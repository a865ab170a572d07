"""The node's qualities of service."""

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from depthsync_ros.ros.settings import InputSettings

SHORTEST_RESULT_HISTORY = 64
TF_HISTORY = 4096  # own transforms that may be on their way back to us


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
