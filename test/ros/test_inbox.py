"""The bounded queue: order, oldest dropped, nobody left waiting."""

from hypothesis import given
from hypothesis import strategies as st

from depthsync_ros.ros.inbox import Command, Inbox


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 10))
def test_what_goes_in_comes_out_in_order_or_is_handed_back(is_command, capacity) -> None:
    inbox: Inbox[int] = Inbox(capacity)
    handed_back, commands = [], []
    for number, command in enumerate(is_command):
        if command:
            commands.append(Command(str(number)))
            assert inbox.put_command(commands[-1])
        else:
            handed_back.append(inbox.put(number))

    left = inbox.close()
    frames = [item for item in left if not isinstance(item, Command)]
    dropped = [number for number in handed_back if number is not None]
    sent = [number for number, command in enumerate(is_command) if not command]
    assert dropped + frames == sent  # the oldest went first, nothing twice
    assert len(frames) == min(capacity, len(sent))
    assert [item for item in left if isinstance(item, Command)] == commands


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

    assert inbox.put(7) == 7
    assert not inbox.put_command(Command('flush'))
    assert inbox.get() is None


def test_whoever_asked_gets_the_answer() -> None:
    command = Command('flush')

    command.answer('12 frames', success=True)

    assert command.wait() == (True, '12 frames')
