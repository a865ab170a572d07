"""
Start the depthsync node and bring it to work.

    ros2 launch depthsync_ros depthsync.launch.py image:=/camera/image_raw
    ros2 launch depthsync_ros depthsync.launch.py --show-args
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from lifecycle_msgs.msg import Transition

from depthsync_ros.ros.environment import FASTDDS_TRANSPORTS, FASTDDS_VARIABLE, uses_fastdds
from launch import LaunchContext, LaunchDescription

BOOLEANS = ['true', 'false']
KEEP = "'' keeps the parameter file's"
PARAMETERS = {
    'model_path': 'model.path',
    'device': 'model.device',
    'transport': 'input.transport',
    'depth_encoding': 'output.depth_encoding',
    'metric_source': 'metric.source',
    'arrangement': 'tf.arrangement',
    'world_frame': 'tf.world_frame',
}
PATIENCE_S = '30'  # to end after Ctrl-C: a call of the network may be under way
REMAPPED = ('image', 'camera_info', 'metric_depth', 'metric_points')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the node is made when their values are known."""
    share = get_package_share_directory('depthsync_ros')
    return LaunchDescription(
        [
            _argument('namespace', '', 'Namespace of the node, one for each camera.'),
            _argument('name', 'depthsync', "The node's name; its topics begin with it."),
            _argument('image', 'image', 'Image topic; without /compressed, also for compressed.'),
            _argument('camera_info', 'camera_info', 'camera_info topic of the same camera.'),
            _argument(
                'params_file',
                os.path.join(share, 'config', 'depthsync.yaml'),  # noqa: PTH118
                'Parameter file; the default lists every parameter.',
            ),
            _argument('model_path', '', f"Network: 'embedded', a folder, or a hub id; {KEEP}."),
            _argument('device', '', f"Where the network runs: 'cpu', 'cuda'; {KEEP}."),
            _argument('transport', '', f'raw or compressed; {KEEP}.', ['', 'raw', 'compressed']),
            _argument(
                'rectified', '', f'Whether the images are rectified; {KEEP}.', ['', *BOOLEANS]
            ),
            _argument('metric_depth', 'metric_depth', 'Measured depth, for metric_source:=depth.'),
            _argument('metric_points', 'metric_points', 'Clouds, for metric_source:=points.'),
            _argument('depth_encoding', '', f'32FC1 or 16UC1; {KEEP}.', ['', '32FC1', '16UC1']),
            _argument('metric_source', '', f'Where metres come from, see metric.source; {KEEP}.'),
            _argument('arrangement', '', f'What goes to tf, see tf.arrangement; {KEEP}.'),
            _argument('world_frame', '', f"Frame of the run's world, one a camera; {KEEP}."),
            _argument('autostart', 'true', 'Configure and activate the node.', BOOLEANS),
            _argument('log_level', 'info', 'Level of logging: debug, info, warn, error.'),
            _argument('use_sim_time', 'false', 'Take the time from /clock.', BOOLEANS),
            *_transports(),
            OpaqueFunction(function=_start),
        ]
    )


def _argument(
    name: str, default: str, description: str, choices: list[str] | None = None
) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        name, default_value=default, description=description, choices=choices
    )


def _transports() -> list[SetEnvironmentVariable]:
    """Let Fast DDS carry whole images, unless the user has chosen its transports already."""
    if not uses_fastdds() or FASTDDS_VARIABLE in os.environ:
        return []
    return [SetEnvironmentVariable(FASTDDS_VARIABLE, FASTDDS_TRANSPORTS)]


def _start(context: LaunchContext) -> list[object]:
    given = {
        name: LaunchConfiguration(name).perform(context) for name in context.launch_configurations
    }
    overrides: dict[str, object] = {'use_sim_time': given['use_sim_time'] == 'true'}
    for argument, parameter in PARAMETERS.items():
        if given[argument]:
            overrides[parameter] = ParameterValue(given[argument], value_type=str)
    if given['rectified']:
        overrides['input.rectified'] = given['rectified'] == 'true'
    node = LifecycleNode(
        package='depthsync_ros',
        executable='depthsync_node',
        name=given['name'],
        namespace=given['namespace'],
        parameters=[given['params_file'], overrides],
        remappings=[(name, given[name]) for name in REMAPPED],
        ros_arguments=['--log-level', given['log_level']],
        output='screen',
        sigterm_timeout=PATIENCE_S,
        sigkill_timeout=PATIENCE_S,
    )
    if given['autostart'] == 'false':
        return [node]
    activate = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            start_state='configuring',
            goal_state='inactive',
            handle_once=True,  # who configures it again by hand may want it inactive
            entities=[_change(node, Transition.TRANSITION_ACTIVATE)],
        )
    )
    return [activate, node, _change(node, Transition.TRANSITION_CONFIGURE)]


def _change(node: LifecycleNode, transition: int) -> EmitEvent:
    return EmitEvent(
        event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
    )
