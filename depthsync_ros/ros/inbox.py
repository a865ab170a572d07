"""The bounded queue between ROS's callbacks and the worker."""

from collections import deque
from dataclasses import dataclass, field
import threading
from typing import Generic, TypeVar

Item = TypeVar('Item')


@dataclass(frozen=True, eq=False)
class Command:
    """Something the worker does between frames; whoever asked may wait for the answer."""

    name: str
    _answered: threading.Event = field(default_factory=threading.Event)
    _answer: list[tuple[bool, str]] = field(default_factory=list)

    def answer(self, message: str, *, success: bool = True) -> None:
        """Give the answer and wake whoever waits for it."""
        self._answer.append((success, message))
        self._answered.set()

    def wait(self) -> tuple[bool, str]:
        """Wait for (success, message)."""
        self._answered.wait()
        return self._answer[0]


class Inbox(Generic[Item]):
    """
    Frames and commands in the order they came; putting never waits.

    At most `capacity` frames wait: one more drops the oldest of them. Commands are never
    dropped and keep their place among the frames.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._queue: deque[Item | Command] = deque()
        self._frames = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, frame: Item) -> Item | None:
        """Queue a frame; return the one that had to go: the oldest, or this one if closed."""
        with self._changed:
            if self._closed:
                return frame
            dropped = self._drop_oldest() if self._frames >= self.capacity else None
            self._queue.append(frame)
            self._frames += 1
            self._changed.notify()
            return dropped

    def put_command(self, command: Command) -> bool:
        """Queue a command; False if the inbox is closed and nobody will answer it."""
        with self._changed:
            if not self._closed:
                self._queue.append(command)
                self._changed.notify()
            return not self._closed

    def get(self) -> Item | Command | None:
        """Wait for the next one; None once the inbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if self._closed:
                return None
            item = self._queue.popleft()
            self._frames -= not isinstance(item, Command)
            return item

    def close(self) -> list[Item | Command]:
        """Let nothing in or out any more; return what was still waiting."""
        with self._changed:
            self._closed = True
            left = list(self._queue)
            self._queue.clear()
            self._frames = 0
            self._changed.notify_all()
            return left

    def __len__(self) -> int:
        return self._frames

    def _drop_oldest(self) -> Item:
        position = next(
            position for position, item in enumerate(self._queue) if not isinstance(item, Command)
        )
        oldest = self._queue[position]
        del self._queue[position]
        self._frames -= 1
        return oldest  # type: ignore[return-value]  # a frame, by the line above
