"""What the robot tells of metres at an image's stamp, asked when the image arrives."""

from collections.abc import Callable

from depthsync_ros.core.evidence import Evidence
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.lookups import Lookup, LookupFailure, Lookups
from depthsync_ros.ros.tf_tree import TfTree


class TfOdometry:
    """Looks the image's frame up in the odometry frame."""

    def __init__(self, tree: TfTree, odom_frame: str) -> None:
        self._lookups = Lookups(tree, odom_frame)

    def ask(self, arrival: Arrival) -> Callable[[], Evidence]:
        """Ask for an image that has just arrived; never waits. The answer may, a moment."""
        lookup = self._lookups.start(arrival.image.header.frame_id, arrival.stamp_ns)
        return lambda: evidence(lookup)


def evidence(lookup: Lookup) -> Evidence:
    """Give what was found, or why nothing was."""
    try:
        return Evidence(odom_T_cam=lookup.finish())
    except LookupFailure as failure:
        return Evidence(missing=str(failure))
