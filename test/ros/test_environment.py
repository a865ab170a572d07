"""What a child process gets to speak ROS."""

import sys

from depthsync_ros.ros.environment import FASTDDS_TRANSPORTS, ros_environment, uses_fastdds


def test_a_bare_environment_gets_transports_that_carry_an_image() -> None:
    assert ros_environment({}) == {
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'AMENT_PREFIX_PATH': sys.prefix,
        'FASTDDS_BUILTIN_TRANSPORTS': FASTDDS_TRANSPORTS,
    }


def test_what_the_user_has_set_is_kept() -> None:
    given = {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4', 'AMENT_PREFIX_PATH': '/opt/ros/jazzy'}

    added = ros_environment(given)

    assert {**given, **added} == {**given, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def test_another_middleware_gets_no_variable_of_fastdds() -> None:
    cyclone = {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'}

    assert not uses_fastdds(cyclone)
    assert 'FASTDDS_BUILTIN_TRANSPORTS' not in ros_environment(cyclone)
