"""`depthsync evaluate`: methods over sequences and lengths, scored against truth."""

import argparse
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from depthsync_ros.cli.options import add_setting_options, read_settings

if TYPE_CHECKING:
    from depthsync_ros.core.backbone import Backbone
    from depthsync_ros.core.settings import DepthSyncSettings

DESCRIPTION = """\
Run methods over the sequences of a dataset and score depth and poses against the truth. Results
go to OUT/results.jsonl, one line each; tables (Markdown, CSV), plots and a page (index.html) are
made of them. A run that was interrupted goes on where it was when it is started again.
"""
METHODS = """\
comma-separated: baseline, scale, geometry, depthsync, independent, post_scale, post_geometry,
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
        type=_numbers,
        default=(0,),
        metavar='N,N,…',
        help='leading frames to score, 0 for all; a sequence too short is scored whole [0]',
    )
    parser.add_argument('--methods', default='baseline,depthsync', metavar='NAMES', help=METHODS)
    parser.add_argument('--seeds', type=_numbers, default=(0,), metavar='N,N,…', help='[0]')
    parser.add_argument(
        '--sequences', default='', metavar='NAMES', help='only these, comma-separated [all]'
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
    add_setting_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it, and print the tables."""
    from depthsync_ros.evaluation.render import render  # noqa: PLC0415  OpenCV
    from depthsync_ros.evaluation.results import read_results  # noqa: PLC0415

    rows = read_results(args.out) if args.render_only else _evaluate(args)
    tables = render(rows, args.out)
    sys.stdout.write('\n'.join(table.markdown() for table in tables))
    sys.stdout.write(f'\n{args.out / "index.html"}\n')
    return 0


def _evaluate(args: argparse.Namespace) -> 'list[dict[str, object]]':
    from depthsync_ros.cli.progress import show_progress  # noqa: PLC0415
    from depthsync_ros.core.errors import ConfigError  # noqa: PLC0415
    from depthsync_ros.datasets.registry import open_dataset  # noqa: PLC0415
    from depthsync_ros.evaluation.build import MethodBuilder  # noqa: PLC0415
    from depthsync_ros.evaluation.protocol import evaluate, Protocol  # noqa: PLC0415

    settings = read_settings(args)
    methods = MethodBuilder(
        [name for name in args.methods.split(',') if name], settings, lambda: _backbone(settings)
    )
    if not args.root:
        raise ConfigError('--root says where the sequences are; give at least one folder')
    videos = [video for root in args.root for video in open_dataset(args.dataset, root)]
    chosen = set(args.sequences.split(',')) - {''}
    unknown = chosen - {video.name for video in videos}
    if unknown:
        known = ', '.join(video.name for video in videos)
        raise ConfigError(f'there is no sequence {", ".join(sorted(unknown))}; there are {known}')
    protocol = Protocol(
        args.dataset, args.out, args.lengths, args.seeds, args.align, args.max_depth
    )
    for video in videos:
        if video.counts:
            said = ', '.join(f'{count} {reason}' for reason, count in video.counts.items())
            sys.stderr.write(f'depthsync: {video.name}: {said}\n')
    with show_progress() as show:
        return evaluate(
            protocol, [v for v in videos if not chosen or v.name in chosen], methods, show
        )


def _backbone(settings: 'DepthSyncSettings') -> 'tuple[Backbone, str]':
    from depthsync_ros.evaluation.build import fingerprint  # noqa: PLC0415
    from depthsync_ros.models.folder import locate, UNET_FILES  # noqa: PLC0415
    from depthsync_ros.models.load import load_backbone  # noqa: PLC0415  torch, diffusers

    model = settings.model
    backbone = load_backbone(model)
    folder = locate(model.path, allow_download=model.allow_download, files=UNET_FILES)
    return backbone, fingerprint(folder)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no list of numbers such as 150,300'
        ) from None
