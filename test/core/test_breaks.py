"""Where the video breaks, one run ends whole and the next is as if nothing had been before it."""

from dataclasses import replace

from backbones import FakeBackbone, LENGTH
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from streams import assert_same, CAMERA, frame, indices, PERIOD_NS, pipeline, run, together

from depthsync_ros.core.breaks import find_break
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.frames import Frame, Output

SECOND_NS = 1_000_000_000
LONGEST_S = 5.0


def stamped(index: int, stamp_ns: int) -> Frame:
    return replace(frame(index), stamp_ns=stamp_ns)


def parts_of(lengths: list[int], steps_s: list[float]) -> list[list[Frame]]:
    """Make stretches of video, each that many seconds after (or before) the end of the last."""
    parts, stamp_ns, index = [], 100 * SECOND_NS, 0
    for length, step_s in zip(lengths, steps_s, strict=True):
        stamp_ns += round(step_s * SECOND_NS)
        parts.append([stamped(index + i, stamp_ns + i * PERIOD_NS) for i in range(length)])
        stamp_ns, index = parts[-1][-1].stamp_ns, index + length
    return parts


@given(st.lists(st.integers(1, 15), min_size=2, max_size=4), st.data())
@settings(max_examples=25, deadline=None)
def test_runs_on_both_sides_of_a_break_are_those_of_either_alone(lengths, data) -> None:
    break_s = st.one_of(st.floats(5.01, 1e4), st.floats(-20.0, -1.01))
    parts = parts_of(lengths, [data.draw(break_s) for _ in lengths])

    done = run(pipeline(FakeBackbone(noise_share=0.1)), [one for part in parts for one in part])

    alone = together([run(pipeline(FakeBackbone(noise_share=0.1)), part) for part in parts])
    assert_same(done, alone)
    assert not done.dropped
    assert [one.index for one in done.reports] == [one.index for one in alone.reports]
    opened = [any('a new run' in note for note in one.notes) for one in done.reports]
    assert opened == [one.index == 0 and number > 0 for number, one in enumerate(done.reports)]


@pytest.mark.parametrize(
    ('step_s', 'longest_s', 'why'),
    [
        (4.99, LONGEST_S, ''),
        (5.01, LONGEST_S, '5.0 s without a frame, longer than window.longest_gap'),
        (1e6, 0.0, ''),
        (-1.01, 0.0, 'time jumped back by 1.0 s'),
    ],
)
def test_a_break_is_a_gap_or_a_jump(step_s, longest_s, why) -> None:
    last, following = stamped(0, 10**12), stamped(1, 10**12 + round(step_s * SECOND_NS))

    assert find_break(last, following, longest_s) == why


@pytest.mark.parametrize('step_s', [0.0, -0.5, -1.0])
def test_a_late_frame_is_no_break(step_s: float) -> None:
    with pytest.raises(InputError, match='stamps must rise'):
        find_break(stamped(0, 10**12), stamped(1, 10**12 + round(step_s * SECOND_NS)), LONGEST_S)


def test_frames_before_a_break_leave_with_the_frame_that_shows_it() -> None:
    running = pipeline()
    before = [running.push(frame(index)) for index in range(LENGTH + 1)]

    shown = running.push(stamped(LENGTH + 1, 100 * SECOND_NS))

    assert indices(together([*before, shown]).frames) == list(range(LENGTH + 1))
    assert running.pending == 1


def test_another_calibration_is_a_break_and_its_frames_have_it() -> None:
    zoomed = replace(CAMERA, fx=27.0)
    frames = [frame(index) for index in range(9)]
    frames += [replace(frame(index), camera=zoomed) for index in range(9, 14)]

    done = run(pipeline(), frames)

    assert [one.camera for one in done.frames] == [CAMERA] * 9 + [zoomed] * 5
    assert [one.index for one in done.frames] == [*range(9), *range(5)]
    assert any('the calibration changed' in note for one in done.reports for note in one.notes)


def test_a_longer_gap_may_be_allowed_between_two_windows() -> None:
    running = pipeline()
    running.push(frame(0))
    running.settings = pipeline(window__longest_gap=0.0).settings

    assert running.push(stamped(1, 100 * SECOND_NS)) == Output()
    assert running.pending == 2
