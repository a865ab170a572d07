"""
Play a bag into the node and look at it in rviz.

    ros2 launch depthsync_ros replay.launch.py bag:=drive.mcap image:=/camera/image_raw \
        camera_info:=/camera/camera_info
"""

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

SHARE = get_package_share_directory('depthsync_ros')
ARGUMENTS = {
    'bag': (None, 'The bag to play.'),
    'image': ('/camera/image_raw', 'Image topic in the bag.'),
    'camera_info': ('/camera/camera_info', 'camera_info topic in the bag.'),
    'rate': ('1.0', 'How many times as fast as it was recorded; slower loses less on a CPU.'),
    'device': ('', "Where the network runs: 'cpu', 'cuda'."),
    'params_file': (f'{SHARE}/config/depthsync.yaml', 'Parameter file of the node.'),
    'rviz': ('true', 'Open rviz.'),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the bag's clock is everybody's time."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    names = ('image', 'camera_info', 'device', 'params_file')
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(f'{SHARE}/launch/depthsync.launch.py'),
        launch_arguments={
            'use_sim_time': 'true',
            **{name: LaunchConfiguration(name) for name in names},
        }.items(),
    )
    play = ExecuteProcess(
        cmd=[
            *('ros2', 'bag', 'play', LaunchConfiguration('bag')),
            *('--clock', '100', '--rate', LaunchConfiguration('rate')),
        ],
        output='screen',
    )
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        arguments=['-d', f'{SHARE}/rviz/depthsync.rviz'],
        parameters=[{'use_sim_time': True}],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
    return LaunchDescription([*arguments, node, play, rviz])
