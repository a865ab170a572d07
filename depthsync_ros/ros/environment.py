"""What a process needs in its environment so that ROS works in it and images get through."""

from collections.abc import Mapping
import os
import sys

# Fast DDS' own shared-memory segment holds 512 KiB and one 640x480 colour image is 900 KiB:
# without this, best-effort images are lost by the dozen.
FASTDDS_TRANSPORTS = 'LARGE_DATA?max_msg_size=1MB&sockets_size=4MB&non_blocking=true'
FASTDDS_VARIABLE = 'FASTDDS_BUILTIN_TRANSPORTS'
FASTDDS_REMEDY = (
    f"set {FASTDDS_VARIABLE}='{FASTDDS_TRANSPORTS}' for the camera driver and this node alike "
    '(Fast DDS), or publish with reliable QoS and set input.reliability'
)
FASTDDS_NAMES = ('', 'rmw_fastrtps_cpp', 'rmw_fastrtps_dynamic_cpp')


def uses_fastdds(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this environment's middleware is Fast DDS, ROS 2's default."""
    return environ.get('RMW_IMPLEMENTATION', '') in FASTDDS_NAMES


def ros_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """
    Return the variables to add for a child process that is to speak ROS on this machine alone.

    What the caller's environment sets already is kept. Start the child with
    `{**os.environ, **ros_environment()}`. A child that is a Python of another virtual
    environment must not inherit LD_LIBRARY_PATH and _ROS_WHEELS_BOOTSTRAP_COMPLETE, which the
    ROS wheels' start-up hook has set.
    """
    wanted = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
    if 'AMENT_PREFIX_PATH' not in environ:
        wanted['AMENT_PREFIX_PATH'] = sys.prefix
    if uses_fastdds(environ):
        wanted[FASTDDS_VARIABLE] = FASTDDS_TRANSPORTS
    return {name: environ.get(name, value) for name, value in wanted.items()}
