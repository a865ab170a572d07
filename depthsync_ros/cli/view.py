"""`depthsync view`: a result bag in rerun's viewer, or as a file for it."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from depthsync_ros.core.errors import InputError

if TYPE_CHECKING:
    from depthsync_ros.bags.results import Result

DESCRIPTION = """\
Open a bag that `depthsync bag` has written in the rerun viewer: the images, their depth, the
points of it in the world and the camera's path; or write all that into an .rrd file.
"""
WORLD, CAMERA, IMAGE = 'world', 'world/camera', 'world/camera/image'
POINTS, PATH = 'world/points', 'world/path'
MISSING = (
    'depthsync view needs rerun, which is not installed here; run '
    "`pip install 'depthsync_ros[viewer]'` (or `pip install rerun-sdk`)"
)


@dataclass
class Shown:
    """How far the reading is, for the progress bar."""

    frames_expected: int
    frames_in: int = 0
    windows: int = 0
    posed: int = 0


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'view',
        help='look at a result bag in rerun',
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    parser.add_argument('source', type=Path, metavar='BAG', help='written by `depthsync bag`')
    parser.add_argument('--save', type=Path, metavar='FILE', help='write an .rrd, open nothing')
    parser.add_argument('--overwrite', action='store_true', help='replace FILE')
    parser.add_argument('--image-topic', default='', metavar='NAME', help='[the only camera]')
    parser.add_argument(
        '--stride',
        type=int,
        default=4,
        metavar='PIXELS',
        help='pixels between two points of the cloud, both ways [4]',
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it, and say what was shown."""
    from depthsync_ros.bags.frames import CameraChoice  # noqa: PLC0415  imports OpenCV
    from depthsync_ros.bags.results import read_results, result_count  # noqa: PLC0415
    from depthsync_ros.bags.storage import BagReader  # noqa: PLC0415
    from depthsync_ros.cli.progress import show_progress  # noqa: PLC0415

    rerun = _rerun()
    _check(args)
    with BagReader(args.source) as bag:
        shown = Shown(result_count(bag))
    recording = _open(rerun, args.save)
    with show_progress() as progress:
        results = read_results(args.source, CameraChoice(image_topic=args.image_topic))
        for _ in show(rerun, recording, results, args.stride, shown):
            progress(shown)
    recording.flush()
    where = f' in {args.save}' if args.save else ''
    sys.stdout.write(f'{args.source}: {shown.frames_in} frames, {shown.posed} posed{where}\n')
    return 0


def show(
    rerun: Any, recording: Any, results: 'Iterator[Result]', stride: int, shown: Shown
) -> Iterator[None]:
    """Log frame after frame on the timeline of the images' stamps."""
    import numpy as np  # noqa: PLC0415

    path: list[Any] = []
    recording.log(WORLD, rerun.ViewCoordinates.FLU, static=True)  # REP 103
    for result in results:
        frame, camera = result.frame, result.frame.camera
        recording.set_time('stamp', timestamp=np.datetime64(frame.stamp_ns, 'ns'))
        recording.log(IMAGE, _pinhole(rerun, camera))
        recording.log(f'{IMAGE}/rgb', rerun.Image(frame.rgb).compress(jpeg_quality=85))
        # Rerun takes 0 as unknown.
        recording.log(f'{IMAGE}/depth', rerun.DepthImage(np.nan_to_num(result.depth), meter=1.0))
        if result.world_T_cam is not None:
            placed = result.world_T_cam
            pose = rerun.Transform3D(translation=placed[:3, 3], mat3x3=placed[:3, :3])
            recording.log(CAMERA, pose)
            path.append(placed[:3, 3])
            recording.log(POINTS, _cloud(rerun, result, stride))
            shown.posed += 1
        else:
            recording.log(POINTS, rerun.Clear(recursive=False))
        shown.frames_in += 1
        yield
    if path:  # once: logged with every frame, it would grow with the square of the video
        recording.log(PATH, rerun.LineStrips3D([path]), static=True)


def _pinhole(rerun: Any, camera: Any) -> Any:
    return rerun.Pinhole(
        focal_length=(camera.fx, camera.fy),
        principal_point=(camera.cx + 0.5, camera.cy + 0.5),  # rerun counts from the corner
        width=camera.width,
        height=camera.height,
        camera_xyz=rerun.ViewCoordinates.RDF,
    )


def _cloud(rerun: Any, result: 'Result', stride: int) -> Any:
    from depthsync_ros.core.camera import unproject  # noqa: PLC0415
    from depthsync_ros.core.rigid import transform  # noqa: PLC0415

    thin = (slice(None, None, stride), slice(None, None, stride))
    points = unproject(result.frame.camera, result.depth)[thin].reshape(-1, 3)
    known = (points[:, 2] > 0.0).nonzero()[0]
    colors = result.frame.rgb[thin].reshape(-1, 3)[known]
    return rerun.Points3D(transform(result.world_T_cam, points[known]), colors=colors)


def _rerun() -> Any:
    try:
        import rerun  # noqa: PLC0415  an optional extra
    except ImportError:
        raise InputError(MISSING) from None
    return rerun


def _check(args: argparse.Namespace) -> None:
    if args.stride < 1:
        raise InputError(f'--stride {args.stride} must be 1 or more')
    if args.save is None:
        return
    if args.save.suffix != '.rrd':
        raise InputError(f'{args.save} must end in .rrd, as rerun names its files')
    if args.save.exists() and not args.overwrite:
        raise InputError(f'{args.save} exists; choose another name, or pass --overwrite')
    if not args.save.absolute().parent.is_dir():
        raise InputError(f'{args.save.absolute().parent} is not a folder; create it first')


def _open(rerun: Any, save: Path | None) -> Any:
    recording = rerun.RecordingStream('depthsync')
    if save is not None:
        recording.save(save)
    else:
        recording.spawn()
    return recording
