"""`depthsync view`: what a tiny result bag becomes in a rerun recording."""

import importlib.util
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest
from synthetic import camera_rows, depth_of, FakePipeline, ignore, pose_of, rgb_of, write_rows

from depthsync_ros.bags.frames import CameraChoice
from depthsync_ros.bags.process import BagJob, process_bag
from depthsync_ros.bags.results import read_results
from depthsync_ros.cli import view
from depthsync_ros.cli.main import main

N = 10
with_rerun = pytest.mark.skipif(
    importlib.util.find_spec('rerun') is None, reason='rerun-sdk is not installed here'
)


@pytest.fixture(scope='module')
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('view')
    source = write_rows(folder / 'in', camera_rows(N))
    process_bag(BagJob(source, folder / 'out'), FakePipeline(), ignore)
    return folder / 'out'


def test_every_frame_of_a_result_bag_comes_with_its_depth_and_pose(result: Path) -> None:
    frames = list(read_results(result, CameraChoice()))

    assert len(frames) == N
    for number, one in enumerate(frames):
        np.testing.assert_array_equal(one.frame.rgb, rgb_of(number))
        np.testing.assert_array_equal(one.depth, depth_of(rgb_of(number)))
        if pose_of(number) is None:
            assert one.world_T_cam is None
        else:
            # Through a quaternion and back: some double roundings.
            np.testing.assert_allclose(one.world_T_cam, pose_of(number), atol=1e-12)


@with_rerun
def test_reruns_own_reader_finds_images_depth_points_and_path(
    result: Path, tmp_path: Path
) -> None:
    file = tmp_path / 'result.rrd'

    assert main(['view', str(result), '--save', str(file)]) == 0

    command = [sys.executable, '-m', 'rerun', 'rrd', 'print', '-vv', str(file)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for entity in ('image/rgb', 'image/depth'):
        assert f'/world/camera/{entity}' in printed
    for entity in ('/world/points', '/world/path', '/world/camera'):
        assert entity in printed
    assert 'stamp' in printed


def test_a_bag_without_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(N))

    status = main(['view', str(source), '--save', str(tmp_path / 'a.rrd')])

    said = capsys.readouterr().err
    assert status == 1
    assert 'depthsync' in said
    if importlib.util.find_spec('rerun') is not None:
        assert 'holds no /depthsync/depth' in said
        assert not (tmp_path / 'a.rrd').exists()


def test_missing_rerun_is_one_sentence_with_the_command(
    result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, 'rerun', None)

    assert main(['view', str(result)]) == 1

    assert capsys.readouterr().err == f'depthsync: {view.MISSING}\n'


@with_rerun
def test_an_existing_file_is_not_replaced(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / 'result.rrd'
    file.write_bytes(b'mine')

    assert main(['view', str(result), '--save', str(file)]) == 1

    assert 'exists; choose another name' in capsys.readouterr().err
    assert file.read_bytes() == b'mine'
