"""
The `depthsync` command: finds the subcommand, turns errors into one line and an exit status.

0 done; 1 a DepthSyncError, one line on stderr; 2 wrong usage; 130 interrupted.
"""

import argparse
from collections.abc import Sequence
import signal
import sys
from types import FrameType

from depthsync_ros.cli import ablation, bag, evaluate, folder, pages, view
from depthsync_ros.core.errors import DepthSyncError, InputError

INTERRUPTED, TERMINATED = 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if words[:1] == ['demo']:
            return _demo(words[1:])
        args = build_parser().parse_args(words)
        return int(args.run(args))
    except DepthSyncError as error:
        sys.stderr.write(f'depthsync: {error}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write('depthsync: interrupted, unfinished output removed\n')
        return INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """Declare every subcommand."""
    parser = argparse.ArgumentParser(
        prog='depthsync',
        description='Scale-consistent video depth and camera poses for recorded bags.',
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    ablation.add_parser(commands)
    bag.add_parser(commands)
    evaluate.add_parser(commands)
    folder.add_parser(commands)
    pages.add_parser(commands)
    view.add_parser(commands)
    commands.add_parser('demo', help='play a packaged clip into the live node (needs ROS)')
    return parser


def _demo(words: Sequence[str]) -> int:
    try:
        from depthsync_ros.demo.run import main as run_demo  # noqa: PLC0415  needs rclpy
    except ImportError as error:
        raise InputError(
            f'the demo plays into the live node and needs {error.name}, which is not installed '
            'here; run `make demo` in a checkout of the project'
        ) from None
    return int(run_demo(words))


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """Unwind as after an interrupt, so that unfinished output is removed."""
    raise SystemExit(TERMINATED)
