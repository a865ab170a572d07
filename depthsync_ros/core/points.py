"""Points that a sensor measured, as depth at pixels of an image."""

from dataclasses import dataclass

import numpy as np

from depthsync_ros.core.camera import Camera, project_through_lens
from depthsync_ros.core.evidence import Evidence, MetricDepth, MOST_POINTS
from depthsync_ros.core.rigid import transform
from depthsync_ros.core.shapes import Points, Transform

MOST_KEPT = 20_000  # of a cloud: seconds of them fit into memory, and a camera sees a part


@dataclass(frozen=True, eq=False)
class Cloud:
    """
    Points in the frame of the sensor that measured them.

    Shapes: points (n, 3).
    Units: metres.
    """

    stamp_ns: int
    frame_id: str
    points: Points


def see_cloud(camera: Camera, cam_T_cloud: Transform, cloud: Cloud) -> Evidence:
    """
    Give a cloud as depth at the pixels that see it, or say that none do.

    Convention: cam_T_cloud takes the cloud's points into the camera's optical frame.
    """
    with np.errstate(over='ignore', invalid='ignore'):  # what overflows is in no image
        points_cam = transform(cam_T_cloud, cloud.points)
    depth = measured_at(camera, points_cam)
    if len(depth.depth_m):
        return Evidence(depth=depth)
    return Evidence(
        missing=f'none of {len(cloud.points)} points in {cloud.frame_id!r} is in view: check '
        "what tf says of its place and the camera's"
    )


def measured_at(camera: Camera, points_cam: Points) -> MetricDepth:
    """
    Project measured points onto the image as it is, and keep some of those it shows.

    A point that something nearer hides from the camera, but not from the sensor, stays: whoever
    takes the median of many lets the others outvote it.

    Shapes: points_cam (n, 3) in the optical frame.
    """
    pixels = project_through_lens(camera, points_cam)
    ends = (camera.width - 0.5, camera.height - 0.5)  # half a pixel beyond the last centres
    inside = ((pixels >= -0.5) & (pixels < ends)).all(axis=1)
    kept = draw(np.flatnonzero(inside), MOST_POINTS)
    return MetricDepth(camera.width, camera.height, pixels[kept], points_cam[kept, 2])


def draw(rows: np.ndarray, most: int) -> np.ndarray:
    """
    Draw so many of some rows, in their order, and the same ones every time.

    Every so manieth would leave out whole rings of a lidar that gives them in turn.
    """
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
