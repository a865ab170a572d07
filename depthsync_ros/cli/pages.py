"""`depthsync settings`: every setting, for the README or as a parameter file."""

import argparse
import sys

from depthsync_ros.cli.options import markdown_table


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'settings',
        help='print every setting',
        description='Print every setting as a Markdown table, or as a ROS 2 parameter file.',
        allow_abbrev=False,
    )
    parser.add_argument('--yaml', action='store_true', help='as a commented parameter file')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    from depthsync_ros.ros.parameter_file import parameter_file  # noqa: PLC0415  not for --help

    sys.stdout.write(parameter_file() if args.yaml else markdown_table())
    return 0
