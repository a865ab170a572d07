import sys

import pytest

from depthsync_ros.bags.process import Tally
from depthsync_ros.cli import progress
from depthsync_ros.cli.progress import ProgressBar, ProgressLines, show_progress


def test_lines_come_every_ten_seconds_with_rate_and_time_left(capsys) -> None:
    now_s = [0.0]
    lines = ProgressLines(lambda: now_s[0])

    with lines:
        for frame in range(1, 31):
            now_s[0] = float(frame)
            lines(Tally(frames_expected=60, frames_in=frame, windows=frame // 8))

    assert capsys.readouterr().err.splitlines() == [
        'depthsync: 10/60 frames, 1 windows, 1.00 frames/s, 50 s left',
        'depthsync: 20/60 frames, 2 windows, 1.00 frames/s, 40 s left',
        'depthsync: 30/60 frames, 3 windows, 1.00 frames/s, 30 s left',
    ]


def test_lines_without_a_known_end_leave_the_rest_out(capsys) -> None:
    now_s = [0.0]
    lines = ProgressLines(lambda: now_s[0])
    now_s[0] = 10.0

    lines(Tally(frames_in=5))

    assert capsys.readouterr().err == 'depthsync: 5 frames, 0 windows, 0.50 frames/s\n'


def test_before_the_first_frame_nothing_is_said(capsys) -> None:
    now_s = [0.0]
    lines = ProgressLines(lambda: now_s[0], unit='results')
    now_s[0] = 15.0

    lines(Tally(frames_expected=20))
    lines(Tally(frames_expected=20, frames_in=3))

    assert capsys.readouterr().err == (
        'depthsync: 3/20 frames, 0 results, 0.20 frames/s, 85 s left\n'
    )


def test_a_terminal_gets_a_bar_and_a_pipe_gets_lines(monkeypatch) -> None:
    assert isinstance(show_progress(), ProgressLines)
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)

    assert isinstance(show_progress(), ProgressBar)


def test_the_bar_shows_frames_and_windows_on_stderr(monkeypatch, capsys) -> None:
    pytest.importorskip('rich')
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '120')
    monkeypatch.setenv('FORCE_COLOR', '1')
    assert progress.LINE_INTERVAL_S == 10.0

    with ProgressBar() as bar:
        bar(Tally(frames_expected=60, frames_in=15, windows=2))

    seen = capsys.readouterr()
    assert seen.out == ''
    assert '15/60' in seen.err
    assert '2 windows' in seen.err
