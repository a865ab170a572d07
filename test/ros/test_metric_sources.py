"""Metres from the robot's own tf, through the live node."""

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from robot import FRAME_ID, HEIGHT, odom_to_camera, Robot, stamp_ns, STEP_M, wait_until, WIDTH
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer

from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.ros import lookups
from depthsync_ros.ros.lookups import Lookup, LookupFailure
from depthsync_ros.ros.metric_sources import evidence

FRAMES = 24


def play(robot: Robot, publisher: Any, *, tf_late: int) -> None:
    """Send images, each image's odometry `tf_late` images after it."""
    for number in range(FRAMES + tf_late):
        if number >= tf_late:
            publisher.publish(TFMessage(transforms=[odom_to_camera(number - tf_late)]))
        if number < FRAMES:
            robot.play([number], period_s=0.02)
    robot.flush_all(FRAMES)
    wait_until(lambda: len(robot.received.depth) == FRAMES)


@pytest.fixture(scope='module')
def metric_node(start_node: Callable[..., Any]) -> Any:
    return start_node(
        'metres',
        **{
            'metric.source': 'odometry',
            'metric.max_uncertainty': '0.5',
            'input.reliability': 'reliable',
            'input.history': '1000',
            'input.queue_frames': '500',
        },
    )


@pytest.mark.parametrize('tf_late', [0, 2])
def test_depth_and_odometry_are_metric_by_the_robots_tf(
    metric_node: Any, robot: Robot, tf_late: int
) -> None:
    publisher = robot.node.create_publisher(TFMessage, '/tf', 100)
    robot.attend(metric_node)
    robot.change('configure')
    robot.activate()
    wait_until(lambda: robot.node.count_subscribers('/tf') >= 2, 'the node to hear tf')

    play(robot, publisher, tf_late=tf_late)
    wait_until(lambda: len(robot.received.reports) >= 4)
    robot.wait_for_value('metric', 'True')

    reports = robot.received.reports
    assert [report.metric_source for report in reports] == ['odometry'] * len(reports)
    assert sum(report.metric_frames == report.frame_count for report in reports) >= 3
    assert reports[-1].metric
    assert reports[-1].unit == 'metre'
    assert np.isfinite(reports[-1].metric_scale)
    x = [message.pose.pose.position for message in robot.received.odometry]
    moved = np.linalg.norm([x[-1].x - x[0].x, x[-1].y - x[0].y, x[-1].z - x[0].z])
    # The fake network's depth is wrong all over, so single steps are off; their sum is not far.
    assert moved == pytest.approx(STEP_M * (FRAMES - 1), rel=0.3)
    robot.change('deactivate', 'cleanup')
    robot.node.destroy_publisher(publisher)


def measured_depth(number: int) -> Image:
    depth = array.array('H', [2000] * (WIDTH * HEIGHT))
    message = Image(height=HEIGHT, width=WIDTH, encoding='16UC1', step=2 * WIDTH)
    message.data = array.array('B', depth.tobytes())
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns(number), 10**9)
    return message


def test_depth_is_metric_by_a_depth_camera(start_node: Callable[..., Any], robot: Robot) -> None:
    lossless = {'input.reliability': 'reliable', 'input.history': '1000'}
    node = start_node('measured', **{'metric.source': 'depth', **lossless})
    publisher = robot.node.create_publisher(Image, 'metric_depth', 1000)
    robot.attend(node)
    robot.change('configure')
    robot.activate()
    wait_until(publisher.get_subscription_count, 'the node to hear the depth camera')

    for number in range(FRAMES + 1):  # an image is settled once depth from after it has come
        publisher.publish(measured_depth(number))
        if number:
            robot.play([number - 1], period_s=0.02)
    robot.flush_all(FRAMES)
    wait_until(lambda: len(robot.received.depth) == FRAMES)
    wait_until(lambda: robot.received.reports and robot.received.reports[-1].metric)
    robot.wait_for_value('metric source', 'depth')

    reports = robot.received.reports
    assert all(report.metric_frames == report.frame_count for report in reports)
    depth = np.frombuffer(robot.received.depth[-1].data, np.float32)
    # The fake network's depth is texture about a mean; the image's size smooths it.
    assert np.median(depth) == pytest.approx(2.0, rel=0.05)
    robot.node.destroy_publisher(publisher)
    assert node.close() == 0


def test_a_failed_look_up_is_no_identity_and_says_why() -> None:
    lookup = Lookup(Buffer(), 'odom', FRAME_ID, stamp_ns(0))

    found = evidence(lookup)

    assert found.odom_T_cam is None
    assert 'odom' in found.missing


def test_what_tf_said_when_the_image_came_is_kept_though_tf_forgets_it() -> None:
    buffer = Buffer()
    buffer.set_transform(odom_to_camera(0), 'test')
    buffer.set_transform(odom_to_camera(2), 'test')
    lookup = Lookup(buffer, 'odom', FRAME_ID, stamp_ns(1))
    assert not lookup.attempt()

    for number in (3000, 3001):  # 100 s later; the buffer keeps 10 s
        buffer.set_transform(odom_to_camera(number), 'test')

    assert lookup.finish()[0, 3] == pytest.approx(-STEP_M, abs=1e-6)
    with pytest.raises(LookupFailure):
        Lookup(buffer, 'odom', FRAME_ID, stamp_ns(1)).finish()


def test_tf_that_is_late_is_waited_for_only_if_it_can_come(monkeypatch: Any) -> None:
    monkeypatch.setattr(lookups, 'WAIT_S', 0.0)
    buffer = Buffer()
    buffer.set_transform(odom_to_camera(0), 'test')
    buffer.set_transform(odom_to_camera(1), 'test')
    lookup = Lookup(buffer, MetricSettings().odom_frame, FRAME_ID, stamp_ns(2))

    assert lookup.attempt(), 'the future may still come'
    buffer.set_transform(odom_to_camera(3), 'test')

    assert not lookup.attempt()
    assert lookup.finish()[0, 3] == pytest.approx(-2 * STEP_M, abs=1e-6)
