"""What pairs images with their camera_info, and what notices the missing ones."""

from collections.abc import Iterator
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st
import pytest

from depthsync_ros.ros.ledger import Ledger, NO_CAMERA_INFO

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from robot import camera_info, image, PERIOD_NS, stamp_ns

from depthsync_ros.ros.inputs import GapCounter, PairedInput
from depthsync_ros.ros.settings import InputSettings


class Paired:
    """A PairedInput whose messages come by hand."""

    def __init__(self, node: Node, **settings) -> None:
        self.ledger = Ledger()
        self.stamps: list[int] = []
        self.input = PairedInput(node, InputSettings(**settings), self.ledger, self._on_pair)

    def image(self, number: int) -> None:
        self.input._subscribers[0].signalMessage(image(number))

    def info(self, number: int) -> None:
        self.input._subscribers[1].signalMessage(camera_info(number))

    def _on_pair(self, arrival) -> None:
        self.stamps.append(arrival.stamp_ns)


@pytest.fixture(scope='module')
def ros_node(environment) -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context)
    node = Node('inputs', context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


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


def test_compressed_images_come_from_the_topic_beside(ros_node: Node) -> None:
    paired = Paired(ros_node, transport='compressed')

    assert paired.input.image_topic == '/image/compressed'
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
