"""
A stand-in for tf2_ros where no ROS installation has it: sending and looking up transforms.

Names, arguments, topics, quality of service and results are those of tf2_ros of ROS 2 Jazzy. Not
here: `transform` of points and poses, the asynchronous calls, the buffer client and server, and
the `tf2_frames` service.
"""

from tf2_ros.buffer import Buffer
from tf2_ros.core import (
    BufferCore,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TimeoutException,
    TransformException,
)
from tf2_ros.static_transform_broadcaster import StaticTransformBroadcaster
from tf2_ros.transform_broadcaster import TransformBroadcaster
from tf2_ros.transform_listener import TransformListener

__all__ = [
    'Buffer',
    'BufferCore',
    'ConnectivityException',
    'ExtrapolationException',
    'InvalidArgumentException',
    'LookupException',
    'StaticTransformBroadcaster',
    'TimeoutException',
    'TransformBroadcaster',
    'TransformException',
    'TransformListener',
]
