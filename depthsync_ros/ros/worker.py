"""The one thread that computes: frames and commands in their order, one at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
import threading
import time
from typing import Protocol

from rclpy.impl.rcutils_logger import RcutilsLogger

from depthsync_ros.core.errors import DepthSyncError, InputError
from depthsync_ros.core.frames import DepthFrame, Dropped, Frame, Output, WindowReport
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.core.stamps import ByStamp
from depthsync_ros.ros import ledger as book
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.inbox import Command, Inbox
from depthsync_ros.ros.ledger import Ledger

FLUSH, RESET = 'flush', 'reset'
LOG_PERIOD_S = 5.0
GIVEN_UP = 'the node was deactivated before that was done'


class Results(Protocol):
    """Whoever takes what the pipeline finished."""

    def publish_frames(self, frames: Sequence[DepthFrame]) -> None:
        """Take the finished frames of a window."""
        ...

    def publish_report(self, report: WindowReport) -> None:
        """Take the report of one window."""
        ...


class Worker:
    """
    Feeds the pipeline from the inbox and hands its output on, from `start` to `stop`.

    :param decode: makes a frame of an arrival; raises InputError.
    :param settings: gives the settings of the moment; live ones apply from the next window on.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        results: Results,
        ledger: Ledger,
        inbox: Inbox[Arrival],
        *,
        decode: Callable[[Arrival], Frame],
        settings: Callable[[], DepthSyncSettings],
        logger: RcutilsLogger,
    ) -> None:
        self._pipeline = pipeline
        self._results = results
        self._ledger = ledger
        self._inbox = inbox
        self._decode = decode
        self._settings = settings
        self._logger = logger
        self._entered: ByStamp[float] = ByStamp()  # when the frames in the pipeline were received
        self._command: Command | None = None
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix='depthsync-worker')
        self._running: Future[None] | None = None

    def start(self) -> None:
        """Start the thread."""
        self._pipeline.cancelled = self._stopping.is_set
        self._running = self._threads.submit(self._run)

    def stop(self) -> None:
        """
        End after the network's call under way, join the thread, book what was left as dropped.

        A window leaves whole or not at all.
        """
        self._stopping.set()
        self._abandon(book.DEACTIVATED)
        self._threads.shutdown(wait=True)
        if self.bug is None:
            self._take_output(self._pipeline.reset(), book.DEACTIVATED)

    @property
    def bug(self) -> BaseException | None:
        """What ended the thread before it was told to stop."""
        if self._running is None or not self._running.done():
            return None
        return self._running.exception()

    @property
    def pending(self) -> int:
        """Frames in the pipeline."""
        return self._pipeline.pending

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._abandon(book.BUG)
            if self._command is not None:
                self._command.answer('the worker was stopped by a bug', success=False)

    def _work(self) -> None:
        while (item := self._inbox.get()) is not None:
            self._command = item if isinstance(item, Command) else None
            before = self._pipeline.pending + (self._command is None)
            try:
                self._handle(item)
            except DepthSyncError as error:
                self._lose(item, before - self._pipeline.pending, error)
            self._command = None

    def _handle(self, item: Arrival | Command) -> None:
        self._pipeline.settings = self._settings()
        if isinstance(item, Arrival):
            self._take(item)
        elif item.name == FLUSH:
            self._take_output(self._pipeline.flush())
            self._answer_flush(item)
        else:
            self._take_output(self._pipeline.reset(), book.RESET)
            item.answer(f'a new run starts; {self._ledger.counts()}')

    def _take(self, arrival: Arrival) -> None:
        frame = self._decode(arrival)
        self._entered.add(frame.stamp_ns, arrival.received_s)
        try:
            output = self._pipeline.push(frame)
        except InputError:
            self._entered.take_back(frame.stamp_ns)
            raise
        self._ledger.count('accepted')
        self._take_output(output)

    def _answer_flush(self, command: Command) -> None:
        if self._stopping.is_set():
            command.answer(GIVEN_UP, success=False)
        else:
            command.answer(str(self._ledger.counts()))

    def _take_output(self, output: Output, why_dropped: str = '') -> None:
        """Publish and book; without a reason of the caller's, losses are the pipeline's."""
        if not why_dropped:
            why_dropped = book.DEACTIVATED if self._stopping.is_set() else book.WINDOW_LOST
        self._results.publish_frames(output.frames)
        for frame in output.frames:
            received_s = self._entered.leave(frame.stamp_ns)
            self._ledger.published(time.monotonic() - received_s)
        for report in output.reports:
            self._results.publish_report(report)
            self._ledger.count('windows')
            if report.index == 0:
                self._ledger.count('runs')
                self._logger.info('; '.join(['a run has begun', *report.notes]))
        for dropped in output.dropped:
            self._book_dropped(dropped, why_dropped)

    def _book_dropped(self, dropped: Dropped, why: str) -> None:
        number = len(dropped.stamps_ns)
        self._ledger.dropped(number, why, dropped.reason)
        for stamp_ns in dropped.stamps_ns:
            self._entered.leave(stamp_ns)
        if why == book.WINDOW_LOST:
            self._ledger.count('windows_lost')
            self._logger.error(f'window lost with its {number} new frames: {dropped.reason}')

    def _lose(self, item: Arrival | Command, number: int, error: DepthSyncError) -> None:
        why = book.REFUSED if isinstance(error, InputError) else book.WINDOW_LOST
        self._logger.error(f'frames lost: {error}', throttle_duration_sec=LOG_PERIOD_S)
        self._ledger.dropped(number, why, str(error))
        if isinstance(item, Command):
            item.answer(str(error), success=False)

    def _abandon(self, why: str) -> None:
        """Close the inbox; nobody waits for an answer that will not come."""
        left = self._inbox.close()
        commands = [item for item in left if isinstance(item, Command)]
        self._ledger.dropped(len(left) - len(commands), why)
        for command in commands:
            command.answer(GIVEN_UP, success=False)
