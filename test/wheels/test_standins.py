"""The stand-ins of the wheels environment, or the real packages where those are installed."""

from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from message_filters import SimpleFilter, TimeSynchronizer
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster


class Stamped:
    def __init__(self, name: str, second: int) -> None:
        self.name = name
        self.header = Header(stamp=Time(sec=second))


def synchronised(queue_size: int) -> tuple[SimpleFilter, SimpleFilter, list[tuple[str, ...]]]:
    left, right, sets = SimpleFilter(), SimpleFilter(), []
    synchronizer = TimeSynchronizer([left, right], queue_size)
    synchronizer.registerCallback(lambda *msgs: sets.append(tuple(m.name for m in msgs)))
    return left, right, sets


def test_equal_stamps_meet_and_others_wait() -> None:
    left, right, sets = synchronised(10)

    left.signalMessage(Stamped('l1', 1))
    left.signalMessage(Stamped('l2', 2))
    right.signalMessage(Stamped('r2', 2))
    right.signalMessage(Stamped('r1', 1))
    right.signalMessage(Stamped('r3', 3))

    assert sets == [('l2', 'r2'), ('l1', 'r1')]


def test_a_full_queue_forgets_the_oldest_stamp() -> None:
    left, right, sets = synchronised(2)

    for second in (1, 2, 3):
        left.signalMessage(Stamped(f'l{second}', second))
    for second in (1, 2, 3):
        right.signalMessage(Stamped(f'r{second}', second))

    assert sets == [('l2', 'r2'), ('l3', 'r3')]


def test_registered_arguments_follow_the_messages() -> None:
    source, seen = SimpleFilter(), []
    source.registerCallback(lambda *words: seen.append(words), 'extra')

    source.signalMessage('message')

    assert seen == [('message', 'extra')]


class NodeOfPublishers:
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.sent: list[Any] = []

    def create_publisher(self, *asked: Any) -> Any:
        self.asked.append(asked)
        return type('Publisher', (), {'publish': lambda _, message: self.sent.append(message)})()


def test_one_transform_or_several_go_out_in_one_message() -> None:
    node = NodeOfPublishers()
    broadcaster = TransformBroadcaster(node)

    broadcaster.sendTransform(TransformStamped(child_frame_id='one'))
    broadcaster.sendTransform([TransformStamped(child_frame_id=name) for name in 'ab'])

    ((_, topic, qos),) = node.asked
    assert (topic, qos.depth) == ('/tf', 100)
    names = [
        [transform.child_frame_id for transform in message.transforms] for message in node.sent
    ]
    assert names == [['one'], ['a', 'b']]
