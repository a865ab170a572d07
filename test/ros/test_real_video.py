"""A real video through the live node and the bag tool: every frame once, the same bits."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess
import sys

from matplotlib.figure import Figure
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from depthsync_ros.bags.folder import FolderJob, import_folder
from depthsync_ros.bags.frames import CameraChoice, find_camera, read_frames
from depthsync_ros.bags.process import BagJob, DEPTH, process_bag
from depthsync_ros.bags.storage import BagReader, BagVocabulary, BagWriter
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.evaluation.fusion import map_distances, true_cloud
from depthsync_ros.messages import nanoseconds
from depthsync_ros.models.load import load_backbone
from depthsync_ros.ros.live import play, Recording

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('DEPTHSYNC_DATA', ROOT.parent / 'shared' / 'data'))
KITCHEN = DATA / '7scenes_redkitchen'
SETTINGS = {'model.threads': 1}
NODE = {**SETTINGS, 'input.reliability': 'reliable', 'input.history': 2000}
PATIENT = {**NODE, 'input.queue_frames': 1000}  # a rate above the machine's only waits
RATE_HZ = float(os.environ.get('DEPTHSYNC_RATE_HZ', '3'))  # that the machine sustains
FRAMES = int(os.environ.get('DEPTHSYNC_FRAMES', '600'))


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not KITCHEN.is_dir():
        pytest.skip(f'{KITCHEN} is not here; set DEPTHSYNC_DATA')
    path = tmp_path_factory.mktemp('kitchen') / 'kitchen'
    import_folder(FolderJob(KITCHEN, path))
    return path


def frames_of(bag: Path) -> list[Frame]:
    with BagReader(bag) as reader:
        camera = find_camera(reader, CameraChoice(), BagVocabulary())
        return [frame for _, frame in read_frames(reader, camera)][:FRAMES]


def through_bag_tool(source: Path, accepted_ns: set[int], folder: Path) -> dict[int, bytes]:
    """Copy the accepted images into a bag, run the bag tool over it, give the depth's bytes."""
    chosen, result = folder / 'chosen', folder / 'result'
    with BagReader(source) as reader, BagWriter(chosen, 'mcap') as writer:
        for connection in reader.connections:
            writer.add_copy(connection)
        for message in reader.messages(()):
            stamped = writer.words.deserialize(message.data, message.msgtype)
            if nanoseconds(stamped.header.stamp) in accepted_ns:
                writer.copy(message)
    settings = with_values(DepthSyncSettings(), SETTINGS)
    pipeline = Pipeline(load_backbone(settings.model), settings)
    process_bag(BagJob(chosen, result, results_only=True), pipeline, lambda _: None)
    with BagReader(result) as reader:
        words = BagVocabulary()
        images = [
            words.deserialize(message.data, message.msgtype)
            for message in reader.messages([DEPTH])
        ]
    return {nanoseconds(image.header.stamp): image.data.tobytes() for image in images}


@contextmanager
def fusing(cloud: Path) -> Iterator[None]:
    """Run the example consumer beside the node, in the domain that `play` has chosen."""
    command = [sys.executable, str(ROOT / 'examples' / 'fuse.py'), '--out', str(cloud)]
    command += ['--ros-args', '-r', 'depth:=/depthsync/depth']
    command += ['-r', 'depth/camera_info:=/depthsync/depth/camera_info']
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60.0)


def test_a_sustained_rate_loses_nothing_and_gives_the_bag_tool_s_bits(
    bag: Path, tmp_path: Path
) -> None:
    frames = frames_of(bag)
    assert len(frames) == FRAMES
    cloud = tmp_path / 'cloud.ply'

    recording = play(
        frames, PATIENT, rate_hz=RATE_HZ, log=tmp_path / 'node.log', beside=lambda: fusing(cloud)
    )

    stamps = [frame.stamp_ns for frame in frames]
    assert recording.dropped == 0, recording.flushed
    assert recording.order_ns == stamps, 'each once, in order'
    offline = through_bag_tool(bag, set(stamps), tmp_path)
    assert list(offline) == stamps
    different = [stamp for stamp in stamps if recording.depth[stamp].tobytes() != offline[stamp]]
    assert not different, f'{len(different)} of {len(stamps)} depth images differ'
    say_how_good(recording, read_ply(cloud), tmp_path)


def test_at_30_hz_the_counts_add_up_and_the_accepted_frames_give_the_same_bits(
    bag: Path, tmp_path: Path
) -> None:
    frames = frames_of(bag)
    node = {**NODE, 'input.queue_frames': 48}

    recording = play(frames, node, rate_hz=30.0, log=tmp_path / 'node.log')

    assert len(recording.order_ns) + recording.dropped == len(frames), recording.flushed
    assert recording.dropped > 0, 'the machine kept up: this run tells nothing about dropping'
    accepted = set(recording.order_ns)
    offline = through_bag_tool(bag, accepted, tmp_path)
    assert list(offline) == recording.order_ns == sorted(accepted)
    assert all(recording.depth[stamp].tobytes() == offline[stamp] for stamp in accepted)
    sys.stderr.write(f'\n30 Hz: {len(accepted)} out, {recording.dropped} dropped\n')


def say_how_good(recording: Recording, cloud: np.ndarray, folder: Path) -> None:
    """Print the fused cloud's distance to the true one, up to one scale, and draw it."""
    (video,) = open_folder(KITCHEN)
    true = [video.read(index) for index in range(len(recording.order_ns))]
    truth = true_cloud([t.depth_m for t in true], [t.world_T_cam for t in true], video.camera)
    posed = [i for i, ns in enumerate(recording.order_ns) if ns in recording.world_T_cam]
    ours = np.stack([recording.world_T_cam[recording.order_ns[i]][:3, 3] for i in posed])
    true_path = np.stack([true[i].world_T_cam[:3, 3] for i in posed])
    distances, placed = map_distances(cloud, ours, true_path, truth)
    near, median, far = np.percentile(distances, (25, 50, 75))
    sys.stderr.write(
        f'\nfused cloud: {len(cloud)} points of {len(posed)} posed frames; distance to the truth '
        f'{100 * median:.1f} cm median, {100 * near:.1f} to {100 * far:.1f} cm quartiles\n'
    )
    draw_clouds(placed, truth, folder / 'clouds.png')
    sys.stderr.write(f'picture: {folder / "clouds.png"}\n')


def draw_clouds(ours: np.ndarray, truth: np.ndarray, file: Path) -> None:
    figure = Figure(figsize=(14, 6), layout='constrained')
    sides = ((ours, 'fused'), (truth, 'truth'))
    for axes, (points, name) in zip(figure.subplots(1, 2), sides, strict=True):
        thin = points[:: max(1, len(points) // 60000)]
        axes.scatter(thin[:, 0], thin[:, 2], c=thin[:, 1], s=0.3, cmap='viridis')
        axes.set(title=name, aspect='equal', xlabel='x [m]', ylabel='z [m]')
    low, high = np.percentile(truth[:, [0, 2]], (0.5, 99.5), axis=0)
    for axes in figure.axes:
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    figure.savefig(file, dpi=80)


def read_ply(file: Path) -> np.ndarray:
    _, _, body = file.read_bytes().partition(b'end_header\n')
    return np.frombuffer(body, '<f4').reshape(-1, 3).astype(np.float64)
