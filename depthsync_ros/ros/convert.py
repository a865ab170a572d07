"""From the node's two input messages to a frame of the core. Fields are copied, no more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from depthsync_ros.calibration import camera_for, read_calibration
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.evidence import Evidence, NO_EVIDENCE
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.shapes import RgbImage
from depthsync_ros.images import decode, decode_compressed, UnknownEncodingError
from depthsync_ros.messages import nanoseconds
from depthsync_ros.ros import bridge


@dataclass(frozen=True, eq=False)
class Arrival:
    """
    An image and its camera_info as they came in.

    Units: received_s is time.monotonic().

    evidence gives what is known of metres at its stamp, when the frame's turn comes and its camera
    is known.
    """

    image: Image | CompressedImage
    info: CameraInfo
    received_s: float
    evidence: Callable[[Camera], Evidence] = lambda _camera: NO_EVIDENCE

    @property
    def stamp_ns(self) -> int:
        """The image's own stamp."""
        return nanoseconds(self.image.header.stamp)


def frame(arrival: Arrival, *, rectified: bool) -> Frame:
    """
    Decode the image and read its calibration.

    :raises InputError: either breaks its contract.
    """
    rgb = _rgb(arrival.image)
    height, width = rgb.shape[:2]
    calibration = read_calibration(arrival.info)
    camera = camera_for(calibration, width=width, height=height, rectified=rectified)
    return Frame(
        stamp_ns=arrival.stamp_ns,
        frame_id=arrival.image.header.frame_id,
        rgb=rgb,
        camera=camera,
        evidence=arrival.evidence(camera),
    )


def _rgb(image: Any) -> RgbImage:
    if isinstance(image, CompressedImage):
        return decode_compressed(image)
    try:
        return decode(image)
    except UnknownEncodingError:
        if bridge.works():
            return bridge.decode(image)
        raise
