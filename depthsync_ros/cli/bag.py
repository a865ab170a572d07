"""`depthsync bag`: depth and poses for a recorded bag."""

import argparse
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from depthsync_ros.cli.options import (
    add_setting_options,
    node_defaults,
    read_parameter_file,
    read_settings,
)

if TYPE_CHECKING:
    from depthsync_ros.bags.process import BagJob, Tally
    from depthsync_ros.core.settings import MetricSettings

DESCRIPTION = """\
Read a rosbag2 (sqlite3 or MCAP; a folder or a single file) and write another that holds its
messages and, beside them, /depthsync/depth with /depthsync/depth/camera_info,
/depthsync/odometry, /depthsync/window_report and the camera's pose in /tf. No ROS is needed.
"""


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'bag',
        help='depth and poses for a recorded bag',
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument('source', type=Path, metavar='IN', help='a rosbag2 folder, .mcap or .db3')
    parser.add_argument('target', type=Path, metavar='OUT', help='the folder to make')
    parser.add_argument(
        '--image-topic', default='', metavar='NAME', help='[the only camera in the bag]'
    )
    parser.add_argument(
        '--info-topic', default='', metavar='NAME', help='[camera_info beside the image topic]'
    )
    parser.add_argument(
        '--camera-info',
        type=Path,
        metavar='FILE',
        help='a camera_calibration YAML file instead of a camera_info topic',
    )
    parser.add_argument(
        '--depth-topic',
        default='',
        metavar='NAME',
        help='what --metric.source depth or points reads [the only one in the bag]',
    )
    parser.add_argument(
        '--rectified', action='store_true', help='the images are rectified: P describes them'
    )
    parser.add_argument(
        '--depth-encoding',
        choices=('32FC1', '16UC1'),
        default='',
        help='16UC1 is millimetres and needs --metric.source [32FC1]',
    )
    parser.add_argument(
        '--with',
        dest='extras',
        nargs='+',
        choices=('points', 'compressed_depth'),
        default=(),
        metavar='OUTPUT',
        help='write /depthsync/points or /depthsync/depth/compressedDepth as well: '
        'points, compressed_depth',
    )
    parser.add_argument(
        '--start', type=float, default=0.0, metavar='SECONDS', help='skip images before'
    )
    parser.add_argument(
        '--duration', type=float, default=0.0, metavar='SECONDS', help='skip images after'
    )
    parser.add_argument(
        '--results-only', action='store_true', help="leave the input's messages out"
    )
    parser.add_argument(
        '--storage', choices=('input', 'mcap', 'sqlite3'), default='input', help='[as the input]'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace OUT where it is a bag')
    add_setting_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it, and print what came of it."""
    # These bring torch and OpenCV along: only once the command is known to need them.
    from depthsync_ros.bags.process import check_job, process_bag  # noqa: PLC0415
    from depthsync_ros.cli.progress import show_progress  # noqa: PLC0415
    from depthsync_ros.core.pipeline import Pipeline  # noqa: PLC0415
    from depthsync_ros.models.load import load_backbone  # noqa: PLC0415

    settings = read_settings(args)
    job = _job(args, settings.metric)
    check_job(job)
    pipeline = Pipeline(load_backbone(settings.model), settings)
    with show_progress() as progress:
        tally = process_bag(job, pipeline, progress)
    sys.stdout.write(summary(tally, args.target))
    return 0


def summary(tally: 'Tally', target: Path) -> str:
    """Say in a few lines what became of the frames."""
    lines = [
        f'{target}: {tally.frames_in} frames in, {tally.frames_out} depth out, '
        f'{tally.frames_dropped} dropped, {tally.posed} with a pose, {tally.windows} windows',
        *(f'  dropped {count}: {reason}' for reason, count in tally.dropped.items()),
    ]
    seconds = tally.seconds
    stages = ('encode', 'denoise', 'decode', 'align', 'pose')
    shares = ', '.join(f'{stage} {getattr(seconds, stage):.1f}' for stage in stages)
    lines.append(f'  seconds: {seconds.total:.1f} ({shares})')
    lines.append(f'  unit of depth and translation: {_unit(tally)}')
    lines += [f'  note: {note}' for note in tally.notes]
    return '\n'.join(lines) + '\n'


def _unit(tally: 'Tally') -> str:
    if not tally.metric:
        return 'a constant unit of this run, not metres'
    unit = 'metres'
    if tally.metric_scale == tally.metric_scale:  # not NaN: known
        unit += (
            f' ({tally.metric_scale:.4g} per unit of the run, '
            f'+-{100.0 * tally.metric_uncertainty:.1f} %)'
        )
    if tally.frames_not_metric:
        unit += f', but the first {tally.frames_not_metric} frames are not metric'
    return unit


def _job(args: argparse.Namespace, metric: 'MetricSettings') -> 'BagJob':
    from depthsync_ros.bags.frames import CameraChoice  # noqa: PLC0415
    from depthsync_ros.bags.process import BagJob  # noqa: PLC0415

    node = node_defaults()
    if args.config:
        node |= read_parameter_file(args.config)
    choice = CameraChoice(
        image_topic=args.image_topic,
        info_topic=args.info_topic,
        info_file=args.camera_info,
        rectified=args.rectified or bool(node['input.rectified']),
    )
    return BagJob(
        source=args.source,
        target=args.target,
        camera=choice,
        results_only=args.results_only,
        storage=args.storage,
        overwrite=args.overwrite,
        start_s=args.start,
        duration_s=args.duration,
        world_frame=str(node['tf.world_frame']),
        metric=metric,
        depth_topic=args.depth_topic,
        depth_encoding=args.depth_encoding or str(node['output.depth_encoding']),
        extras=tuple(args.extras),
    )
