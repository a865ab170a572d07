"""Metres from the robot's own tf and from what its sensors measure, through the live node."""

import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from geometry_msgs.msg import TransformStamped
from rclpy.serialization import serialize_message
from robot import (
    camera_info,
    DEEP,
    FRAME_ID,
    HEIGHT,
    image,
    odom_to_camera,
    Robot,
    stamp_ns,
    STEP_M,
    wait_until,
    WIDTH,
)
from sensor_msgs.msg import Image, PointCloud2, PointField
from synthetic import ignore, Listening, Row, STORE, write_rows
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer

from depthsync_ros.bags.process import BagJob, process_bag
from depthsync_ros.clouds import read_cloud
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.evidence import Recent
from depthsync_ros.core.points import Cloud
from depthsync_ros.core.rigid import BODY_T_OPTICAL
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.core.shapes import Points
from depthsync_ros.messages import Messages
from depthsync_ros.ros import lookups
from depthsync_ros.ros.lookups import Lookup, LookupFailure
from depthsync_ros.ros.metric_sources import evidence, Nearest, PlacedCloud
from depthsync_ros.ros.qos import LATCHED_QOS
from depthsync_ros.ros.words import RosWords

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
    assert node.close() == 0, node.output


CAMERA = Camera(WIDTH, HEIGHT, 60.0, 60.0, 31.5, 23.5)
LIDAR, SLOP_NS = 'lidar', 20_000_000


def lidar_T_cam() -> np.ndarray:
    """Look along the lidar's x, from 0.5 m before and 0.2 m below it."""
    result = BODY_T_OPTICAL.copy()
    result[:3, 3] = (0.5, 0.0, -0.2)
    return result


def extrinsics(number: int = 0) -> TransformStamped:
    return Messages(RosWords()).transform(stamp_ns(number), LIDAR, FRAME_ID, lidar_T_cam())


def wall() -> Points:
    """Give points all round the lidar, those before it on a wall 2 m from the camera."""
    y, z = np.meshgrid(np.linspace(-2.0, 2.0, 60), np.linspace(-1.0, 1.0, 30))
    before = np.stack([np.full(y.size, 2.5), y.reshape(-1), z.reshape(-1)], axis=-1)
    return np.concatenate([before, -before])


def lidar_cloud(number: int, points: Points, frame_id: str = LIDAR) -> PointCloud2:
    data = np.ascontiguousarray(points, '<f4').tobytes()
    fields = [
        PointField(name=name, offset=4 * place, datatype=7, count=1)
        for place, name in enumerate('xyz')
    ]
    message = PointCloud2(height=1, width=len(points), fields=fields, point_step=12)
    message.row_step, message.data = len(data), array.array('B', data)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns(number), 10**9)
    message.header.frame_id = frame_id
    return message


def test_depth_is_metric_by_a_lidar(start_node: Callable[..., Any], robot: Robot) -> None:
    lossless = {'input.reliability': 'reliable', 'input.history': '1000'}
    node = start_node('pointed', **{'metric.source': 'points', **lossless})
    clouds = robot.node.create_publisher(PointCloud2, 'metric_points', DEEP)
    static = robot.node.create_publisher(TFMessage, '/tf_static', LATCHED_QOS)
    static.publish(TFMessage(transforms=[extrinsics()]))
    robot.attend(node)
    robot.change('configure')
    robot.activate()
    wait_until(clouds.get_subscription_count, 'the node to hear the lidar')
    wait_until(static.get_subscription_count, 'the node to hear tf')

    broken = lidar_cloud(0, wall())
    broken.width += 1
    clouds.publish(broken)
    for number in range(FRAMES + 1):  # an image is settled once a cloud from after it has come
        clouds.publish(lidar_cloud(number, wall()))
        if number:
            robot.play([number - 1], period_s=0.02)
    robot.flush_all(FRAMES)
    wait_until(lambda: len(robot.received.depth) == FRAMES)
    wait_until(lambda: robot.received.reports and robot.received.reports[-1].metric)
    robot.wait_for_value('metric source', 'points')

    reports = robot.received.reports
    assert all(report.metric_frames == report.frame_count for report in reports)
    depth = np.frombuffer(robot.received.depth[-1].data, np.float32)
    # The fake network's depth is texture about a mean; the image's size smooths it.
    assert np.median(depth) == pytest.approx(2.0, rel=0.05)
    robot.node.destroy_publisher(clouds)
    robot.node.destroy_publisher(static)
    assert node.close() == 0, node.output
    assert 'metric_points was refused: point cloud 3601x1' in node.output


def placed(
    recent: Recent[Cloud], buffer: Buffer, number: int, frame: str = FRAME_ID
) -> PlacedCloud:
    return PlacedCloud(Nearest(recent, stamp_ns(number), 'metric_points'), buffer, frame)


def recent_clouds(*numbers: int, frame_id: str = LIDAR) -> Recent[Cloud]:
    """Give clouds with one point on the camera's axis, a metre farther for each number."""
    recent: Recent[Cloud] = Recent(SLOP_NS)
    for number in numbers:
        points = np.array([[number + 2.5, 0.0, -0.2]])
        cloud = read_cloud(lidar_cloud(number, points, frame_id))
        recent.add(cloud.stamp_ns, cloud)
    return recent


