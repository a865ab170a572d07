"""What the node's settings refuse."""

import pytest

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.ros.settings import check_together, NodeSettings


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('output.depth_encoding', '16UC1'),
        ('tf.arrangement', 'odom_to_base'),
        ('tf.arrangement', 'map_to_odom'),
    ],
)
def test_what_needs_metres_is_refused_without_a_source_of_them(name: str, value: str) -> None:
    node = with_values(NodeSettings(), {name: value})

    with pytest.raises(ConfigError, match=f'{name} = {value}.* needs metres'):
        check_together(DepthSyncSettings(), node)
    check_together(with_values(DepthSyncSettings(), {'metric.source': 'odometry'}), node)


def test_the_robot_s_frames_are_refused_without_poses() -> None:
    node = with_values(NodeSettings(), {'tf.arrangement': 'odom_to_base'})
    blind = {
        'metric.source': 'camera_height', 'metric.camera_height': 1.0, 'poses.derive': False
    }  # fmt: skip

    with pytest.raises(ConfigError, match=r'needs poses, and poses\.derive is off'):
        check_together(with_values(DepthSyncSettings(), blind), node)
    check_together(with_values(DepthSyncSettings(), {'poses.derive': False}), NodeSettings())


def test_no_frame_is_its_own_parent() -> None:
    with pytest.raises(ConfigError, match=r"tf\.odom_frame and tf\.map_frame are both 'odom'"):
        with_values(NodeSettings(), {'tf.map_frame': 'odom'})
