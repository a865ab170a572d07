"""A real video through the live node and the bag tool: every frame once, the same bits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import threading
import time

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
FLAT_MB = 150  # between the run's halves: the queue and a window of images, and the allocator
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


@dataclass(frozen=True)
class Offline:
    """
    What the bag tool made of the accepted images.

    Units: frames_per_s of wall time, the model's loading left out.
    """

    depth: dict[int, bytes]
    frames_per_s: float


def through_bag_tool(source: Path, accepted_ns: set[int], folder: Path) -> Offline:
    """Copy the accepted images into a bag and run the bag tool over it."""
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
    start = time.monotonic()
    process_bag(BagJob(chosen, result, results_only=True), pipeline, lambda _: None)
    took_s = time.monotonic() - start
    with BagReader(result) as reader:
        words = BagVocabulary()
        images = [
            words.deserialize(message.data, message.msgtype)
            for message in reader.messages([DEPTH])
        ]
    depth = {nanoseconds(image.header.stamp): image.data.tobytes() for image in images}
    return Offline(depth, len(depth) / took_s)


class Memory:
    """Resident memory of the node's process, MB, once a second, and when it was busy."""

    def __init__(self) -> None:
        self.samples_mb: list[float] = []
        self._done = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the node that `play` starts."""
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        try:
            yield
        finally:
            self._done.set()
            watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(1.0):
            self.samples_mb += [mb for mb in map(resident_mb, node_processes()) if mb]


def node_processes() -> list[Path]:
    """Find our children that are nodes."""
    found = []
    for task in Path('/proc/self/task').iterdir():
        for child in (task / 'children').read_text().split():
            command = Path('/proc', child, 'cmdline')
            if command.exists() and b'depthsync_ros.ros.main' in command.read_bytes():
                found.append(command.parent)
    return found


def resident_mb(process: Path) -> float:
    lines = (process / 'status').read_text().splitlines()
    resident = [line.split()[1] for line in lines if line.startswith('VmRSS')]
    return int(resident[0]) / 1024 if resident else 0.0


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
    assert list(offline.depth) == stamps
    different = [ns for ns in stamps if recording.depth[ns].tobytes() != offline.depth[ns]]
    assert not different, f'{len(different)} of {len(stamps)} depth images differ'
    say_how_good(recording, read_ply(cloud), tmp_path)


@pytest.mark.parametrize('overload', ['drop_oldest', 'stride'])
def test_at_30_hz_the_counts_add_up_and_the_accepted_frames_give_the_same_bits(
    bag: Path, tmp_path: Path, overload: str
) -> None:
    frames = frames_of(bag)
    node = {**NODE, 'input.queue_frames': 48, 'input.overload': overload}

    memory = Memory()
    recording = play(frames, node, rate_hz=30.0, log=tmp_path / 'node.log', beside=memory.watching)

    assert len(recording.order_ns) + recording.dropped == len(frames), recording.flushed
    assert recording.dropped > 0, 'the machine kept up: this run tells nothing about dropping'
    accepted = set(recording.order_ns)
    offline = through_bag_tool(bag, accepted, tmp_path)
    assert list(offline.depth) == recording.order_ns == sorted(accepted)
    assert all(recording.depth[ns].tobytes() == offline.depth[ns] for ns in accepted)
    ratio = recording.frames_per_s / offline.frames_per_s
    half = len(memory.samples_mb) // 2
    early, late = max(memory.samples_mb[half // 2 : half]), max(memory.samples_mb[half:])
    sys.stderr.write(
        f'\n30 Hz, {overload}: {len(accepted)} out, {recording.dropped} dropped; '
        f'{recording.frames_per_s:.2f} frames/s, {ratio:.0%} of the bag tool; '
        f'{early:.0f} MB early, {late:.0f} MB late\n'
    )
    assert ratio >= 0.8
    assert late - early < FLAT_MB


def test_an_interrupt_in_the_middle_of_a_window_ends_the_node(bag: Path, tmp_path: Path) -> None:
    log = tmp_path / 'node.log'
    with pytest.raises(Interrupted):
        play(interrupted(frames_of(bag)[:40]), NODE, rate_hz=30.0, log=log)

    said = [line for line in log.read_text().splitlines() if 'inactive: ' in line]
    assert len(said) == 1, log.read_text()
    numbers = [
        int(number) for number in re.findall(r'(\d+) (?:images|published|dropped)', said[0])
    ]
    images, published, dropped = numbers
    assert images == published + dropped
    assert 'deactivated' in said[0]
    assert 'Traceback' not in log.read_text()


class Interrupted(Exception):
    """The camera's end of the test is over."""


def interrupted(frames: list[Frame]) -> Iterator[Frame]:
    """Give the frames, then leave: the node gets its SIGINT while it computes the first window."""
    yield from frames
    raise Interrupted


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
