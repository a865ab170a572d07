"""What is published of a frame, on a real node in this process."""

from collections.abc import Iterator
import threading

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from robot import (
    camera_info,
    DEEP,
    FRAME_ID,
    image,
    odom_to_camera,
    PERIOD_NS,
    stamp_ns,
    stamps_of,
    wait_until,
)
from test_messages import REPORT
from tf2_msgs.msg import TFMessage
from tf2_ros import TransformException

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.frames import DepthFrame
from depthsync_ros.core.settings import with_values
from depthsync_ros.messages import Messages, transform_of
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.domain import own_domain
from depthsync_ros.ros.main import spin_until_shutdown
from depthsync_ros.ros.outputs import Publishers, TOPICS
from depthsync_ros.ros.settings import NodeSettings
from depthsync_ros.ros.words import RosWords

CAMERA = Camera(4, 3, 5.0, 6.0, 1.5, 1.0)
LATE = 20 * 10**9 // PERIOD_NS  # images: twice as long as tf keeps its past


MAKERS = {
    'depth': 'depth_image',
    'depth/camera_info': 'camera_info',
    'depth/compressedDepth': 'compressed_depth',
    'confidence': 'confidence_image',
    'points': 'point_cloud',
    'odometry': 'odometry',
    'path': 'path',
    'window_report': 'window_report',
}


def counting(made: list[str], *others: str) -> Messages:
    """Give a maker of messages that writes down which it makes."""

    def noted(name: str):
        def make(self, *details):
            made.append(name)
            return getattr(Messages, name)(self, *details)

        return make

    kind = type(
        'Counting', (Messages,), {name: noted(name) for name in (*MAKERS.values(), *others)}
    )
    return kind(RosWords())


@pytest.fixture(scope='module')
def domain(environment) -> Iterator[int]:
    """Keep out who else listens to tf: the camera and consumer of other tests."""
    with own_domain() as domain:
        yield domain


@pytest.fixture
def node(domain: int) -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node('publishing', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=spin_until_shutdown, args=(executor,))
    thread.start()
    yield node
    executor.shutdown()
    thread.join()
    node.destroy_node()
    rclpy.shutdown(context=context)


def settings(**values) -> NodeSettings:
    return with_values(NodeSettings(), {name.replace('__', '.'): v for name, v in values.items()})


def pose(number: int) -> np.ndarray:
    """Where odometry says that the camera is: the derived one agrees."""
    return transform_of(odom_to_camera(number).transform)


def frame(number: int, *, run: int = 1, metric: bool = True, posed: bool = True) -> DepthFrame:
    return DepthFrame(
        run=run,
        index=number,
        stamp_ns=stamp_ns(number),
        frame_id=FRAME_ID,
        depth=np.full((3, 4), 2.0, np.float32),
        metric=metric,
        camera=CAMERA,
        world_T_cam=pose(number) if posed else None,
        pose_covariance=np.eye(6),
        rgb=np.zeros((3, 4, 3), np.uint8),
    )


def arrival(number: int) -> Arrival:
    return Arrival(image(number), camera_info(number), 0.0)


def heard(publishers: Publishers, node: Node, name: str) -> list:
    """Subscribe to an output and wait until its publisher knows."""
    messages: list = []
    node.create_subscription(TOPICS[name], f'/publishing/{name}', messages.append, DEEP)
    wait_until(lambda: publishers.topics[name].listeners, name)
    return messages


def heard_tf(node: Node) -> list:
    messages: list = []
    node.create_subscription(TFMessage, '/tf', messages.append, DEEP)
    return messages


def matched(publishers: Publishers) -> None:
    """Wait until tf's publisher knows its node's listener and the test's: there is no third."""
    broadcaster = publishers.robot.broadcaster
    wait_until(lambda: broadcaster.pub_tf.get_subscription_count() == 2, 'tf')


@pytest.mark.parametrize('name', MAKERS)
def test_nothing_is_made_that_nobody_listens_to(node: Node, name: str) -> None:
    made: list[str] = []
    publishers = Publishers(node, settings(), 6, counting(made))

    publishers.publish_frames([frame(0)])
    publishers.publish_report(REPORT)
    assert not made
    messages = heard(publishers, node, name)
    publishers.publish_frames([frame(1)])
    publishers.publish_report(REPORT)

    assert made == [MAKERS[name]]
    wait_until(lambda: messages)
    publishers.close()


def test_every_output_is_counted_above() -> None:
    assert set(MAKERS) == set(TOPICS)


