"""Cutting a stream into windows."""

from hypothesis import given
from hypothesis import strategies as st

from depthsync_ros.core.windows import Window, WindowBuffer

SIZES = st.integers(2, 12).flatmap(
    lambda length: st.tuples(st.just(length), st.integers(1, length - 1))
)


def cut(n_items: int, length: int, overlap: int, flushes: set[int]) -> list[Window[int]]:
    buffer: WindowBuffer[int] = WindowBuffer(length, overlap)
    windows = []
    for item in range(n_items):
        windows.append(buffer.push(item))
        if item in flushes:
            windows.append(buffer.flush())
    return [window for window in [*windows, buffer.flush()] if window]


@given(SIZES, st.integers(0, 60), st.sets(st.integers(0, 60), max_size=4))
def test_every_item_is_new_exactly_once_and_in_order(size, n_items, flushes) -> None:
    windows = cut(n_items, *size, flushes)

    assert [item for window in windows for item in window.new] == list(range(n_items))


@given(SIZES, st.integers(0, 60), st.sets(st.integers(0, 60), max_size=4))
def test_windows_overlap_enough_and_are_full(size, n_items, flushes) -> None:
    length, overlap = size

    for window in cut(n_items, length, overlap, flushes):
        seen = window.items[-1] + 1  # items that had come by then
        assert window.items == tuple(range(seen - len(window.items), seen))
        assert len(window.items) == min(length, seen), 'a window with items to spare is full'
        assert window.known >= min(overlap, seen - len(window.new))
        assert window.new, 'a window that adds nothing is wasted'


def test_sixteen_frames_in_windows_of_six_with_two_shared() -> None:
    windows = cut(16, 6, 2, set())

    assert [window.items[0] for window in windows] == [0, 4, 8, 10]
    assert [window.known for window in windows] == [0, 2, 2, 4]


def test_fewer_items_than_a_window_come_out_as_they_are() -> None:
    (window,) = cut(3, 6, 2, set())

    assert window.items == (0, 1, 2)
    assert window.known == 0


@given(SIZES)
def test_at_most_two_windows_of_items_are_kept(size) -> None:
    length, overlap = size
    buffer: WindowBuffer[int] = WindowBuffer(length, overlap)

    for item in range(100):
        buffer.push(item)
        lists = [value for value in vars(buffer).values() if isinstance(value, list)]
        kept = {kept_item for items in lists for kept_item in items}
        assert kept, 'nothing was looked at'
        assert len(kept) <= 2 * length


def test_rejected_items_are_forgotten_and_the_next_window_is_still_full() -> None:
    buffer: WindowBuffer[int] = WindowBuffer(6, 2)
    for item in range(10):
        buffer.push(item)  # windows 0..5 and 4..9

    buffer.reject()
    buffer.push(10)
    window = buffer.flush()

    assert window.items == (1, 2, 3, 4, 5, 10)
    assert window.known == 5


def test_rejecting_the_first_window_starts_over() -> None:
    buffer: WindowBuffer[int] = WindowBuffer(6, 2)
    for item in range(6):
        buffer.push(item)

    buffer.reject()

    assert buffer.waiting == 0
    assert buffer.flush() is None
