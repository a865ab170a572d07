"""What pairs images with their camera_info, and what notices the missing ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
import pytest

from depthsync_ros.ros.ledger import Ledger, NO_CAMERA_INFO

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

import rclpy
from rclpy.context import Context
from rclpy.event_handler import UnsupportedEventTypeError
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from robot import camera_info, image, PERIOD_NS, stamp_ns, stamps_of, wait_until
from sensor_msgs.msg import CameraInfo, Image

from depthsync_ros.ros.gaps import GapCounter
from depthsync_ros.ros.inputs import CameraInput
from depthsync_ros.ros.main import spin_until_shutdown
from depthsync_ros.ros.qos import TopicWatch
from depthsync_ros.ros.settings import InputSettings

DURABILITIES = {
    'transient_local': DurabilityPolicy.TRANSIENT_LOCAL,
    'volatile': DurabilityPolicy.VOLATILE,
}


class Paired:
    """A CameraInput whose messages come by hand."""

    def __init__(self, node: Node, **settings) -> None:
        self.ledger = Ledger()
        self.stamps: list[int] = []
        self.info_stamps: list[int] = []
        self.input = CameraInput(node, InputSettings(**settings), self.ledger, self._on_pair)

    def image(self, number: int) -> None:
        self.input._subscribers[0].signalMessage(image(number))

    def info(self, number: int) -> None:
        self.input._subscribers[1].signalMessage(camera_info(number))

    def _on_pair(self, arrival) -> None:
        self.stamps.append(arrival.stamp_ns)
        self.info_stamps += stamps_of([arrival.info])


@pytest.fixture(scope='module')
def ros_node(environment) -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context)
    node = Node('inputs', context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


@pytest.fixture(scope='module')
def spun_node(ros_node: Node) -> Iterator[Node]:
    """Give the node, its callbacks running."""
    executor = SingleThreadedExecutor(context=ros_node.context)
    executor.add_node(ros_node)
    with ThreadPoolExecutor(1) as threads:
        spinning = threads.submit(spin_until_shutdown, executor)
        yield ros_node
        executor.shutdown()
        spinning.result()


@pytest.mark.parametrize('heard', [0, 5, 10])  # of the first round, before the second begins
@pytest.mark.parametrize('images_first', [True, False])
def test_a_bag_that_starts_again_loses_nothing(ros_node: Node, images_first, heard) -> None:
    paired = Paired(ros_node)
    first, second = range(1000, 1010), range(20)

    ahead, behind = (paired.image, paired.info) if images_first else (paired.info, paired.image)
    for number in first[:heard]:
        behind(number)
    for number in chain(first, second):
        ahead(number)
    for number in chain(first[heard:], second):
        behind(number)
    paired.input.close()

    assert paired.stamps == [stamp_ns(number) for number in chain(first, second)]


def test_a_bag_that_starts_again_is_heard_though_old_messages_fill_the_queue(ros_node) -> None:
    paired = Paired(ros_node, history=5)
    for number in range(1000, 1010):
        paired.info(number)  # their images were lost on the way

    for number in range(4):
        paired.image(number)
        paired.info(number)
    paired.input.close()

    # The first image came before the camera_info that told of the new round.
    assert paired.stamps == [stamp_ns(number) for number in range(1, 4)]


def test_a_negative_stamp_is_counted_and_the_next_image_is_paired(ros_node: Node) -> None:
    paired = Paired(ros_node)
    bad = image(0)
    bad.header.stamp.sec = -5
    paired.input._subscribers[0].signalMessage(bad)

    paired.image(1)
    paired.info(1)
    paired.input.close()

    assert paired.stamps == [stamp_ns(1)]
    assert paired.ledger.counts().dropped_for == {NO_CAMERA_INFO: 1}


def test_a_message_on_its_way_at_the_end_is_not_counted(ros_node: Node) -> None:
    paired = Paired(ros_node)
    paired.info(0)
    paired.input.close()

    paired.image(0)
    paired.info(1)

    counts = paired.ledger.counts()
    assert (counts.images, counts.infos, paired.stamps) == (0, 1, [])


# ---- one camera_info for all images -------------------------------------------------------------


def test_the_camera_info_heard_last_serves_every_image(ros_node: Node) -> None:
    paired = Paired(ros_node, camera_info='latched')
    paired.image(0)  # nothing describes it yet
    paired.info(-3000)
    paired.image(1)
    paired.image(2)
    paired.info(500)
    paired.image(3)
    paired.input.close()

    assert paired.stamps == [stamp_ns(number) for number in (1, 2, 3)]
    assert paired.info_stamps == [stamp_ns(number) for number in (-3000, -3000, 500)]
    counts = paired.ledger.counts()
    assert (counts.images, counts.infos, counts.matched, counts.unmatched) == (4, 2, 3, 0)
    assert counts.dropped_for == {NO_CAMERA_INFO: 1}
    assert counts.last_loss == 'no camera_info has come yet'


def test_a_camera_info_that_comes_both_ways_counts_once(ros_node: Node) -> None:
    paired = Paired(ros_node, camera_info='latched')
    paired.info(0)
    paired.input._subscribers[2].signalMessage(camera_info(0))
    paired.input.close()

    assert paired.ledger.counts().infos == 1


@pytest.mark.parametrize('durability', list(DURABILITIES))
def test_a_publisher_is_heard_whether_it_latches_or_not(spun_node, durability) -> None:
    profile = QoSProfile(depth=1, durability=DURABILITIES[durability])
    publisher = spun_node.create_publisher(CameraInfo, 'camera_info', profile)
    if durability == 'transient_local':
        publisher.publish(camera_info(0))  # once, before anybody listens

    paired = Paired(spun_node, camera_info='latched')
    if durability == 'volatile':
        wait_until(lambda: publisher.get_subscription_count() == 1)
        publisher.publish(camera_info(0))
    wait_until(lambda: paired.ledger.counts().infos == 1)
    paired.image(5)
    paired.input.close()
    spun_node.destroy_publisher(publisher)

    assert paired.stamps == [stamp_ns(5)]
    assert paired.input.infos.misfit == ''


# ---- what the middleware tells ------------------------------------------------------------------


def test_a_publisher_whose_qos_does_not_fit_is_named(spun_node) -> None:
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = spun_node.create_publisher(Image, 'image', best_effort)

    paired = Paired(spun_node, reliability='reliable')
    wait_until(lambda: paired.input.images.misfit)
    paired.input.close()
    spun_node.destroy_publisher(publisher)

    assert (paired.input.images.misfit, paired.input.infos.misfit) == ('RELIABILITY', '')


def test_a_middleware_that_does_not_count_what_it_lost_is_subscribed_to(
    ros_node, monkeypatch
) -> None:
    asked = []
    events = TopicWatch.events

    def refuse(watch: TopicWatch, *, lost: bool):
        asked.append(lost)
        if lost:
            raise UnsupportedEventTypeError('not here')
        return events(watch, lost=lost)

    monkeypatch.setattr(TopicWatch, 'events', refuse)
    paired = Paired(ros_node)
    paired.input.close()

    assert asked == [True, False] * 2


def test_lost_messages_are_counted() -> None:
    watch = TopicWatch('/image')

    watch.events(lost=True).message_lost(SimpleNamespace(total_count=7, total_count_change=2))

    assert watch.lost == 7


def test_compressed_images_come_from_the_topic_beside(ros_node: Node) -> None:
    paired = Paired(ros_node, transport='compressed')

    assert paired.input.images.topic == '/image/compressed'
    paired.input.close()


@given(lost=st.sets(st.integers(20, 90), max_size=30))
def test_the_missing_are_counted_by_their_stamps(lost) -> None:
    gaps = GapCounter()
    for number in range(100):
        if number not in lost:
            # Two milliseconds of jitter do not make an image missing.
            gaps.see(stamp_ns(number) + (number % 3 - 1) * 1_000_000)

    assert gaps.missing == len(lost)


def test_a_slow_camera_misses_nothing() -> None:
    gaps = GapCounter()
    for number in range(50):
        gaps.see(stamp_ns(0) + number * 10 * PERIOD_NS)

    assert gaps.missing == 0
