"""Where a frame was at an image's stamp: asked when the image arrives, answered when it leaves."""

from collections import deque
import threading
import time
from typing import Protocol

from rclpy.time import Time
from tf2_ros import Buffer, ExtrapolationException, TransformException

from depthsync_ros.core.shapes import Transform
from depthsync_ros.messages import transform_of

WAIT_S = 0.1  # answers may be published a little after the image they belong to
LATE = 256  # questions that wait at a time
FUTURE = 'into the future'


class LookupFailure(Exception):
    """Why there is no transform; never leaves the node."""


class Lookup:
    """One look-up, tried until it succeeds or cannot any more; goes away with its image."""

    def __init__(self, buffer: Buffer, target: str, source: str, stamp_ns: int) -> None:
        self._buffer = buffer
        self._query = (target, source, Time(nanoseconds=stamp_ns))
        self._lock = threading.Lock()
        self._found: Transform | None = None
        self._failure = 'tf was not asked'
        self.open = True
        if not (target and source):  # tf takes two frames without a name for one and the same
            self._failure = f'tf cannot connect {source!r} with {target!r}: frames have names'
            self.open = False

    def attempt(self) -> bool:
        """Try once; say whether another try makes sense."""
        with self._lock:
            if self.open:
                try:
                    found = self._buffer.lookup_transform(*self._query)
                except TransformException as error:
                    self._failure = str(error)
                    self.open = isinstance(error, ExtrapolationException) and FUTURE in str(error)
                else:
                    self._found = transform_of(found.transform)
                    self.open = False
            return self.open

    def finish(self) -> Transform:
        """
        Wait a moment for tf that is late, then give target_T_source.

        :raises LookupFailure: there is none.
        """
        wait_for(self)
        return self.result()

    def result(self) -> Transform:
        """
        Give target_T_source without waiting any more.

        :raises LookupFailure: there is none.
        """
        self.open = False
        if self._found is None:
            raise LookupFailure(self._failure)
        return self._found


class Question(Protocol):
    """Something that may not be known yet."""

    def attempt(self) -> bool:
        """Try once, without waiting; say whether another try makes sense."""
        ...


class Unanswered:
    """
    Questions about images, tried until there is an answer.

    An image waits in queue and window for longer than the answers are kept, so each is tried as
    its image arrives and, where the answer is late, again with every later image.
    """

    def __init__(self) -> None:
        self._late: deque[Question] = deque(maxlen=LATE)

    def ask(self, question: Question) -> None:
        """Try a new question, and all that are open; never waits."""
        self._late.append(question)
        for _ in range(len(self._late)):
            waiting = self._late.popleft()
            if waiting.attempt():
                self._late.append(waiting)


class Lookups:
    """Looks the images' frame up in another frame."""

    def __init__(self, buffer: Buffer, target: str) -> None:
        self._buffer = buffer
        self._target = target
        self._unanswered = Unanswered()

    def start(self, source: str, stamp_ns: int) -> Lookup:
        """Start the look-up of an image that has just arrived; never waits."""
        lookup = Lookup(self._buffer, self._target, source, stamp_ns)
        self._unanswered.ask(lookup)
        return lookup


def wait_for(question: Question) -> None:
    """Try a question until there is an answer, or no time left."""
    deadline = time.monotonic() + WAIT_S
    while question.attempt() and time.monotonic() < deadline:
        time.sleep(0.005)
