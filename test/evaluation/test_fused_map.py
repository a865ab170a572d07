"""
A map fused by a consumer that knows depth, camera_info and tf alone, held against the true one.

    pytest -s -m slow test/evaluation/test_fused_map.py
"""

from collections.abc import Iterator
import importlib.util
import os
from pathlib import Path
import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the example is a ROS node')

from depthsync_ros.bags.folder import FolderJob, import_folder
from depthsync_ros.bags.process import BagJob, DEPTH, DEPTH_INFO, process_bag, TF
from depthsync_ros.bags.storage import BagReader, BagVocabulary
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.evaluation.fusion import map_distances, true_cloud
from depthsync_ros.evaluation.strategies import strategy_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('DEPTHSYNC_DATA', ROOT.parent / 'shared' / 'data'))
KITCHEN = DATA / '7scenes_redkitchen'
FRAMES = int(os.environ.get('DEPTHSYNC_FRAMES', '600'))
FPS = 30.0


@pytest.fixture(scope='module')
def consumer() -> ModuleType:
    spec = importlib.util.spec_from_file_location('fuse', ROOT / 'examples' / 'fuse.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not KITCHEN.is_dir():
        pytest.skip(f'{KITCHEN} is not here; set DEPTHSYNC_DATA')
    path = tmp_path_factory.mktemp('kitchen') / 'kitchen'
    import_folder(FolderJob(KITCHEN, path))
    return path


def heard(bag: Path) -> Iterator[tuple[str, object]]:
    """Give what a subscriber of the three topics would hear."""
    words = BagVocabulary()
    with BagReader(bag) as reader:
        for message in reader.messages([DEPTH, DEPTH_INFO, TF]):
            yield message.topic, words.deserialize(message.data, message.msgtype)


def fuse(consumer: ModuleType, bag: Path):
    cloud, depth = consumer.Cloud(0.01, 4), None
    for topic, message in heard(bag):
        if topic == TF:
            cloud.add_tf(message)
        elif topic == DEPTH:
            depth = message
        else:
            cloud.add_depth(depth, message)
    return cloud


def median_cm(cloud) -> tuple[float, float, float]:
    (video,) = open_folder(KITCHEN)
    true = [video.read(index) for index in range(min(FRAMES, len(video)))]
    truth = true_cloud([t.depth_m for t in true], [t.world_T_cam for t in true], video.camera)
    place = {divmod(t.frame.stamp_ns, 10**9): t.world_T_cam[:3, 3] for t in true}
    posed = [stamp for stamp in cloud.cam_T_world if stamp in place]
    path = np.stack([np.linalg.inv(cloud.cam_T_world[stamp])[:3, 3] for stamp in posed])
    distances, _ = map_distances(
        cloud.points, path, np.stack([place[stamp] for stamp in posed]), truth
    )
    return tuple(100.0 * np.percentile(distances, (50, 25, 75)))


def test_the_map_is_told_for_the_defaults_and_the_baseline(
    remembering, consumer: ModuleType, kitchen: Path, tmp_path: Path
) -> None:
    defaults = DepthSyncSettings()
    error_cm = {}
    for name, settings in {
        'defaults': defaults,
        'baseline': strategy_settings(defaults, 'baseline'),
    }.items():
        job = BagJob(kitchen, tmp_path / name, results_only=True, duration_s=FRAMES / FPS)
        tally = process_bag(job, Pipeline(remembering, settings), lambda _: None)
        cloud = fuse(consumer, tmp_path / name)
        error_cm[name], near, far = median_cm(cloud)
        sys.stderr.write(
            f'\n{name}: {tally.frames_out} depth images, {cloud.frames} fused, '
            f'{len(cloud.points)} points; distance to the truth {error_cm[name]:.1f} cm median, '
            f'{near:.1f} to {far:.1f} cm quartiles, up to one scale\n'
        )
        assert cloud.frames == tally.posed > 0

    assert max(error_cm.values()) < 50.0, 'a kitchen is five metres wide'
