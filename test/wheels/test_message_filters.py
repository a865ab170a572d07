"""The stand-in for message_filters, or the real one where it is installed."""

from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from builtin_interfaces.msg import Time
from message_filters import (
    ApproximateTimeSynchronizer,
    SimpleFilter,
    Subscriber,
    TimeSynchronizer,
)
from std_msgs.msg import Header

MILLISECOND = 1_000_000


class Stamped:
    def __init__(self, name: str, milliseconds: int) -> None:
        self.name = name
        self.header = Header(
            stamp=Time(sec=milliseconds // 1000, nanosec=milliseconds % 1000 * MILLISECOND)
        )


class Pair:
    """Two filters into one synchroniser, and the sets of names that came out."""

    def __init__(self, kind: type[TimeSynchronizer], *settings: Any, **named: Any) -> None:
        self.left, self.right = SimpleFilter(), SimpleFilter()
        self.sets: list[tuple[str, ...]] = []
        self.synchronizer = kind([self.left, self.right], *settings, **named)
        self.synchronizer.registerCallback(
            lambda *messages: self.sets.append(tuple(message.name for message in messages))
        )


def test_equal_stamps_meet_and_others_wait() -> None:
    pair = Pair(TimeSynchronizer, 10)

    pair.left.signalMessage(Stamped('l1', 1000))
    pair.left.signalMessage(Stamped('l2', 2000))
    pair.right.signalMessage(Stamped('r2', 2000))
    pair.right.signalMessage(Stamped('r1', 1000))
    pair.right.signalMessage(Stamped('r3', 3000))

    assert pair.sets == [('l2', 'r2'), ('l1', 'r1')]


def test_a_full_queue_forgets_the_oldest_stamp() -> None:
    pair = Pair(TimeSynchronizer, 2)

    for stamp in (1000, 2000, 3000):
        pair.left.signalMessage(Stamped(f'l{stamp}', stamp))
    for stamp in (1000, 2000, 3000):
        pair.right.signalMessage(Stamped(f'r{stamp}', stamp))

    assert pair.sets == [('l2000', 'r2000'), ('l3000', 'r3000')]


def test_near_stamps_meet_the_nearest_and_only_within_the_slop() -> None:
    pair = Pair(ApproximateTimeSynchronizer, 10, 0.1)

    pair.left.signalMessage(Stamped('l1000', 1000))
    pair.left.signalMessage(Stamped('l1080', 1080))
    pair.right.signalMessage(Stamped('r1060', 1060))
    pair.right.signalMessage(Stamped('r1100', 1100))  # l1000 is 100 ms away: not less than slop
    pair.right.signalMessage(Stamped('r1090', 1090))

    assert pair.sets == [('l1080', 'r1060'), ('l1000', 'r1090')]


def test_a_message_without_header_is_taken_only_when_that_is_allowed() -> None:
    class Bare:
        name = 'bare'

    refusing = Pair(ApproximateTimeSynchronizer, 10, 60.0)
    taking = Pair(ApproximateTimeSynchronizer, 10, 60.0, allow_headerless=True)

    for pair in (refusing, taking):
        pair.left.signalMessage(Bare())
        pair.right.signalMessage(Bare())

    assert (refusing.sets, taking.sets) == ([], [('bare', 'bare')])


def test_a_callback_that_raises_leaves_the_lock_held() -> None:
    def fail(*_: Any) -> None:
        raise ValueError('from the callback')

    pair = Pair(TimeSynchronizer, 10)
    pair.synchronizer.registerCallback(fail)

    pair.left.signalMessage(Stamped('l', 1000))
    with pytest.raises(ValueError, match='from the callback'):
        pair.right.signalMessage(Stamped('r', 1000))

    assert pair.synchronizer.lock.locked()


def test_registered_arguments_follow_the_messages() -> None:
    source, seen = SimpleFilter(), []
    source.registerCallback(lambda *words: seen.append(words), 'extra')

    source.signalMessage('message')

    assert seen == [('message', 'extra')]


class NodeOfSubscriptions:
    def create_subscription(self, *asked: Any, **settings: Any) -> Any:
        self.asked, self.settings = asked, settings
        return type('Subscription', (), {'handle': 'its handle'})()


def test_a_subscriber_passes_on_what_its_subscription_receives() -> None:
    node, seen = NodeOfSubscriptions(), []
    subscriber = Subscriber(node, Header, 'image', callback_group='group')
    subscriber.registerCallback(seen.append)

    message_type, topic, callback = node.asked
    callback('message')

    assert (message_type, topic, seen) == (Header, 'image', ['message'])
    assert node.settings == {'qos_profile': 10, 'callback_group': 'group'}
    assert (subscriber.getTopic(), subscriber.sub.handle) == ('image', subscriber.handle)
