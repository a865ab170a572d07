"""The page of parameters is what is declared."""

import json
from pathlib import Path

from depthsync_ros.core.settings import DepthSyncSettings, walk
from depthsync_ros.ros.parameter_table import parameter_table
from depthsync_ros.ros.settings import NodeSettings

ON_DISK = Path(__file__).parents[2] / 'docs' / 'parameters.md'


def rows() -> dict[str, list[str]]:
    """Give the cells of each parameter's row."""
    lines = [line for line in parameter_table().splitlines() if line.startswith('| `')]
    cells = [[cell.strip() for cell in line.strip('|').split(' | ')] for line in lines]
    return {row[0].strip('`'): row for row in cells}


def test_the_page_on_disk_is_the_generated_one() -> None:
    assert ON_DISK.read_text() == parameter_table(), (
        'run python -m depthsync_ros.ros.parameter_table > docs/parameters.md'
    )


def test_every_parameter_has_a_row_that_tells_default_and_whether_it_is_live() -> None:
    declared = {
        name: entry
        for root in (DepthSyncSettings(), NodeSettings())
        for name, _, entry in walk(root)
    }

    table = rows()
    assert list(table) == list(declared)
    for name, entry in declared.items():
        _, kind, default, limits, live, text = table[name]
        assert kind == type(entry.default).__name__
        assert json.loads(default.strip('`')) == entry.default
        assert (live == 'yes') is entry.metadata['live']
        assert text == entry.metadata['description']
        assert all(f'`{choice}`' in limits for choice in entry.metadata['choices'])
        assert entry.metadata['low'] is None or str(entry.metadata['low']) in limits
