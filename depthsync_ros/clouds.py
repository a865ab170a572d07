"""From a lidar's or depth camera's bytes to points: sensor_msgs/PointCloud2 without ROS."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.points import Cloud, draw, MOST_KEPT
from depthsync_ros.core.shapes import Points
from depthsync_ros.messages import nanoseconds

AXES = ('x', 'y', 'z')
KINDS = {7: 'f4', 8: 'f8'}  # sensor_msgs/PointField, FLOAT32 and FLOAT64
REMEDY = 'correct the driver'


class PointFieldLike(Protocol):
    """The fields of sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int


class PointCloudLike(Protocol):
    """The fields of sensor_msgs/PointCloud2 that are read here; any object with them will do."""

    header: Any
    height: int
    width: int
    fields: Sequence[Any]
    is_bigendian: Any
    point_step: int
    row_step: int
    data: Any


def read_cloud(message: PointCloudLike) -> Cloud:
    """
    Read a cloud: its stamp, its frame and the points that are worth keeping.

    :raises InputError: see decode_points.
    """
    header = message.header
    return Cloud(nanoseconds(header.stamp), header.frame_id, decode_points(message))


def decode_points(message: PointCloudLike) -> Points:
    """
    Decode the points that were measured, or a draw of MOST_KEPT of them; organised or not.

    What is not finite was not measured, nor was a point in the sensor's very origin, which is
    what many lidars send where nothing came back.

    Shapes: the result (n, 3), float64.

    :raises InputError: x, y or z is missing or no float, or sizes contradict each other.
    """
    columns = [_column(message, axis) for axis in AXES]
    height, width = int(message.height), int(message.width)
    row_step, step = int(message.row_step), int(message.point_step)
    if row_step < width * step or len(message.data) != row_step * height:
        raise InputError(
            f'{_seen(message)}: a row takes at least {width * step} bytes, and all rows '
            f'{row_step * height}; the message is cut off, or {REMEDY}'
        )
    if not height * width:
        return np.zeros((0, 3))
    data, size, steps = memoryview(message.data), (height, width), (row_step, step)
    values = [np.ndarray(size, kind, data, offset, steps) for offset, kind in columns]
    flat = [one.reshape(-1) for one in values]
    finite = np.logical_and.reduce([np.isfinite(one) for one in flat])
    returned = np.logical_or.reduce([one != 0.0 for one in flat])
    chosen = draw(np.flatnonzero(finite & returned), MOST_KEPT)
    return np.stack([one[chosen].astype(np.float64) for one in flat], axis=-1)


def _column(message: PointCloudLike, axis: str) -> tuple[int, str]:
    """Say where in a point a coordinate lies, and as what."""
    field = _field(message, axis)
    kind = KINDS[field.datatype]
    offset, end = int(field.offset), int(field.offset) + int(kind[1])
    if end > message.point_step:
        raise InputError(f'{_seen(message)}: {axis} ends at byte {end} of a point; {REMEDY}')
    return offset, ('>' if message.is_bigendian else '<') + kind


def _field(message: PointCloudLike, axis: str) -> PointFieldLike:
    found = [field for field in message.fields if field.name == axis]
    # Old drivers write a count of 0 for one.
    if len(found) != 1 or found[0].datatype not in KINDS or found[0].count > 1:
        fields = [f'{field.name}: {field.count} of {field.datatype}' for field in message.fields]
        raise InputError(
            f'{_seen(message)} with fields ({", ".join(fields)}): x, y and z are needed, each '
            f'once, as one number of datatype 7 (FLOAT32) or 8 (FLOAT64); {REMEDY}'
        )
    one: PointFieldLike = found[0]
    return one


def _seen(message: PointCloudLike) -> str:
    return (
        f'point cloud {message.width}x{message.height}, point_step {message.point_step}, '
        f'row_step {message.row_step}, {len(message.data)} bytes'
    )
