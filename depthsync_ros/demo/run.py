"""`depthsync demo`: play the packaged clip into a live node and say how good its depth is."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys

import numpy as np
from rich.console import Console
from rich.progress import track

from depthsync_ros.core.frames import Frame
from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.datasets.sequence import TrueFrame
from depthsync_ros.demo.picture import draw, Row
from depthsync_ros.evaluation.metrics import align, depth_errors
from depthsync_ros.evaluation.trajectory import aligned_positions, pose_errors
from depthsync_ros.ros.live import play, Recording

CLIP = Path(__file__).parent / 'clip'
# Nothing may be lost here: the clip waits in the queue while a window is computed.
PARAMETERS = {'input.reliability': 'reliable', 'input.history': 1000, 'input.queue_frames': 1000}
PICTURES = 4


def main(argv: Sequence[str]) -> int:
    """Run the demo; 0 where every frame came out or was reported dropped."""
    parser = argparse.ArgumentParser(prog='depthsync demo', description=__doc__)
    parser.add_argument(
        '--out', type=Path, default=Path('demo'), help='folder for picture and log'
    )
    parser.add_argument('--rate', type=float, default=15.0, help='frames a second to play at')
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, file=sys.stdout)
    (video,) = open_folder(CLIP)
    clip = [video.read(index) for index in range(len(video))]
    frames: list[Frame] = [true.frame for true in clip]
    console.print(f'playing {len(clip)} frames into the node at {arguments.rate:g} Hz')
    recording = play(
        track(frames, 'frames sent', console=console),
        PARAMETERS,
        rate_hz=arguments.rate,
        log=arguments.out / 'node.log',
    )
    _report(clip, recording, video.max_depth_m, arguments.out / 'demo.png', console)
    lost = len(frames) - len(recording.depth) - recording.dropped
    return 0 if lost == 0 else 1


def _report(
    clip: Sequence[TrueFrame],
    recording: Recording,
    max_depth_m: float,
    picture: Path,
    console: Console,
) -> None:
    out = [true for true in clip if true.frame.stamp_ns in recording.depth]
    truth_m = np.stack([true.depth_m for true in out])
    stamps = [true.frame.stamp_ns for true in out]
    disparity = 1.0 / np.stack([recording.depth[stamp] for stamp in stamps])
    depth_m = align(disparity, truth_m, max_depth_m)
    errors = depth_errors(depth_m, truth_m, max_depth_m)
    path = [recording.world_T_cam.get(stamp) for stamp in stamps]
    true_path = [true.world_T_cam for true in out]
    poses = pose_errors(path, true_path)
    lines = (
        f'{len(clip)} frames in, {len(out)} depth images out, {recording.dropped} dropped',
        f'AbsRel {errors.absrel:.3f}   delta1 {errors.delta1:.3f}   '
        '(one scale and shift for the whole video)',
        f'trajectory: ATE {100.0 * poses.ate_m:.1f} cm, RPE {100.0 * poses.rpe_trans_m:.2f} cm '
        f'and {poses.rpe_rot_deg:.2f} deg a frame   ({poses.posed} poses, after Sim(3))',
    )
    with_truth = [i for i, depth in enumerate(truth_m) if np.isfinite(depth).any()]
    places = np.linspace(0, len(with_truth) - 1, PICTURES).round().astype(int)
    start_ns = clip[0].frame.stamp_ns
    rows = [
        Row((stamps[i] - start_ns) / 1e9, out[i].frame.rgb, depth_m[i], truth_m[i])
        for i in np.array(with_truth)[places]
    ]
    true_positions = np.stack([pose[:3, 3] for pose in true_path])
    draw(rows, aligned_positions(path, true_path), true_positions, '\n'.join(lines[1:]), picture)
    console.print('\n'.join(lines))
    console.print(f'picture: {picture.resolve()}')