@pytest.mark.parametrize(
    ('frame_id', 'camera_frame', 'said'),
    [
        (LIDAR, FRAME_ID, 'does not exist'),
        ('', FRAME_ID, 'frames have names'),
        (LIDAR, '', 'frames have names'),
        ('', '', 'frames have names'),
    ],
)
def test_a_cloud_that_tf_cannot_place_is_missing_and_says_why(
    frame_id: str, camera_frame: str, said: str
) -> None:
    question = placed(recent_clouds(0, frame_id=frame_id), Buffer(), 0, camera_frame)

    found = question.finish(CAMERA)

    assert found.depth is None
    assert said in found.missing


def test_a_cloud_in_the_cameras_own_frame_needs_no_tf() -> None:
    recent: Recent[Cloud] = Recent(SLOP_NS)
    recent.add(stamp_ns(0), Cloud(stamp_ns(0), FRAME_ID, np.array([[0.0, 0.0, 2.0]])))

    found = placed(recent, Buffer(), 0).finish(CAMERA)

    assert found.depth.pixels.tolist() == [[31.5, 23.5]]
    assert found.depth.depth_m.tolist() == [2.0]


def test_a_nearer_cloud_that_comes_later_is_the_one_that_counts(monkeypatch: Any) -> None:
    monkeypatch.setattr(lookups, 'WAIT_S', 0.0)
    buffer = Buffer()
    buffer.set_transform_static(extrinsics(), 'test')
    recent: Recent[Cloud] = Recent(2 * SLOP_NS)
    question = placed(recent, buffer, 1)

    assert question.attempt()
    for number in (0, 1):
        cloud = read_cloud(lidar_cloud(number, np.array([[number + 2.5, 0.0, -0.2]])))
        recent.add(cloud.stamp_ns, cloud)
        assert question.attempt() == (number == 0), (
            'the next may be nearer, until one is not before'
        )

    assert question.finish(CAMERA).depth.depth_m == pytest.approx([3.0])


def on_a_rail(number: int) -> TransformStamped:
    """Put the camera a metre before the lidar for each number."""
    message = extrinsics(number)
    message.transform.translation.x = float(number)
    return message


def test_where_the_camera_was_at_the_clouds_stamp_is_kept_though_tf_forgets_it() -> None:
    buffer = Buffer()
    buffer.set_transform(on_a_rail(0), 'test')
    buffer.set_transform(on_a_rail(2), 'test')
    shortly_before = Nearest(recent_clouds(1), stamp_ns(1) - SLOP_NS, 'metric_points')
    question = PlacedCloud(shortly_before, buffer, FRAME_ID)
    assert not question.attempt()

    for number in (3000, 3001):  # 100 s later; the buffer keeps 10 s
        buffer.set_transform(on_a_rail(number), 'test')

    # 3.5 m from the lidar; the camera 1 m before it. Nanoseconds of a float second are rounded.
    assert question.finish(CAMERA).depth.depth_m == pytest.approx([2.5], abs=1e-6)
    assert placed(recent_clouds(1), buffer, 1).finish(CAMERA).depth is None


def test_node_and_bag_tool_take_the_same_from_the_same_messages(tmp_path: Path) -> None:
    buffer, recent = Buffer(), Recent(SLOP_NS)
    buffer.set_transform_static(extrinsics(), 'test')
    messages = [lidar_cloud(number, wall()) for number in range(FRAMES)]
    for number, message in enumerate(messages):
        recent.add(stamp_ns(number), read_cloud(message))
    live = [placed(recent, buffer, number).finish(CAMERA) for number in range(FRAMES)]

    rows = [Row('/tf_static', stamp_ns(0), in_bag(TFMessage(transforms=[extrinsics()])))]
    for number, message in enumerate(messages):
        for topic, one in (('/c/image', image(number)), ('/c/camera_info', camera_info(number))):
            rows.append(Row(topic, stamp_ns(number), in_bag(one)))
        rows.append(Row('/lidar', stamp_ns(number) + 1, in_bag(message)))
    pipeline = Listening()
    job = BagJob(
        write_rows(tmp_path / 'in', rows), tmp_path / 'out', metric=MetricSettings(source='points')
    )
    process_bag(job, pipeline, ignore)

    assert len(pipeline.evidence) == FRAMES
    for one, other in zip(live, pipeline.evidence, strict=True):
        assert len(one.depth.depth_m) > 300
        # The quaternion of the extrinsics is turned back by two programs.
        np.testing.assert_allclose(one.depth.pixels, other.depth.pixels, atol=1e-9)
        np.testing.assert_allclose(one.depth.depth_m, other.depth.depth_m, rtol=1e-12)


def in_bag(message: Any) -> Any:
    """Give rclpy's message as rosbags', by its bytes."""
    kind = type(message)
    name = f'{kind.__module__.split(".")[0]}/msg/{kind.__name__}'
    return STORE.deserialize_cdr(serialize_message(message), name)


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
