"""
Depth, a point cloud by depth_image_proc, and a map by rtabmap_slam, on a robot with odometry.

    ros2 launch depthsync_ros mapping.launch.py image:=/camera/image_rect \
        camera_info:=/camera/camera_info

The robot's tf has odom -> base_link -> camera; metres come from it. Depth leaves seconds after its
image, so whoever pairs the two must keep images for so long: hence the queues.
"""

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import ComposableNodeContainer, Node
from launch_ros.descriptions import ComposableNode

from launch import LaunchDescription

NODE = f'{get_package_share_directory("depthsync_ros")}/launch/depthsync.launch.py'
QUEUE = 600  # images: twenty seconds at 30 Hz
DEPTH, DEPTH_INFO = '/depthsync/depth', '/depthsync/depth/camera_info'
ARGUMENTS = {
    'image': ('/camera/image_rect', 'Image topic; rectified for depth_image_proc and rtabmap.'),
    'camera_info': ('/camera/camera_info', 'camera_info topic of the same camera.'),
    'device': ('', "Where the network runs: 'cpu', 'cuda'."),
    'metric_source': ('odometry', 'Where metres come from; a map wants them.'),
    'base_frame': ('base_link', "Frame of the robot's body."),
    'odom_frame': ('odom', "Frame of the robot's odometry in tf."),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start all three."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, _depthsync(), _cloud(), _map()])


def _depthsync() -> IncludeLaunchDescription:
    names = ('image', 'camera_info', 'device', 'metric_source')
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(NODE),
        launch_arguments={
            'rectified': 'true',
            **{name: LaunchConfiguration(name) for name in names},
        }.items(),
    )


def _cloud() -> ComposableNodeContainer:
    """Make a cloud in a container; where it is all that is wanted, ~/points saves the way."""
    return ComposableNodeContainer(
        name='depthsync_consumers',
        namespace='',
        package='rclcpp_components',
        executable='component_container',
        composable_node_descriptions=[
            ComposableNode(
                package='depth_image_proc',
                plugin='depth_image_proc::PointCloudXyzrgbNode',
                name='point_cloud',
                parameters=[{'queue_size': QUEUE}],
                remappings=[
                    ('rgb/image_rect_color', LaunchConfiguration('image')),
                    ('rgb/camera_info', LaunchConfiguration('camera_info')),
                    ('depth_registered/image_rect', DEPTH),
                ],
            )
        ],
        output='screen',
    )


def _map() -> Node:
    return Node(
        package='rtabmap_slam',
        executable='rtabmap',
        parameters=[
            {
                'frame_id': LaunchConfiguration('base_frame'),
                'odom_frame_id': LaunchConfiguration('odom_frame'),
                'subscribe_depth': True,
                'approx_sync': False,  # depth carries its image's own stamp
                'topic_queue_size': QUEUE,
                'sync_queue_size': QUEUE,
                'wait_for_transform': 1.0,
                'tf_delay': 0.05,
            }
        ],
        remappings=[
            ('rgb/image', LaunchConfiguration('image')),
            ('rgb/camera_info', LaunchConfiguration('camera_info')),
            ('depth/image', DEPTH),
        ],
        arguments=['--delete_db_on_start'],
        output='screen',
    )
