import argparse
from pathlib import Path

import pytest

from depthsync_ros.cli.options import (
    add_setting_options,
    all_settings,
    markdown_table,
    read_parameter_file,
    read_settings,
)
from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import DepthSyncSettings, walk
from depthsync_ros.ros.parameter_file import parameter_file


def parse(*words):
    parser = argparse.ArgumentParser()
    add_setting_options(parser)
    return read_settings(parser.parse_args(list(words)))


def written(tmp_path, text):
    file = tmp_path / 'params.yaml'
    file.write_text(text)
    return str(file)


def test_without_options_the_defaults_hold() -> None:
    assert parse() == DepthSyncSettings()


def test_every_setting_is_an_option_that_takes_its_own_default() -> None:
    names = [name for name, _, _ in walk(DepthSyncSettings())]
    assert names

    for name, value, _ in walk(DepthSyncSettings()):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert parse(f'--{name}', text) == DepthSyncSettings(), name


def test_options_change_what_they_name() -> None:
    settings = parse(
        '--window.length', '24', '--poses.derive', 'false', '--poses.max_error_px', '3'
    )

    assert settings.window.length == 24
    assert settings.poses.derive is False
    assert settings.poses.max_error_px == 3.0


def test_a_value_out_of_range_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r'length = 1000 frames is outside'):
        parse('--window.length', '1000')


NESTED = """
/**:
  ros__parameters:
    use_sim_time: true
    window:
      length: 24
      overlap: 8
    poses.derive: false
"""


def test_a_parameter_file_is_read_and_an_option_beats_it(tmp_path) -> None:
    settings = parse('--config', written(tmp_path, NESTED), '--window.overlap', '6')

    assert (settings.window.length, settings.window.overlap) == (24, 6)
    assert settings.poses.derive is False


def test_the_section_of_the_node_beats_that_of_all_nodes(tmp_path) -> None:
    text = NESTED + '/robot/depthsync:\n  ros__parameters:\n    window.length: 30\n'
    text += 'other_node:\n  ros__parameters:\n    window.length: 40\n'

    assert parse('--config', written(tmp_path, text)).window.length == 30


def test_the_nodes_own_settings_may_be_in_the_file(tmp_path) -> None:
    text = '/**:\n  ros__parameters:\n    input.rectified: true\n    window.length: 30\n'

    assert parse('--config', written(tmp_path, text)).window.length == 30


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('/**:\n  ros__parameters:\n    window.lenght: 3\n', r"'window.lenght'; the nearest is"),
        ('/**:\n  ros__parameters:\n    window.length: 3.0\n', 'length = 3.0 is float'),
        ('window:\n  length: 3\n', 'depthsync settings --yaml'),
        ('- 1\n', 'depthsync settings --yaml'),
        ('a: [1\n', 'cannot be read as YAML'),
    ],
)
def test_a_wrong_parameter_file_is_a_config_error(tmp_path, text, said) -> None:
    with pytest.raises(ConfigError, match=said):
        parse('--config', written(tmp_path, text))


def test_a_missing_parameter_file_is_a_config_error(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r'none.yaml cannot be read'):
        parse('--config', str(tmp_path / 'none.yaml'))


def test_the_generated_parameter_file_reads_back_as_the_defaults(tmp_path) -> None:
    values = read_parameter_file(Path(written(tmp_path, parameter_file())))

    assert values == {name: value for root in all_settings() for name, value, _ in walk(root)}


def test_the_table_has_a_row_of_four_cells_for_every_setting() -> None:
    rows = markdown_table().replace('\\|', '').splitlines()

    n_settings = sum(1 for root in all_settings() for _ in walk(root))
    assert len(rows) == n_settings + 2
    assert {row.count('|') for row in rows} == {5}
