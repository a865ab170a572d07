"""
ROS's cv_bridge, for encodings that our own codec does not know, where cv_bridge can be trusted.

Its released binaries are built against NumPy 1 and crash under NumPy 2, and the package of that
name on PyPI reads padded rows wrongly. So it must first decode a padded image rightly, in a
process of its own that may crash.
"""

from functools import cache
import subprocess
import sys

import numpy as np
from sensor_msgs.msg import Image

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import RgbImage

SELF_CHECK = """
import cv_bridge
from sensor_msgs.msg import Image
rows = bytes([1, 2, 3, 9, 9, 4, 5, 6, 9, 9])
padded = Image(height=2, width=1, encoding='bgr8', step=5, data=rows)
seen = cv_bridge.CvBridge().imgmsg_to_cv2(padded, 'rgb8')
raise SystemExit(seen.tolist() != [[[3, 2, 1]], [[6, 5, 4]]])
"""
SELF_CHECK_S = 60.0


@cache
def works() -> bool:
    """Whether cv_bridge is installed here and decodes; asked once a process."""
    try:
        checked = subprocess.run(
            [sys.executable, '-c', SELF_CHECK],
            check=False,
            timeout=SELF_CHECK_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return False
    return checked.returncode == 0


def decode(image: Image) -> RgbImage:
    """
    Decode with cv_bridge.

    :raises InputError: cv_bridge does not know the encoding either.
    """
    from cv_bridge import CvBridge, CvBridgeError  # noqa: PLC0415  absent on most machines

    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(image, 'rgb8'))
    except CvBridgeError as error:
        raise InputError(f'cv_bridge cannot decode {image.encoding!r} either: {error}') from error
