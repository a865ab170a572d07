"""`depthsync evaluate`: methods over sequences and lengths, scored against truth."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from depthsync_ros.cli.options import add_setting_options, read_settings

if TYPE_CHECKING:
    from depthsync_ros.core.settings import DepthSyncSettings
    from depthsync_ros.datasets.sequence import Video

DESCRIPTION = """\
Run methods over the sequences of a dataset and score depth and poses against the truth. Results
go to OUT/results.jsonl, one line each; tables (Markdown, CSV), plots and a page (index.html) are
made of them. A run that was interrupted goes on where it was when it is started again.
"""
METHODS = """\
baseline, scale, geometry, depthsync, independent, post_scale, post_geometry,
post_both (strategies of the pipeline); disparity:DIR, depth:DIR, metric:DIR (saved predictions);
poses:DIR (TUM trajectories); transformers:MODEL, marigold:MODEL (a local folder or hub id)
[baseline,depthsync]"""


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'evaluate',
        help='score depth and poses against the truth of a dataset',
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument(
        '--dataset',
        default='folder',
        metavar='NAME',
        help='folder, scannet, gmu_kitchen, kitti, bonn, tum, 7scenes, icl_nuim or bag [folder]',
    )
    parser.add_argument(
        '--root',
        type=Path,
        nargs='+',
        default=[],
        metavar='DIR',
        help='a sequence, or a folder of sequences',
    )
    parser.add_argument('--out', type=Path, required=True, metavar='OUT', help='where results go')
    parser.add_argument(
        '--lengths',
        type=numbers,
        action=Joined,
        nargs='+',
        default=(0,),
        metavar='N',
        help='leading frames to score, 0 for all; a sequence too short is scored whole [0]',
    )
    parser.add_argument(
        '--methods',
        type=names,
        action=Joined,
        nargs='+',
        default=('baseline', 'depthsync'),
        metavar='NAME',
        help=METHODS,
    )
    parser.add_argument(
        '--seeds',
        type=numbers,
        action=Joined,
        nargs='+',
        default=(0,),
        metavar='N',
        help='[0]',
    )
    parser.add_argument(
        '--sequences',
        type=names,
        action=Joined,
        nargs='+',
        default=(),
        metavar='NAME',
        help='only these [all]',
    )
    parser.add_argument(
        '--frames',
        type=positive,
        default=0,
        metavar='N',
        help='only the first N frames of each sequence [all]',
    )
    parser.add_argument(
        '--align',
        choices=('video', 'scale', 'window', 'none'),
        default='video',
        help='what is fitted to the truth: a scale and shift per video, in disparity; a scale; a '
        'scale and shift per window; nothing [video]',
    )
    parser.add_argument(
        '--max-depth',
        type=float,
        default=0.0,
        metavar='METRES',
        help="truth beyond is not scored, depth is clipped to it [the dataset's own]",
    )
    parser.add_argument(
        '--render-only', action='store_true', help='make tables, plots and page of OUT again'
    )
    add_jobs_option(parser)
    add_setting_options(parser)
    parser.set_defaults(run=run)


def add_jobs_option(parser: argparse.ArgumentParser) -> None:
    """Declare --jobs."""
    parser.add_argument(
        '--jobs',
        type=positive,
        default=1,
        metavar='N',
        help='run N methods and sequences at a time, each in a process with one CPU thread '
        '(model.threads = 1) and a model of its own [1]',
    )


def run(args: argparse.Namespace) -> int:
    """Do it, and print the tables."""
    from depthsync_ros.evaluation.render import render  # noqa: PLC0415  OpenCV
    from depthsync_ros.evaluation.results import read_results  # noqa: PLC0415

    rows = read_results(args.out) if args.render_only else _evaluate(args)
    tables = render(rows, args.out)
    sys.stdout.write('\n'.join(table.markdown() for table in tables))
    sys.stdout.write(f'\n{args.out / "index.html"}\n')
    return 0


def _evaluate(args: argparse.Namespace) -> 'list[dict[str, Any]]':
    from depthsync_ros.cli.progress import show_progress  # noqa: PLC0415
    from depthsync_ros.evaluation.build import MethodBuilder  # noqa: PLC0415
    from depthsync_ros.evaluation.protocol import evaluate, Protocol  # noqa: PLC0415

    _check_installed()
    methods = MethodBuilder(args.methods, _settings(args))
    videos = _videos(args)
    protocol = Protocol(
        args.dataset,
        args.out,
        args.lengths,
        args.seeds,
        args.align,
        args.max_depth,
        args.frames,
    )
    for video in videos:
        if video.counts:
            said = ', '.join(f'{reason}: {count}' for reason, count in video.counts.items())
            sys.stderr.write(f'depthsync: {video.name}: {said}\n')
    with show_progress('results') as show:
        return evaluate(protocol, videos, methods, show, args.jobs)


def _check_installed() -> None:
    """Find out before hours of computing that their results could not be scored or drawn."""
    from importlib.util import find_spec  # noqa: PLC0415

    from depthsync_ros.core.errors import InputError  # noqa: PLC0415

    missing = [name for name in ('evo', 'matplotlib', 'scipy') if find_spec(name) is None]
    if missing:
        raise InputError(f'evaluation needs {", ".join(missing)}: pip install {" ".join(missing)}')


def _settings(args: argparse.Namespace) -> 'DepthSyncSettings':
    from depthsync_ros.core.errors import ConfigError  # noqa: PLC0415
    from depthsync_ros.core.settings import with_values  # noqa: PLC0415

    settings = read_settings(args)
    if args.jobs == 1:
        return settings
    if settings.model.threads > 1:
        raise ConfigError(
            f'--jobs {args.jobs} runs each job on one CPU thread, model.threads = '
            f'{settings.model.threads} asks for more: set one of them to 1'
        )
    return with_values(settings, {'model.threads': 1})


def _videos(args: argparse.Namespace) -> 'Sequence[Video]':
    from depthsync_ros.core.errors import ConfigError  # noqa: PLC0415
    from depthsync_ros.datasets.registry import open_dataset  # noqa: PLC0415

    if not args.root:
        raise ConfigError('--root says where the sequences are; give at least one folder')
    videos = [video for root in args.root for video in open_dataset(args.dataset, root)]
    unknown = set(args.sequences) - {video.name for video in videos}
    if unknown:
        known = ', '.join(video.name for video in videos)
        raise ConfigError(f'there is no sequence {", ".join(sorted(unknown))}; there are {known}')
    return [video for video in videos if not args.sequences or video.name in args.sequences]


# ---- option types -------------------------------------------------------------------------------


class Joined(argparse.Action):
    """Makes one tuple of the words of an option, each of which may be a comma-separated list."""

    def __call__(
        self, _parser: object, space: argparse.Namespace, values: Any, _option: object = None
    ) -> None:
        """Set it."""
        setattr(space, self.dest, tuple(value for several in values for value in several))


def names(text: str) -> tuple[str, ...]:
    """Read a comma-separated list."""
    return tuple(word for word in text.split(',') if word)


def numbers(text: str) -> tuple[int, ...]:
    """Read a comma-separated list of numbers that are not negative."""
    try:
        found = tuple(int(word) for word in names(text))
    except ValueError:
        found = (-1,)
    if min(found, default=-1) < 0:
        raise argparse.ArgumentTypeError(f'{text!r} is no list of numbers such as 150,300')
    return found


def positive(text: str) -> int:
    """Read a number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'{text!r} is no number above 0')
    return int(text)
