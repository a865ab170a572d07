"""Settings as command-line options, read from a parameter file, and as a table for people."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field
from pathlib import Path
from typing import Any

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import DepthSyncSettings, Settings, Value, walk, with_values

NODE_NAME = 'depthsync'


# ---- options ------------------------------------------------------------------------------------


def add_setting_options(parser: argparse.ArgumentParser) -> None:
    """Give the parser --config and one option for each setting, named as the parameter."""
    group = parser.add_argument_group(
        'settings', 'The same as the ROS parameters of the node; an option beats the file.'
    )
    group.add_argument(
        '--config', type=Path, metavar='FILE', help='a ROS parameter file, such as depthsync.yaml'
    )
    for name, value, entry in walk(DepthSyncSettings()):
        group.add_argument(
            f'--{name}',
            dest=name,
            type=_READERS[type(value)],
            default=argparse.SUPPRESS,
            metavar=_metavar(value, entry),
            help=f'{_sentence(entry)} [{_shown(value)}]'.replace('%', '%%'),
        )


def read_settings(args: argparse.Namespace) -> DepthSyncSettings:
    """
    Combine defaults, parameter file and options.

    :raises ConfigError: a name is unknown or a value breaks a rule.
    """
    settings = DepthSyncSettings()
    values = dict(read_parameter_file(args.config)) if args.config else {}
    values = {name: value for name, value in values.items() if name not in node_defaults()}
    given = vars(args)
    values |= {name: given[name] for name, _, _ in walk(settings) if name in given}
    return with_values(settings, values)


def read_parameter_file(path: Path) -> Mapping[str, Value]:
    """
    Read a ROS 2 parameter file as dotted names and values.

    Sections for every node ('/**') and for a node called depthsync count, in the file's order.

    :raises ConfigError: it is not such a file.
    """
    import yaml  # noqa: PLC0415  not needed for --help

    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f'{path} cannot be read as YAML: {error}') from None
    sections = document if isinstance(document, dict) else {}
    values: dict[str, Value] = {}
    found = False
    for node, section in sections.items():
        if str(node).rpartition('/')[2] in ('**', NODE_NAME):
            parameters = section.get('ros__parameters') if isinstance(section, dict) else None
            if isinstance(parameters, dict):
                found = True
                values |= _flattened(parameters)
    if not found:
        raise ConfigError(
            f"{path} holds no '/**:' with 'ros__parameters:' below; `depthsync settings --yaml` "
            'prints a whole file'
        )
    return values


def node_defaults() -> dict[str, Value]:
    """Return the settings that only the node has; a parameter file may hold them too."""
    from depthsync_ros.ros.settings import NodeSettings  # noqa: PLC0415  not needed for --help

    return {name: value for name, value, _ in walk(NodeSettings())}


def _flattened(tree: Mapping[Any, Any], prefix: str = '') -> dict[str, Value]:
    flat: dict[str, Value] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flattened(value, f'{prefix}{key}.')
        elif not f'{prefix}{key}'.startswith(('use_sim_time', 'qos_overrides.')):
            flat[f'{prefix}{key}'] = value
    return flat


def _boolean(text: str) -> bool:
    if text not in ('true', 'false'):
        raise argparse.ArgumentTypeError(f'{text!r} is neither true nor false')
    return text == 'true'


_READERS: dict[type, Callable[[str], Value]] = {bool: _boolean, int: int, float: float, str: str}


def _metavar(value: Value, entry: Field[Any]) -> str:
    if isinstance(value, bool):
        return 'true|false'
    return '|'.join(entry.metadata['choices']) or type(value).__name__.upper()


# ---- table --------------------------------------------------------------------------------------


def all_settings() -> Sequence[Settings]:
    """Return every tree of settings with its defaults: the core's and the node's."""
    from depthsync_ros.ros.settings import NodeSettings  # noqa: PLC0415  not needed for --help

    return DepthSyncSettings(), NodeSettings()


def markdown_table() -> str:
    """Return all settings as a Markdown table."""
    lines = [
        '| setting | default | range | meaning |',
        '|---|---|---|---|',
    ]
    for root in all_settings():
        for name, value, entry in walk(root):
            live = ' *Live.*' if entry.metadata['live'] else ''
            meaning = _sentence(entry).replace('|', '\\|')
            lines.append(f'| `{name}` | `{_shown(value)}` | {_range(entry)} | {meaning}{live} |')
    return '\n'.join(lines) + '\n'


def _sentence(entry: Field[Any]) -> str:
    return str(entry.metadata['description'])


def _range(entry: Field[Any]) -> str:
    facts = entry.metadata
    if facts['choices']:
        return ', '.join(facts['choices'])
    low, high, unit = facts['low'], facts['high'], facts['unit']
    text = ''
    if low is not None and high is not None:
        text = f'{low} to {high}'
    elif low is not None:
        text = f'from {low}'
    elif high is not None:
        text = f'up to {high}'
    return f'{text} {unit}'.strip()


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
