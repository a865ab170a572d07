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

    At most `capacity` frames wait. One more drops the oldest of them, which loses whole
    stretches of video. With `thin` it drops every second of those that wait instead, and from
    then on only every second frame is taken, then every fourth and so on, so that frames stay
    evenly spaced; whenever the reader has caught up, twice as many are taken again. Commands
    are never dropped and keep their place among the frames.
    """

    def __init__(self, capacity: int, *, thin: bool = False) -> None:
        self.capacity = capacity
        self._thin = thin
        self.step = 1  # every so manieth frame is taken
        self._since_taken = 0  # frames that were offered since one was taken
        self._at_this_step = 0  # frames taken since the step changed
        self._queue: deque[Item | Command] = deque()
        self._frames = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, frame: Item) -> list[Item]:
        """Queue a frame; return those that had to go, which may be this one."""
        with self._changed:
            self._since_taken += 1
            if self._closed or self._since_taken < self.step:
                return [frame]
            full = self._frames >= self.capacity
            if full and self._thin:
                # The newest one stays, so this one comes too early for the doubled step.
                self._set_step(2 * self.step)
                return [*self._drop_every_second(), frame]
            dropped = [self._drop_oldest()] if full else []
            self._queue.append(frame)
            self._frames += 1
            self._since_taken = 0
            self._at_this_step += 1
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
            self._ease()
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

    @property
    def closed(self) -> bool:
        """Whether nothing gets in or out any more."""
        return self._closed

    def __len__(self) -> int:
        return self._frames

    def _ease(self) -> None:
        """Take more again where the reader finds nothing, but not at each frame it waits for."""
        if not self._frames and self.step > 1 and self._at_this_step > self.capacity // 2:
            self._set_step(self.step // 2)

    def _set_step(self, step: int) -> None:
        self.step, self._at_this_step = step, 0

    def _drop_every_second(self) -> list[Item]:
        frames = [item for item in self._queue if not isinstance(item, Command)]
        dropped = frames[-2::-2][::-1]
        gone = set(map(id, dropped))
        self._queue = deque(item for item in self._queue if id(item) not in gone)
        self._frames -= len(dropped)
        return dropped

    def _drop_oldest(self) -> Item:
        position = next(
            position for position, item in enumerate(self._queue) if not isinstance(item, Command)
        )
        oldest = self._queue[position]
        del self._queue[position]
        self._frames -= 1
        return oldest  # type: ignore[return-value]  # a frame, by the line above
