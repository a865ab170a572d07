"""`depthsync ablation`: the strategies of the method against each other."""

import argparse
from pathlib import Path

from depthsync_ros.cli import evaluate
from depthsync_ros.cli.options import add_setting_options

# Written here so that --help need not import the pipeline; a test compares.
STRATEGIES = (
    'independent',
    'baseline',
    'scale',
    'geometry',
    'depthsync',
    'post_scale',
    'post_geometry',
    'post_both',
)
LENGTHS = (150, 300, 450)
DESCRIPTION = """\
Run the strategies of the method over sequences with true depth and poses, on the same weights:
windows on their own, the baseline (overlap initialisation), guidance during denoising and the same
corrections after it. Prints the means with the share of drift removed, and the differences paired
by sequence. Writes OUT/table.csv (a row for each strategy, sequence and seed), plots, pictures and
a page, all by `depthsync evaluate`. A run that was interrupted goes on when it is started again.
"""


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'ablation',
        help='compare the strategies of the method on sequences with truth',
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument(
        '--data',
        dest='root',
        type=Path,
        nargs='+',
        required=True,
        metavar='DIR',
        help='a sequence (rgb/ depth/ poses.txt intrinsics.json), or a folder of sequences',
    )
    parser.add_argument('--out', type=Path, required=True, metavar='OUT', help='where results go')
    parser.add_argument(
        '--strategies',
        dest='methods',
        type=evaluate.names,
        action=evaluate.Joined,
        nargs='+',
        default=STRATEGIES,
        metavar='NAME',
        help=f'{", ".join(STRATEGIES)} [all]',
    )
    parser.add_argument(
        '--seeds',
        type=evaluate.numbers,
        action=evaluate.Joined,
        nargs='+',
        default=(0,),
        metavar='N',
        help='[0]',
    )
    parser.add_argument(
        '--frames',
        type=evaluate.positive,
        default=0,
        metavar='N',
        help='only the first N frames of each sequence [all]',
    )
    parser.add_argument(
        '--lengths',
        type=evaluate.numbers,
        action=evaluate.Joined,
        nargs='+',
        default=LENGTHS,
        metavar='N',
        help='also score runs that end after N frames, for the plots over length [150 300 450]',
    )
    evaluate.add_jobs_option(parser)
    add_setting_options(parser)
    parser.set_defaults(
        run=run, dataset='folder', sequences=(), align='video', max_depth=0.0, render_only=False
    )


def run(args: argparse.Namespace) -> int:
    """Do it, and print the tables."""
    args.lengths = (*args.lengths, 0)
    return evaluate.run(args)
