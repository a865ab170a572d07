"""What else a robot knows at an image's stamp that tells metres."""

from dataclasses import dataclass

from depthsync_ros.core.shapes import Transform


@dataclass(frozen=True, eq=False)
class Evidence:
    """
    Metric knowledge of one frame; what is None is not known, and missing says why.

    Units: odom_T_cam in metres.
    Convention: odom_T_cam takes optical-frame points into the robot's odometry frame.
    """

    odom_T_cam: Transform | None = None
    missing: str = ''


NO_EVIDENCE = Evidence()
