"""Who is whose parent, as the node hears it."""

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from geometry_msgs.msg import TransformStamped

from depthsync_ros.ros.tf_tree import TfTree


def link(parent: str, child: str, stamp_s: int = 1, x: float = 0.0) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp.sec = stamp_s
    message.transform.translation.x = x
    message.transform.rotation.w = 1.0
    return message


def test_nothing_speaks_against_a_frame_that_nobody_else_has() -> None:
    tree = TfTree()
    tree.set_transform(link('odom', 'base_link'), 'test')

    assert not tree.objection('map', 'odom')
    assert not tree.objection('base_link', 'depthsync_world')


@pytest.mark.parametrize('static', [False, True])
@pytest.mark.parametrize('slash', ['', '/'])
def test_a_frame_that_has_a_parent_gets_no_second(static, slash) -> None:
    tree = TfTree()
    heard = link(f'{slash}odom', f'{slash}base_link')
    (tree.set_transform_static if static else tree.set_transform)(heard, 'test')

    assert 'somebody else publishes odom -> base_link' in tree.objection('visual', 'base_link')


def test_our_own_transform_that_comes_back_is_no_objection() -> None:
    tree = TfTree()
    for stamp_s in range(1, 100):
        tree.sending(link('odom', 'base_link', stamp_s))
    for stamp_s in range(1, 100):
        tree.set_transform(link('odom', 'base_link', stamp_s), 'test')

    assert not tree.objection('odom', 'base_link')


@pytest.mark.parametrize(('stamp_s', 'x'), [(2, 0.0), (1, 0.5)])
def test_the_same_link_from_somebody_else_is_one(stamp_s: int, x: float) -> None:
    tree = TfTree()
    tree.sending(link('odom', 'base_link', 1))

    tree.set_transform(link('odom', 'base_link', stamp_s, x), 'test')

    assert 'somebody else publishes odom -> base_link' in tree.objection('odom', 'base_link')


def test_a_circle_is_not_closed() -> None:
    tree = TfTree()
    tree.set_transform(link('depthsync_world', 'map'), 'test')
    tree.set_transform(link('map', 'camera'), 'test')

    assert 'would close a circle' in tree.objection('camera', 'depthsync_world')
    assert not tree.objection('camera', 'another_world')
