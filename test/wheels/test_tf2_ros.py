"""The stand-in for tf2_ros, or the real one where it is installed."""

from collections.abc import Iterator
import time as clock

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from geometry_msgs.msg import TransformStamped
import rclpy
from rclpy.clock_type import ClockType
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    StaticTransformBroadcaster,
    TransformBroadcaster,
    TransformListener,
)

from depthsync_ros.ros.domain import own_domain

HALF = 0.5**0.5
LATEST = Time()


def moved(
    parent: str,
    child: str,
    second: float,
    x: float,
    quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0),
) -> TransformStamped:
    made = TransformStamped(child_frame_id=child)
    made.header.frame_id = parent
    made.header.stamp = at(second).to_msg()
    made.transform.translation.x = x
    turn = made.transform.rotation
    turn.x, turn.y, turn.z, turn.w = quat_xyzw
    return made


def at(second: float) -> Time:
    return Time(nanoseconds=round(second * 1e9), clock_type=ClockType.ROS_TIME)


def buffer_of(*transforms: TransformStamped, **settings: Duration) -> Buffer:
    buffer = Buffer(**settings)
    for transform in transforms:
        buffer.set_transform(transform, 'test')
    return buffer


def x_of(transform: TransformStamped) -> float:
    return transform.transform.translation.x


def test_a_time_between_two_stamps_is_interpolated() -> None:
    quarter_turn = (0.0, 0.0, HALF, HALF)
    buffer = buffer_of(
        moved('map', 'base', 1.0, 0.0), moved('map', 'base', 2.0, 4.0, quarter_turn)
    )

    found = buffer.lookup_transform('map', 'base', at(1.5))

    assert x_of(found) == pytest.approx(2.0)
    # Half of 90 degrees about z.
    assert found.transform.rotation.z == pytest.approx((0.5 - HALF / 2) ** 0.5)
    assert Time.from_msg(found.header.stamp) == at(1.5)


def test_there_and_back_again_is_the_identity() -> None:
    turned = (0.5, -0.5, 0.5, 0.5)
    buffer = buffer_of(
        moved('map', 'base', 1.0, 2.0, turned), moved('base', 'camera', 1.0, 3.0, turned)
    )

    there = buffer.lookup_transform('map', 'camera', LATEST)
    back = buffer_of(there).lookup_transform('camera', 'map', LATEST)
    again = buffer.lookup_transform('camera', 'map', LATEST)

    assert back.transform.translation.y == pytest.approx(again.transform.translation.y)
    assert back.transform.rotation.w == pytest.approx(again.transform.rotation.w)


def test_the_latest_time_is_the_newest_that_all_moving_edges_have() -> None:
    buffer = buffer_of(
        moved('map', 'base', 1.0, 0.0),
        moved('map', 'base', 3.0, 2.0),
        moved('base', 'arm', 2.0, 10.0),
    )
    # The stamp of a static transform limits nothing.
    buffer.set_transform_static(moved('arm', 'hand', 0.5, 100.0), 'test')

    found = buffer.lookup_transform('map', 'hand', LATEST)

    assert Time.from_msg(found.header.stamp) == at(2.0)
    assert x_of(found) == pytest.approx(1.0 + 10.0 + 100.0)


def test_frames_meet_through_their_common_ancestor() -> None:
    buffer = buffer_of(moved('base', 'left', 1.0, 2.0), moved('base', 'right', 1.0, 5.0))

    assert x_of(buffer.lookup_transform('left', 'right', at(1.0))) == pytest.approx(3.0)


