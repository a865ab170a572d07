"""Cutting a stream into overlapping windows."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar('Item')


@dataclass(frozen=True, eq=False)
class Window(Generic[Item]):
    """Consecutive items to solve together; the first `known` of them had an earlier window."""

    items: tuple[Item, ...]
    known: int

    @property
    def new(self) -> tuple[Item, ...]:
        """The items no earlier window had."""
        return self.items[self.known :]


class WindowBuffer(Generic[Item]):
    """
    Turn a stream of items into full windows of a fixed length and overlap.

    Every window but the first of a short stream is full: `flush` completes the last one with
    items that earlier windows already had. At most two windows of items are kept.
    """

    def __init__(self, length: int, overlap: int) -> None:
        self._length = length
        self._stride = length - overlap
        self._items: list[Item] = []
        self._known = 0
        self._before: list[Item] = []  # what `reject` goes back to

    @property
    def waiting(self) -> int:
        """Items that no window has taken yet."""
        return len(self._items) - self._known

    def push(self, item: Item) -> Window[Item] | None:
        """Add an item; give the window that it completes."""
        self._before = []
        self._items.append(item)
        if self.waiting >= self._stride and len(self._items) >= self._length:
            return self._take()
        return None

    def flush(self) -> Window[Item] | None:
        """Give the waiting items as a window, filled up with earlier ones."""
        return self._take() if self.waiting else None

    def reject(self) -> None:
        """Forget the new items of the window just taken, as if they had never come."""
        self._items = list(self._before)
        self._known = len(self._items)

    def _take(self) -> Window[Item]:
        new = self.waiting
        self._before = self._items[: self._known]
        self._items = self._items[-max(self._length, new) :]
        self._known = len(self._items)
        return Window(tuple(self._items), len(self._items) - new)
