"""The parameter file is the settings, and ROS reads it back as they are."""

from pathlib import Path

import yaml

from depthsync_ros.core.settings import DepthSyncSettings, walk, with_values
from depthsync_ros.ros.parameter_file import parameter_file
from depthsync_ros.ros.settings import NodeSettings

ON_DISK = Path(__file__).parents[2] / 'config' / 'depthsync.yaml'


def test_the_file_on_disk_is_the_generated_one() -> None:
    assert ON_DISK.read_text() == parameter_file(), (
        'run python -m depthsync_ros.ros.parameter_file > config/depthsync.yaml'
    )


def test_its_values_are_the_defaults_with_their_types() -> None:
    groups = yaml.safe_load(parameter_file())['/**']['ros__parameters']
    flat = {f'{group}.{name}': value for group in groups for name, value in groups[group].items()}

    roots = (DepthSyncSettings(), NodeSettings())
    defaults = {name: value for root in roots for name, value, _ in walk(root)}
    assert flat == defaults
    assert {name: type(value) for name, value in flat.items()} == {
        name: type(value) for name, value in defaults.items()
    }


def test_no_line_is_longer_than_the_rest_of_the_project() -> None:
    assert max(len(line) for line in parameter_file().splitlines()) <= 99


def test_node_and_core_share_no_name() -> None:
    core = {name for name, _, _ in walk(DepthSyncSettings())}
    node = {name for name, _, _ in walk(NodeSettings())}

    assert core
    assert node
    assert not core & node
    assert with_values(NodeSettings(), {}) == NodeSettings()
