"""
Two cameras, each with a node and a world of its own.

    ros2 launch depthsync_ros two_cameras.launch.py left:=/left/image_raw right:=/right/image_raw
"""

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription

NODE = f'{get_package_share_directory("depthsync_ros")}/launch/depthsync.launch.py'


def generate_launch_description() -> LaunchDescription:
    """Start the node twice; no frame of one is a frame of the other."""
    arguments = [
        DeclareLaunchArgument(
            'device', default_value='', description="'cuda:0' for both, or '' for the default."
        )
    ]
    for side in ('left', 'right'):
        arguments += [
            DeclareLaunchArgument(
                side,
                default_value=f'/{side}/image_raw',
                description=f'Image topic of the {side} camera.',
            ),
            DeclareLaunchArgument(
                f'{side}_info',
                default_value=f'/{side}/camera_info',
                description=f'camera_info topic of the {side} camera.',
            ),
        ]
    return LaunchDescription([*arguments, _node('left'), _node('right')])


def _node(side: str) -> IncludeLaunchDescription:
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(NODE),
        launch_arguments={
            'namespace': side,
            'image': LaunchConfiguration(side),
            'camera_info': LaunchConfiguration(f'{side}_info'),
            'world_frame': f'{side}_world',
            'device': LaunchConfiguration('device'),
        }.items(),
    )
