"""The bounded queue: order, oldest dropped, nobody left waiting."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
import pytest

from depthsync_ros.ros.inbox import Command, Inbox


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 10))
def test_the_oldest_goes_where_the_queue_is_full(is_command, capacity) -> None:
    inbox: Inbox[int] = Inbox(capacity)
    handed_back, commands = [], []
    for number, command in enumerate(is_command):
        if command:
            commands.append(Command(str(number)))
            assert inbox.put_command(commands[-1])
        else:
            handed_back += inbox.put(number)

    left = inbox.close()
    frames = [item for item in left if not isinstance(item, Command)]
    sent = [number for number, command in enumerate(is_command) if not command]
    assert handed_back + frames == sent  # the oldest went first, nothing twice
    assert len(frames) == min(capacity, len(sent))
    assert [item for item in left if isinstance(item, Command)] == commands


ACTIONS = st.lists(st.sampled_from(['put'] * 3 + ['get', 'command']), max_size=200)


@given(ACTIONS, st.integers(1, 10), st.booleans())
def test_everything_comes_out_once_in_order_or_is_handed_back(actions, capacity, thin) -> None:
    inbox: Inbox[int] = Inbox(capacity, thin=thin)
    put, got, handed_back, commands = 0, [], [], []
    for action in actions:
        if action == 'put':
            handed_back += inbox.put(put)
            put += 1
        elif action == 'command':
            commands.append(Command(str(put)))
            inbox.put_command(commands[-1])
        elif len(inbox):
            got.append(inbox.get())
        assert len(inbox) <= capacity

    out = [*got, *inbox.close()]
    frames = [item for item in out if not isinstance(item, Command)]
    assert frames == sorted(frames)
    assert sorted(frames + handed_back) == list(range(put))
    assert [item for item in out if isinstance(item, Command)] == commands


def read_in_bursts(inbox: Inbox[int], per_burst: int, burst: int, bursts: int) -> list[int]:
    """Offer frames at an even rate to a reader that takes a burst, computes, takes the next."""
    read: list[int] = []
    wanted = burst
    for offered in range(per_burst * bursts):
        inbox.put(offered)
        if offered % per_burst == 0:
            wanted = burst  # a window is done
        while wanted and len(inbox):
            read.append(inbox.get())
            wanted -= 1
        if wanted:
            inbox._ease()  # what get does before it waits
    return read


@pytest.mark.parametrize('times_too_fast', [2, 3, 5, 16, 30])
def test_thinning_keeps_the_video_evenly_spaced_and_the_reader_busy(times_too_fast) -> None:
    burst, bursts = 16, 60
    inbox: Inbox[int] = Inbox(48, thin=True)

    read = read_in_bursts(inbox, burst * times_too_fast, burst, bursts)

    settled = read[len(read) // 4 :]
    steps = [b - a for a, b in pairwise(settled)]
    assert max(steps) <= 4 * times_too_fast, 'no stretch is lost'
    changes = sum(a != b for a, b in pairwise(steps))
    assert changes <= len(steps) / 8, 'the spacing rarely changes'
    assert len(read) >= 0.9 * burst * bursts, 'the reader had something to do'


def test_all_frames_are_taken_again_once_the_reader_keeps_up() -> None:
    inbox: Inbox[int] = Inbox(8, thin=True)
    for number in range(100):
        inbox.put(number)
    assert inbox.step > 4

    for number in range(100, 600):
        inbox.put(number)
        while len(inbox):
            inbox.get()
        inbox._ease()  # what get does before it waits

    assert inbox.step == 1
    assert inbox.put(600) == []


def test_a_command_keeps_its_place_among_the_frames() -> None:
    inbox: Inbox[int] = Inbox(5)
    command = Command('flush')
    inbox.put(1)
    inbox.put_command(command)
    inbox.put(2)

    assert [inbox.get(), inbox.get(), inbox.get()] == [1, command, 2]


def test_a_closed_inbox_takes_nothing_and_ends_its_reader() -> None:
    inbox: Inbox[int] = Inbox(5)
    inbox.close()

    assert inbox.put(7) == [7]
    assert not inbox.put_command(Command('flush'))
    assert inbox.get() is None


def test_whoever_asked_gets_the_answer() -> None:
    command = Command('flush')

    command.answer('12 frames', success=True)

    assert command.wait() == (True, '12 frames')
