"""Settings as ROS parameters: each field is declared once and judged by the core's own rules."""

from collections.abc import Iterable, Sequence
from dataclasses import Field
import difflib
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterException,
    InvalidParameterTypeException,
    InvalidParameterValueException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import Settings, Value, walk, with_values

Tree = TypeVar('Tree', bound=Settings)

LARGEST_INTEGER = 2**63 - 1
LARGEST_DOUBLE = 1.7976931348623157e308
TYPES = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
}
# What rclpy raises when a parameter file or -p gives a declared parameter a value it cannot have.
BAD_OVERRIDE = (
    InvalidParameterException,
    InvalidParameterTypeException,
    InvalidParameterValueException,
)


def declare(node: Node, roots: Iterable[Settings]) -> None:
    """
    Declare every setting with its description, range and read-only flag.

    :raises ConfigError: a value from a parameter file or the command line breaks a rule.
    """
    for root in roots:
        for name, value, entry in walk(root):
            try:
                node.declare_parameter(name, value, describe(entry))
            except BAD_OVERRIDE as error:
                raise ConfigError(f'parameter {name}: {error}') from error
        read(node, root)


def describe(entry: Field[Any]) -> ParameterDescriptor:
    """Say in ROS's terms what the field declares."""
    facts = entry.metadata
    unit = f' [{facts["unit"]}]' if facts['unit'] else ''
    descriptor = ParameterDescriptor(
        type=TYPES[type(entry.default)],
        description=facts['description'] + unit,
        read_only=not facts['live'],
    )
    if facts['choices']:
        descriptor.additional_constraints = f'one of: {", ".join(facts["choices"])}'
    low, high = facts['low'], facts['high']
    if low is None and high is None:
        return descriptor
    if isinstance(entry.default, int):
        descriptor.integer_range = [
            IntegerRange(
                from_value=-LARGEST_INTEGER if low is None else int(low),
                to_value=LARGEST_INTEGER if high is None else int(high),
            )
        ]
    else:
        descriptor.floating_point_range = [
            FloatingPointRange(
                from_value=-LARGEST_DOUBLE if low is None else float(low),
                to_value=LARGEST_DOUBLE if high is None else float(high),
            )
        ]
    return descriptor


def read(node: Node, root: Tree) -> Tree:
    """
    Return the settings with the parameters' present values.

    :raises ConfigError: two parameters contradict each other.
    """
    return with_values(root, {name: _value(node, name) for name, _, _ in walk(root)})


def check(
    node: Node, roots: Sequence[Settings], changed: Iterable[Parameter]
) -> SetParametersResult:
    """Judge a change by the core's own rules; the reason is what `ros2 param set` prints."""
    values = {parameter.name: parameter.value for parameter in changed}
    for root in roots:
        ours = {name for name, _, _ in walk(root)}
        try:
            with_values(read(node, root), {n: v for n, v in values.items() if n in ours})
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)


def unknown(given: Iterable[str], roots: Iterable[Settings]) -> dict[str, str]:
    """
    Map each given name that is no parameter of ours to the nearest one that is.

    Names of ROS itself (use_sim_time, qos_overrides...) are left alone.
    """
    known = [name for root in roots for name, _, _ in walk(root)]
    groups = {name.partition('.')[0] for name in known}
    return {
        name: difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        for name in given
        if name not in known
        and difflib.get_close_matches(name.partition('.')[0], groups, n=1, cutoff=0.7)
    }


def _value(node: Node, name: str) -> Value:
    return node.get_parameter(name).value
