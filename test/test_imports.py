"""Imports point inwards, and what is heavy or optional stays where it belongs."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'depthsync_ros'

ROS = {
    'builtin_interfaces',
    'cv_bridge',
    'diagnostic_msgs',
    'geometry_msgs',
    'launch',
    'launch_ros',
    'lifecycle_msgs',
    'message_filters',
    'nav_msgs',
    'rcl_interfaces',
    'rclpy',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'tf2_msgs',
    'tf2_ros',
}

# What each part may import of the others. A part not named here is checked to be none of ours.
INWARDS = {
    'core': set(),
    'images': {'core'},
    'calibration': {'core'},
    'encoding': {'core'},
    'messages': {'core', 'calibration', 'encoding', 'images'},
    'clouds': {'core', 'messages'},
    'datasets': {'core', 'calibration', 'images', 'messages', 'bags'},
    'models': {'core'},
    'bags': {'core', 'calibration', 'clouds', 'images', 'messages'},
    'evaluation': {'core', 'calibration', 'datasets', 'models', 'images', 'bags'},
    'ros': {'core', 'calibration', 'clouds', 'images', 'messages', 'models', 'msg'},
}
OUTERMOST = {'cli', 'demo'}


@cache
def imported(source: Path) -> tuple[str, ...]:
    """Give the full names of all modules a file imports, wherever in it."""
    return tuple(walk_imports(source))


def walk_imports(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f'{source}: a relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def sources(part: str = '') -> list[Path]:
    """List the files of a directory or of one module."""
    whole = PACKAGE / part
    found = sorted(whole.rglob('*.py')) if whole.is_dir() else [whole.with_suffix('.py')]
    assert found, f'no sources under {whole}: the test would pass without checking anything'
    return found


def importers(modules: set[str]) -> set[str]:
    """List the files that import one of the top-level modules."""
    return {
        source.relative_to(PACKAGE).as_posix()
        for source in sources()
        if modules & {name.split('.')[0] for name in imported(source)}
    }


def parts() -> set[str]:
    named = {path.relative_to(PACKAGE).parts[0].removesuffix('.py') for path in sources()}
    return named - {'__init__'}


def test_every_part_has_its_place() -> None:
    assert parts() == set(INWARDS) | OUTERMOST


@pytest.mark.parametrize('part', sorted(INWARDS))
def test_a_part_imports_only_from_further_in(part: str) -> None:
    for source in sources(part):
        ours = {
            name.split('.')[1] for name in imported(source) if name.startswith('depthsync_ros.')
        }
        assert ours <= INWARDS[part] | {part}, source


def test_only_one_directory_imports_ros() -> None:
    found = importers(ROS)

    assert found, 'nothing imports ROS'
    assert {name.split('/')[0] for name in found} == {'ros'}


def test_diffusers_is_behind_one_file_of_the_models() -> None:
    per_frame_rival = 'evaluation/per_frame.py'  # runs Marigold by diffusers' own pipeline

    assert importers({'diffusers'}) - {per_frame_rival} == {'models/diffusers_parts.py'}


def test_only_the_bags_import_rosbags() -> None:
    assert {name.split('/')[0] for name in importers({'rosbags'})} == {'bags'}


def test_only_the_evaluation_imports_evo() -> None:
    assert {name.split('/')[0] for name in importers({'evo'})} == {'evaluation'}


def test_the_core_reads_no_files() -> None:
    for source in sources('core'):
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(source.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {'open', 'print'}, source
        assert not {'pathlib', 'io', 'shutil', 'os'} & set(imported(source)), source


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = (
        'import sys; before = set(sys.modules); import depthsync_ros; '
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )

    found = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert not set(found.stdout.split()) & (
        ROS | {'torch', 'numpy', 'cv2', 'diffusers', 'rosbags'}
    )
