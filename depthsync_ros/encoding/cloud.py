"""Coloured points of a depth image, laid out as sensor_msgs/PointCloud2 wants them."""

from functools import lru_cache

import numpy as np

from depthsync_ros.core.camera import Camera, rays
from depthsync_ros.core.frames import DepthFrame

# rgb is 0x00RRGGBB in the bits of a float32, as PCL has it.
FIELDS = ('x', 'y', 'z', 'rgb')  # of four bytes each
POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<u4')])


def coloured_points(frame: DepthFrame) -> np.ndarray:
    """
    Give each pixel its point in the optical frame, in depth's unit; NaN where depth is unknown.

    Shapes: (height, width) of POINT.
    """
    points = np.empty(frame.depth.shape, POINT)
    directions = _directions(frame.camera)
    points['x'] = directions[..., 0] * frame.depth
    points['y'] = directions[..., 1] * frame.depth
    points['z'] = frame.depth
    red, green, blue = np.moveaxis(frame.rgb.astype(np.uint32), -1, 0)
    points['rgb'] = red << 16 | green << 8 | blue
    return points


@lru_cache(maxsize=2)
def _directions(camera: Camera) -> np.ndarray:
    """Give (x/z, y/z) of every pixel; lens distortion makes that slow, and it never changes."""
    v, u = np.mgrid[: camera.height, : camera.width]
    return rays(camera, np.stack([u, v], axis=-1))[..., :2].astype(np.float32)
