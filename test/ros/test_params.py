"""Settings as ROS parameters."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import setting, Settings, walk

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

from rcl_interfaces.msg import ParameterType
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from depthsync_ros.ros import params


@dataclass(frozen=True, kw_only=True)
class Group(Settings):
    frames: int = setting(4, 'Frames.', unit='frames', low=1, high=9, live=True)
    least: int = setting(2, 'At least.', low=0, live=True)
    share: float = setting(0.5, 'A share.', low=0.0, high=1.0, live=True)
    kind: str = setting('a', 'A kind.', choices=('a', 'b'), live=True)
    on: bool = setting(True, 'A switch.')

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least > self.frames:
            raise ConfigError(f'least = {self.least} must not be above frames = {self.frames}')


@dataclass(frozen=True, kw_only=True)
class Root(Settings):
    group: Group = field(default_factory=Group)


ROOTS = (Root(),)


@pytest.fixture
def context(environment) -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


@pytest.fixture
def node(context: Context) -> Iterator[Node]:
    node = Node('parameters', context=context)
    params.declare(node, ROOTS)
    node.add_on_set_parameters_callback(lambda changed: params.check(node, ROOTS, changed))
    yield node
    node.destroy_node()


def change(node: Node, name: str, value: object) -> tuple[bool, str]:
    result = node.set_parameters([Parameter(name, value=value)])[0]
    return result.successful, result.reason


def test_every_setting_is_a_parameter_that_explains_itself(node: Node) -> None:
    declared = {name: entry for name, _, entry in walk(Root())}

    assert declared
    for name, entry in declared.items():
        descriptor = node.describe_parameter(name)
        assert node.get_parameter(name).value == entry.default
        assert descriptor.description.startswith(entry.metadata['description'])
        assert descriptor.read_only is not entry.metadata['live']
    assert node.describe_parameter('group.frames').integer_range[0].to_value == 9
    assert node.describe_parameter('group.least').integer_range[0].from_value == 0
    assert node.describe_parameter('group.share').floating_point_range[0].to_value == 1.0
    assert node.describe_parameter('group.kind').additional_constraints == 'one of: a, b'
    assert node.describe_parameter('group.on').type == ParameterType.PARAMETER_BOOL


def test_a_right_value_is_taken(node: Node) -> None:
    assert change(node, 'group.frames', 7) == (True, '')
    assert params.read(node, Root()).group.frames == 7


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('group.kind', 'c', "kind = 'c' is none of a, b"),
        ('group.least', 5, 'least = 5 must not be above frames = 4'),
        ('group.frames', 10, 'group.frames'),
        ('group.share', 1, "expected 'Type.DOUBLE' got 'Type.INTEGER'"),
        ('group.on', False, 'read-only'),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(node: Node, name, value, reason) -> None:
    successful, said = change(node, name, value)

    assert not successful
    assert reason in said
    assert params.read(node, Root()) == Root()


def test_two_changes_are_judged_together(node: Node) -> None:
    together = [Parameter('group.least', value=8), Parameter('group.frames', value=9)]

    assert node.set_parameters_atomically(together).successful


@pytest.mark.parametrize('value', [3.5, 'many', 10])
def test_a_wrong_value_at_the_start_is_a_config_error(context: Context, value) -> None:
    overrides = [Parameter('group.frames', value=value)]
    node = Node('wrong', context=context, parameter_overrides=overrides)

    with pytest.raises(ConfigError, match=r'group\.frames'):
        params.declare(node, ROOTS)

    node.destroy_node()


def test_a_misspelt_name_is_told_and_other_nodes_names_are_not() -> None:
    given = ['group.frames', 'group.fraems', 'grop.share', 'use_sim_time', 'other.gain']

    assert params.unknown(given, ROOTS) == {
        'group.fraems': 'group.frames',
        'grop.share': 'group.share',
    }
