"""Memory of the bag tool over a long video."""

import os
from pathlib import Path
import sys

import numpy as np
import pytest

from depthsync_ros.bags.process import BagJob, process_bag, Tally
from depthsync_ros.bags.storage import BagWriter
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.messages import Messages
from depthsync_ros.models.load import load_backbone

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('DEPTHSYNC_DATA', ROOT.parent / 'shared' / 'data'))
KITCHEN = DATA / '7scenes_redkitchen'
FRAMES, FROM, STRIDE = 1500, 150, 15
PER_FRAME_BYTES = 10_000
STEPS_BYTES = 100e6  # altogether: an allocator that keeps what was freed grows in steps


def write_long_bag(target: Path) -> None:
    """Repeat the kitchen's frames, with stamps that go on rising."""
    (video,) = open_folder(KITCHEN)
    with BagWriter(target, 'mcap') as out:
        make = Messages(out.words)
        image = out.add('/camera/image_raw', 'sensor_msgs/msg/Image')
        info = out.add('/camera/camera_info', 'sensor_msgs/msg/CameraInfo')
        for number in range(FRAMES):
            frame = video.read(number % len(video)).frame
            stamp_ns = 1_000_000_000 + number * 33_333_333
            calibration = make.camera_info(stamp_ns, 'camera', frame.camera)
            out.write(info, stamp_ns, calibration)
            out.write(image, stamp_ns, make.image(stamp_ns, 'camera', 'rgb8', frame.rgb))


def resident_bytes() -> int:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


def test_memory_does_not_grow_with_the_video(tmp_path: Path) -> None:
    if not KITCHEN.is_dir():
        pytest.skip(f'{KITCHEN} is not here; set DEPTHSYNC_DATA')
    write_long_bag(tmp_path / 'long')
    settings = with_values(DepthSyncSettings(), {'model.threads': 1})
    pipeline = Pipeline(load_backbone(settings.model), settings)
    resident: dict[int, int] = {}

    def measure(tally: Tally) -> None:
        resident[tally.frames_in] = resident_bytes()

    process_bag(BagJob(tmp_path / 'long', tmp_path / 'out'), pipeline, measure)

    count = np.arange(FROM, FRAMES + 1, STRIDE)
    at = np.array([resident[number] for number in count.tolist()])
    growth = slope(count, at)
    marks = {number: round(resident[number] / 1e6) for number in (150, 300, 600, 900, 1200, 1500)}
    sys.stderr.write(f'\nMB at frame: {marks}; {growth / 1e3:.2f} KB a frame\n')
    assert growth < PER_FRAME_BYTES
    assert at[-1] - at[0] < STEPS_BYTES


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Give the median slope of all pairs: what leaks rises in all of them, a step in some."""
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