def test_depth_leaves_20_s_after_its_image_and_is_placed_as_tf_was_then(node: Node) -> None:
    publishers = Publishers(node, settings(tf__arrangement='map_to_odom'), 6)
    transforms = heard_tf(node)
    matched(publishers)
    clouds = heard(publishers, node, 'points')
    odometry = heard(publishers, node, 'odometry')
    tree = publishers.robot.tree
    for number in range(5):
        tree.set_transform(odom_to_camera(number), 'test')
        publishers.arrive(arrival(number))

    for number in (LATE, LATE + 1):
        tree.set_transform(odom_to_camera(number), 'test')
    for number in range(5):
        with pytest.raises(TransformException):  # it has been forgotten meanwhile
            tree.lookup_transform('odom', FRAME_ID, rclpy.time.Time(nanoseconds=stamp_ns(number)))
        publishers.publish_frames([frame(number)])
    wait_until(lambda: len(transforms) == len(clouds) == len(odometry) == 5)

    sent = [transform for message in transforms for transform in message.transforms]
    expected = [stamp_ns(number) for number in range(5)]
    assert stamps_of(sent) == stamps_of(clouds) == stamps_of(odometry) == expected
    assert {(t.header.frame_id, t.child_frame_id) for t in sent} == {('map', 'odom')}
    for transform in sent:  # what is derived agrees with odometry: nothing to correct
        np.testing.assert_allclose(transform_of(transform.transform), np.eye(4), atol=1e-9)
    assert {cloud.header.frame_id for cloud in clouds} == {FRAME_ID}
    assert publishers.health().values == {'tf sent': 5}
    publishers.close()


@pytest.mark.parametrize(('arrangement', 'listeners'), [('off', 0), ('world_to_camera', 1)])
def test_tf_is_heard_only_by_those_who_need_it(
    node: Node, arrangement: str, listeners: int
) -> None:
    publishers = Publishers(node, settings(tf__arrangement=arrangement), 6)

    assert node.count_subscribers('/tf') == listeners
    publishers.robot.hear_tf()  # a metric source asks for it
    publishers.robot.hear_tf()
    assert node.count_subscribers('/tf') == 1
    publishers.close()


def test_a_window_s_tf_is_one_message_before_its_first_image(node: Node) -> None:
    made: list[str] = []
    publishers = Publishers(node, settings(), 6, counting(made, 'transform'))
    transforms = heard_tf(node)
    matched(publishers)
    depth = heard(publishers, node, 'depth')

    publishers.publish_frames([frame(number) for number in range(4)])
    wait_until(lambda: transforms and len(depth) == 4)

    assert made == 4 * ['transform'] + 4 * ['depth_image']
    assert [stamps_of(message.transforms) for message in transforms] == [
        [stamp_ns(number) for number in range(4)]
    ]
    publishers.close()


def test_a_failed_look_up_sends_no_transform_and_says_so(node: Node) -> None:
    publishers = Publishers(node, settings(tf__arrangement='odom_to_base'), 6)
    transforms = heard_tf(node)
    matched(publishers)
    depth = heard(publishers, node, 'depth')
    publishers.arrive(arrival(0))

    publishers.publish_frames([frame(0)])
    publishers.publish_frames([frame(1)])  # of it tf was not even asked
    wait_until(lambda: len(depth) == 2)

    health = publishers.health()
    assert health.values == {'tf sent': 0, 'tf withheld: look-up failed': 2}
    assert 'base_link' in health.warnings[0]
    assert not transforms
    publishers.close()


def test_what_is_not_metric_does_not_move_the_robot(node: Node) -> None:
    publishers = Publishers(node, settings(tf__arrangement='map_to_odom'), 6)
    publishers.robot.tree.set_transform(odom_to_camera(0), 'test')
    publishers.arrive(arrival(0))

    publishers.publish_frames([frame(0, metric=False)])

    assert publishers.health().values == {'tf sent': 0, 'tf withheld: not metric yet': 1}
    publishers.close()


def test_two_cameras_of_one_world_frame_refuse_the_second_parent(node: Node) -> None:
    publishers = Publishers(node, settings(), 6)
    other = odom_to_camera(0, parent='other_camera', child='depthsync_world')
    publishers.robot.tree.set_transform(other, 'test')
    odometry = heard(publishers, node, 'odometry')

    publishers.publish_frames([frame(0)])
    publishers.publish_frames([frame(1, posed=False)])
    wait_until(lambda: odometry)

    health = publishers.health()
    assert health.values['tf sent'] == 0
    assert health.values['tf withheld: tf has it otherwise'] == 1
    assert 'other_camera -> depthsync_world' in health.warnings[0]
    publishers.close()


def test_millimetres_before_the_scale_is_known_are_unknown_and_told(node: Node) -> None:
    publishers = Publishers(node, settings(output__depth_encoding='16UC1'), 6)
    depth = heard(publishers, node, 'depth')

    publishers.publish_frames([frame(0, metric=False)])
    warnings = publishers.health().warnings
    publishers.publish_frames([frame(1)])
    wait_until(lambda: len(depth) == 2)

    values = [set(np.frombuffer(message.data, '<u2')) for message in depth]
    assert values == [{0}, {2000}]
    assert '16UC1 is millimetres' in warnings[0]
    assert not publishers.health().warnings
    publishers.close()


def test_the_path_begins_again_with_a_new_run(node: Node) -> None:
    publishers = Publishers(node, settings(), 6)
    paths = heard(publishers, node, 'path')
    for number in range(4):
        publishers.publish_frames([frame(number)])
    publishers.publish_report(REPORT)
    publishers.publish_frames([frame(4, run=2)])
    publishers.publish_report(REPORT)
    wait_until(lambda: len(paths) == 2)

    assert [len(path.poses) for path in paths] == [4, 1]
    assert paths[0].header.frame_id == 'depthsync_world'
    publishers.close()