def test_a_fixed_frame_joins_two_times() -> None:
    buffer = buffer_of(moved('map', 'base', 1.0, 1.0), moved('map', 'base', 2.0, 7.0))

    found = buffer.lookup_transform_full('base', at(1.0), 'base', at(2.0), 'map')

    assert x_of(found) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ('target', 'source', 'second', 'error', 'words'),
    [
        ('map', 'ghost', 1.0, LookupException, '"ghost" .*does not exist'),
        ('map', '', 1.0, InvalidArgumentException, 'cannot be empty'),
        ('map', '/base', 1.0, InvalidArgumentException, "cannot start with a '/'"),
        ('map', 'other', 1.0, ConnectivityException, 'not part of the same tree'),
        ('map', 'base', 0.5, ExtrapolationException, 'into the past'),
        ('map', 'base', 2.5, ExtrapolationException, r'2\.500000 but the latest .* 2\.000000'),
        ('map', 'tool', 2.0, ExtrapolationException, 'only time 1.000000 is in the buffer'),
    ],
)
def test_an_impossible_look_up_says_why(
    target: str, source: str, second: float, error: type[Exception], words: str
) -> None:
    buffer = buffer_of(
        moved('map', 'base', 1.0, 0.0),
        moved('map', 'base', 2.0, 0.0),
        moved('base', 'tool', 1.0, 0.0),
        moved('island', 'other', 1.0, 0.0),
    )

    assert not buffer.can_transform(target, source, at(second))
    with pytest.raises(error, match=words):
        buffer.lookup_transform(target, source, at(second))


def test_a_buffer_keeps_ten_seconds_unless_told() -> None:
    history = [moved('map', 'base', float(second), 0.0) for second in range(1, 14)]

    usual = buffer_of(*history)
    long = buffer_of(*history, cache_time=Duration(seconds=60))

    assert not usual.can_transform('map', 'base', at(1.5))
    assert usual.can_transform('map', 'base', at(2.5))
    assert long.can_transform('map', 'base', at(1.5))


def test_transforms_that_cannot_be_are_ignored() -> None:
    zero = (0.0, 0.0, 0.0, 0.0)
    buffer = buffer_of(
        moved('map', 'map', 1.0, 0.0),
        moved('map', 'nowhere', 1.0, float('nan')),
        moved('map', 'unturned', 1.0, 0.0, zero),
        moved('map', 'base', 1.0, 0.0),
    )

    answers = {
        child: buffer.can_transform('map', child, LATEST)
        for child in ('nowhere', 'unturned', 'base')
    }

    assert answers == {'nowhere': False, 'unturned': False, 'base': True}


def test_a_jump_back_in_time_forgets_all_but_the_static() -> None:
    buffer = buffer_of(moved('map', 'base', 1.0, 0.0))
    buffer.set_transform_static(moved('map', 'fixed', 0.0, 0.0), 'test')

    buffer.time_jump_callback(None)

    assert not buffer.can_transform('map', 'base', LATEST)
    assert buffer.can_transform('map', 'fixed', LATEST)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    context = Context()
    with own_domain() as domain:
        rclpy.init(context=context, domain_id=domain)
        made = Node('transforms', context=context)
        yield made
        made.destroy_node()
        context.try_shutdown()


def test_what_broadcasters_send_reaches_a_listener(node: Node) -> None:
    buffer = Buffer()
    fixed = StaticTransformBroadcaster(node)
    fixed.sendTransform(moved('base', 'camera', 0.0, 1.0))
    listener = TransformListener(buffer, node)  # after the static transform was sent
    moving = TransformBroadcaster(node)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    deadline = clock.monotonic() + 120.0  # a failure alone takes so long
    while clock.monotonic() < deadline and not buffer.can_transform('map', 'camera', LATEST):
        moving.sendTransform([moved('map', 'odom', 1.0, 2.0), moved('odom', 'base', 1.0, 3.0)])
        executor.spin_once(timeout_sec=0.1)

    assert x_of(buffer.lookup_transform('map', 'camera', at(1.0))) == pytest.approx(6.0)
    listener.unregister()
    executor.shutdown()  # collected without it, rclpy's executor raises, at any later time


def test_the_first_static_transform_of_a_child_stays(node: Node) -> None:
    broadcaster = StaticTransformBroadcaster(node)

    broadcaster.sendTransform(moved('base', 'camera', 0.0, 1.0))
    broadcaster.sendTransform([moved('base', 'camera', 0.0, 9.0), moved('base', 'imu', 0.0, 2.0)])

    sent = {made.child_frame_id: x_of(made) for made in broadcaster.net_message.transforms}
    assert sent == {'camera': 1.0, 'imu': 2.0}
