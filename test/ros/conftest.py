"""Live tests talk over DDS on this machine alone, in a domain of their own."""

from collections.abc import Callable, Iterator, Mapping
import os
from pathlib import Path
from typing import Any

import pytest

from depthsync_ros.ros.domain import own_domain
from depthsync_ros.ros.environment import ros_environment

ROOT = str(Path(__file__).parents[2])


def pytest_configure(config: pytest.Config) -> None:
    """Let rosidl's parser (lark-parser 0.12) import what Python 3.11 calls deprecated."""
    for module in ('sre_parse', 'sre_constants'):
        config.addinivalue_line(
            'filterwarnings', f"ignore:module '{module}' is deprecated:DeprecationWarning"
        )


@pytest.fixture(scope='session')
def environment() -> Iterator[dict[str, str]]:
    """Choose a domain, for this process and its children."""
    with own_domain() as domain:
        chosen = {
            **ros_environment(),
            'ROS_DOMAIN_ID': str(domain),
            'OMP_NUM_THREADS': '1',
            # The children run this tree, as pytest does, not an installed copy of it.
            'PYTHONPATH': os.pathsep.join(filter(None, (ROOT, os.environ.get('PYTHONPATH')))),
        }
        os.environ.update(chosen)
        yield {**os.environ, **chosen}


@pytest.fixture(scope='session')
def robot(environment: dict[str, str]) -> Iterator[Any]:
    """Give a camera and a consumer of everything the node publishes."""
    from robot import Robot  # noqa: PLC0415  needs rclpy

    robot = Robot()
    yield robot
    robot.close()


@pytest.fixture(scope='session')
def start_node(environment: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """Give a function that starts a node: its name, variables, parameters by keyword."""
    from robot import NodeProcess  # noqa: PLC0415

    started: list[NodeProcess] = []

    def start(name: str, variables: Mapping[str, str] = {}, **parameters: str) -> NodeProcess:
        started.append(NodeProcess({**environment, **variables}, name, **parameters))
        return started[-1]

    yield start
    for node in started:
        node.close()


@pytest.fixture(scope='session')
def patient_node(start_node: Callable[..., Any]) -> Any:
    """Start one node for all tests that need nothing special: lossless, with a long queue."""
    patient = {
        'input.reliability': 'reliable',
        'input.history': '1000',
        'input.queue_frames': '500',
    }
    return start_node('patient', **patient)


@pytest.fixture
def node(patient_node: Any, robot: Any) -> Iterator[Any]:
    """Give that node, active and with fresh counts; afterwards it is unconfigured again."""
    robot.attend(patient_node)
    robot.change('configure')
    robot.activate()
    yield patient_node
    robot.change('deactivate', 'cleanup')
