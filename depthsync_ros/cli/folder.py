"""`depthsync import`: a folder of images, calibration and truth becomes a bag."""

import argparse
from pathlib import Path
import sys

DESCRIPTION = """\
Make a rosbag2 from a folder: rgb/000000.jpg (or .png) and so on, intrinsics.json (width,
height, fx, fy, cx, cy in pixels) and, where there are any, poses.txt (TUM: seconds tx ty tz qx
qy qz qw, the optical frame in the world, one line an image) and depth/000000.png (16 bit
millimetres, 0 unknown). Topics: /camera/image_raw, /camera/camera_info, /truth/depth,
/truth/odometry.
"""


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'import',
        help='make a bag from a folder of images',
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument('source', type=Path, metavar='FOLDER')
    parser.add_argument('target', type=Path, metavar='OUT', help='the folder to make')
    parser.add_argument(
        '--compressed',
        action='store_true',
        help='keep the files as they are, on /camera/image_raw/compressed',
    )
    parser.add_argument(
        '--rate', type=float, default=30.0, metavar='HZ', help='without poses.txt [30]'
    )
    parser.add_argument(
        '--frame-id', default='camera_optical_frame', metavar='NAME', help='[%(default)s]'
    )
    parser.add_argument('--storage', choices=('mcap', 'sqlite3'), default='mcap', help='[mcap]')
    parser.add_argument('--overwrite', action='store_true', help='replace OUT where it is a bag')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it, and print what came of it."""
    from depthsync_ros.bags.folder import FolderJob, import_folder  # noqa: PLC0415  OpenCV

    job = FolderJob(
        source=args.source,
        target=args.target,
        compressed=args.compressed,
        rate_hz=args.rate,
        frame_id=args.frame_id,
        storage=args.storage,
        overwrite=args.overwrite,
    )
    count, shift_s = import_folder(job)
    shifted = f'; stamps moved by {shift_s} s, away from 0' if shift_s else ''
    sys.stdout.write(f'{args.target}: {count} images{shifted}\n')
    return 0
