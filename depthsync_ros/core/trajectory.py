"""Joining the windows' poses into one trajectory."""

from collections.abc import Sequence

import numpy as np

from depthsync_ros.core.poses import WindowPoses
from depthsync_ros.core.rigid import BODY_T_OPTICAL, invert, robust_mean
from depthsync_ros.core.shapes import Transform


def join(
    poses: WindowPoses, known: Sequence[Transform | None], *, first: bool
) -> list[Transform | None]:
    """
    Place a window's poses in the run's world.

    known holds world_T_cam of the window's leading frames as their earlier window left them.
    The first window that has poses makes the world: its axes are those of a REP 103 body frame
    (x forward, y left, z up) at the first posed camera. A later window that shares no posed
    frame with its predecessors cannot be placed, and all its poses are None.
    """
    links = [
        world_T_cam @ invert(poses.window_T_cam[position])
        for position, world_T_cam in enumerate(known)
        if world_T_cam is not None and poses.posed[position]
    ]
    if first:
        world_T_window = BODY_T_OPTICAL
    elif links:
        world_T_window = robust_mean(np.stack(links))
    else:
        return [None] * len(poses.posed)
    return [
        world_T_window @ window_T_cam if posed else None
        for window_T_cam, posed in zip(poses.window_T_cam, poses.posed, strict=True)
    ]
