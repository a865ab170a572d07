"""Joining the windows' poses into one trajectory."""

from collections.abc import Sequence

import numpy as np

from depthsync_ros.core.poses import WindowPoses
from depthsync_ros.core.rigid import invert, robust_mean
from depthsync_ros.core.shapes import Transform


def world_from(poses: WindowPoses, known: Sequence[Transform | None]) -> Transform | None:
    """
    Find world_T_window, where a window's poses stand in the run's world.

    known holds world_T_cam of the window's leading frames as their earlier window left them;
    None where no frame is posed on both sides: the window cannot be placed.
    """
    links = [
        world_T_cam @ invert(poses.window_T_cam[position])
        for position, world_T_cam in enumerate(known)
        if world_T_cam is not None and poses.posed[position]
    ]
    return robust_mean(np.stack(links)) if links else None


def join(poses: WindowPoses, world_T_window: Transform | None) -> list[Transform | None]:
    """Place a window's poses in the run's world; None where a frame, or the window, has none."""
    if world_T_window is None:
        return [None] * len(poses.posed)
    return [
        world_T_window @ window_T_cam if posed else None
        for window_T_cam, posed in zip(poses.window_T_cam, poses.posed, strict=True)
    ]
