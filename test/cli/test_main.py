import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
from synthetic import camera_rows, robot_rows, write_rows

from depthsync_ros.bags.storage import BagReader
from depthsync_ros.cli.main import main
import depthsync_ros.core

FAKED = Path(__file__).with_name('faked.py')
ROOT = Path(depthsync_ros.core.__file__).parents[2]
TIMEOUT_S = 120


def environment():
    paths = [str(ROOT), str(Path(__file__).parents[1] / 'bags')]
    return os.environ | {'PYTHONPATH': os.pathsep.join(paths)}


def start(*words, delay_s=0.0):
    return subprocess.Popen(
        [sys.executable, FAKED, str(delay_s), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def run(*words):
    with start(*words) as process:
        out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_help_imports_nothing_heavy() -> None:
    heavy = ('torch', 'numpy', 'cv2', 'rosbags', 'rich', 'yaml', 'rclpy', 'diffusers')
    code = (
        'import sys\n'
        'from depthsync_ros.cli.main import build_parser\n'
        'build_parser().format_help()\n'
        f'print([name for name in {heavy} if name in sys.modules])\n'
    )

    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=TIMEOUT_S,
        check=True,
    )

    assert done.stdout == '[]\n'


@pytest.mark.parametrize(
    'words', [[], ['nonsense'], ['bag', 'in'], ['bag', 'in', 'out', '--window.length', 'x'],
              ['bag', 'in', 'out', '--storage', 'x'], ['bag', 'in', 'out', '--poses.derive', '1'],
              ['bag', 'in', 'out', '--window.len', '3']]
)  # fmt: skip
def test_wrong_usage_exits_with_2(words, capsys) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(words)

    assert exit_info.value.code == 2
    assert 'usage: depthsync' in capsys.readouterr().err


def test_an_error_is_one_line_and_exits_with_1(tmp_path) -> None:
    status, out, err = run('bag', tmp_path / 'nowhere', tmp_path / 'out')

    assert (status, out) == (1, '')
    assert err.startswith('depthsync: ')
    assert 'nowhere does not exist' in err
    assert err.count('\n') == 1


def test_a_bag_becomes_a_bag_with_depth_and_a_summary(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(10))

    status, out, err = run('bag', source, tmp_path / 'out')

    assert (status, err) == (0, '')
    assert '10 frames in, 10 depth out, 0 dropped, 9 with a pose, 3 windows' in out
    assert 'seconds: 45.0 (encode 3.0, denoise 6.0, decode 9.0, align 12.0, pose 15.0)' in out
    assert 'not metres' in out
    assert 'note: a note' in out
    with BagReader(tmp_path / 'out') as bag:
        assert '/depthsync/depth' in {topic.name for topic in bag.topics}


def wait_for_unfinished(process, folder):
    """Wait until the command writes; it would need minutes to end."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not list(folder.glob('.out.unfinished-*/out/*')):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, 'the command never began to write'
        time.sleep(0.05)
    time.sleep(0.5)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize(('sent', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_removes_the_unfinished_output(tmp_path, storage, sent, status) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(100), storage)

    with start('bag', source, tmp_path / 'out', delay_s=1.0) as process:
        wait_for_unfinished(process, tmp_path)
        process.send_signal(sent)
        out, err = process.communicate(timeout=TIMEOUT_S)

    assert (process.returncode, out) == (status, '')
    assert 'Traceback' not in err
    assert names(tmp_path) == ['in']


def test_a_killed_run_leaves_nothing_that_looks_finished(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(100))

    with start('bag', source, tmp_path / 'out', delay_s=1.0) as process:
        wait_for_unfinished(process, tmp_path)
        process.kill()

    assert not (tmp_path / 'out').exists()
    left = [name for name in names(tmp_path) if name != 'in']
    assert left
    assert all(name.startswith('.out.unfinished-') for name in left)
    assert not list(tmp_path.glob('.out.unfinished-*/out/metadata.yaml'))
