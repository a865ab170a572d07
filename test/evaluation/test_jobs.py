"""Several processes give what one gives, and end when they should."""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import many_jobs
from many_jobs import run
import pytest

import depthsync_ros
from depthsync_ros.core.errors import DepthSyncError, InputError

TIMED = ('seconds_per_frame', 'cpu_seconds_per_frame', 'peak_mb', 'threads', 'processes')
ROOT = Path(depthsync_ros.__file__).parents[1]
TIMEOUT_S = 120


def same_every_time(rows):
    return [{name: v for name, v in row.items() if name not in TIMED} for row in rows]


def test_two_processes_give_the_results_of_one_in_the_same_order(tmp_path) -> None:
    alone, _ = run(tmp_path / 'one', 1)
    together, shown = run(tmp_path / 'two', 2)

    assert same_every_time(together) == same_every_time(alone)
    assert {(row['threads'], row['processes']) for row in together} == {(1, 2)}
    assert shown[-1] == 2 * (10 + 6)


def test_a_job_that_fails_loses_no_other(tmp_path) -> None:
    with pytest.raises(InputError, match='this sequence is damaged'):
        run(tmp_path, 2, many_jobs.failing)

    assert (tmp_path / 'results.jsonl').read_text().count('\n') == 2


def test_a_process_that_is_killed_is_said_so(tmp_path) -> None:
    with pytest.raises(DepthSyncError, match='start again with fewer --jobs'):
        run(tmp_path, 2, many_jobs.dying)


def test_no_process_outlives_a_killed_run(tmp_path) -> None:
    marks = tmp_path / 'marks'
    marks.mkdir()
    environment = os.environ | {'MARKS': str(marks), 'PYTHONPATH': str(ROOT)}
    with subprocess.Popen(
        [sys.executable, many_jobs.__file__, tmp_path / 'out'], env=environment
    ) as process:
        wait_until(lambda: len(list(marks.iterdir())) == 2 or process.poll() is not None)
        process.send_signal(signal.SIGKILL)

    assert process.returncode == -signal.SIGKILL
    workers = [int(mark.name) for mark in marks.iterdir()]
    assert len(workers) == 2
    wait_until(lambda: not any(alive(worker) for worker in workers))


def wait_until(true):
    deadline = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def alive(pid):
    """Say whether a process runs; one that nobody has buried does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False
