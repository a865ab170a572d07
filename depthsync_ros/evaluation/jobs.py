"""One method with one seed on one sequence: a job, and ways to run many."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
import multiprocessing
import os
from pathlib import Path
import signal
import threading
from typing import Any, TypeAlias

import cv2
import torch

from depthsync_ros.core.errors import DepthSyncError
from depthsync_ros.datasets.sequence import Video
from depthsync_ros.evaluation.methods import Method
from depthsync_ros.evaluation.pictures import write_pictures
from depthsync_ros.evaluation.results import key
from depthsync_ros.evaluation.scoring import decode, score, Scored, Truth

Row: TypeAlias = dict[str, Any]

LOOK_S = 0.5  # between two looks at the processes' progress
# Read by the number libraries when they are loaded.
THREAD_VARIABLES = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')


@dataclass(frozen=True)
class Item:
    """One result to be made: what is known of it before, and the frames it comes to."""

    row: Mapping[str, Any]
    frames: int


@dataclass(frozen=True, eq=False)
class Job:
    """The results of one method with one seed on one sequence, made in one run."""

    video: Video
    max_depth_m: float
    seed: int
    method: str
    items: tuple[Item, ...]

    @property
    def longest(self) -> int:
        return max(item.frames for item in self.items)


@dataclass(eq=False)
class Bench:
    """
    What runs jobs, one after the other; a sequence is decoded once for the jobs that follow.

    processes says how many run beside each other; it is noted with the seconds.
    """

    out: Path
    alignment: str
    methods: Callable[[int], Sequence[Method]]
    processes: int = 1
    _decoded: dict[str, tuple[Video, Truth]] = field(default_factory=dict)

    def run(self, job: Job, step: Callable[[], None]) -> Iterator[Row]:
        """Make the job's results, shortest first; step is called after each frame."""
        video, truth = self._decode(job)
        (method,) = (method for method in self.methods(job.seed) if method.name == job.method)
        held_bytes = truth.depth_m.nbytes + sum(f.frame.rgb.nbytes for f in video.decoded)
        lengths = sorted({item.frames for item in job.items})
        for frames, prediction in method.predict(video, lengths, step):
            scored = score(prediction, truth.first(frames), self.alignment)
            scored.row['peak_mb'] -= held_bytes / 1e6
            scored.row['threads'] = torch.get_num_threads()
            scored.row['processes'] = self.processes
            del prediction  # it counts as the method's memory otherwise
            for item in (item for item in job.items if item.frames == frames):
                yield self._row(job, item, video, truth, scored)
            del scored

    def _decode(self, job: Job) -> tuple[Video, Truth]:
        found = self._decoded.get(job.video.name)
        if found is None or len(found[1].depth_m) < job.longest:
            self._decoded.clear()  # one sequence at a time
            found = decode(job.video, job.longest, job.max_depth_m)
            self._decoded[job.video.name] = found
        return found

    def _row(self, job: Job, item: Item, video: Video, truth: Truth, scored: Scored) -> Row:
        """Complete a result, its pictures written before it."""
        row = {**item.row, **scored.row, 'counts': job.video.counts}
        if scored.depth_m is not None and item.frames == job.longest:
            row['pictures'] = write_pictures(
                self.out,
                '-'.join(str(part) for part in key(row)).replace('/', '_'),
                video,
                depth_m=scored.depth_m,
                truth_m=truth.depth_m[: item.frames],
                max_depth_m=truth.max_depth_m,
            )
        return row


def run_here(
    bench: Bench, jobs: Sequence[Job], advance: Callable[[int], None], processes: int
) -> Iterator[Row]:
    """Run the jobs in this process, one after the other."""
    for job in jobs:
        yield from bench.run(job, lambda: advance(1))


# ---- several processes --------------------------------------------------------------------------


class Stopped(DepthSyncError):
    """The run was stopped; its unfinished results are made when it is started again."""


@dataclass(frozen=True, eq=False)
class _Signals:
    """What the processes tell each other: frames done, and that it is time to stop."""

    frames: Any
    stop: Any

    def step(self) -> None:
        if self.stop.is_set():
            raise Stopped('stopped')
        with self.frames.get_lock():
            self.frames.value += 1


def run_in_processes(
    bench: Bench, jobs: Sequence[Job], advance: Callable[[int], None], processes: int
) -> Iterator[Row]:
    """
    Run several jobs at a time, each in a process with one CPU thread.

    A job that fails does not lose the others that are under way: its error is raised after them.

    :raises DepthSyncError: a job failed, or a process ended on its own.
    """
    context = multiprocessing.get_context('spawn')  # threads of torch do not survive a fork
    signals = _Signals(context.Value('q', 0), context.Event())
    bench = Bench(bench.out, bench.alignment, bench.methods, processes)
    with (
        _one_thread_each(),
        ProcessPoolExecutor(
            min(processes, len(jobs)) or 1, context, _begin, (bench, signals)
        ) as pool,
    ):
        try:
            futures = [pool.submit(_work, job) for job in jobs]
            yield from _collect(futures, signals, advance)
        finally:  # an interrupt too: a job under way ends at its next frame
            signals.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _collect(
    futures: Sequence['Future[list[Row]]'], signals: _Signals, advance: Callable[[int], None]
) -> Iterator[Row]:
    waiting, shown, failure = set(futures), 0, None
    while waiting:
        done, waiting = wait(waiting, LOOK_S, 'FIRST_COMPLETED')
        counted = signals.frames.value  # read once: it goes on rising
        advance(counted - shown)
        shown = counted
        for future in done:
            try:
                yield from () if future.cancelled() else future.result()
            except BrokenExecutor:
                raise DepthSyncError(
                    'a process of the evaluation was ended from outside, perhaps for lack of '
                    'memory; finished results are kept: start again with fewer --jobs'
                ) from None
            except DepthSyncError as error:
                failure = failure or error
                waiting = {other for other in waiting if not other.cancel()}
    if failure:
        raise failure


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the processes that are started within use one CPU thread each."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, '1'))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_BENCH: list[tuple[Bench, _Signals]] = []  # of a process that works


def _begin(bench: Bench, signals: _Signals) -> None:
    """Prepare a process: one thread, interrupts left to the parent, no life without it."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    _BENCH.append((bench, signals))


def _work(job: Job) -> list[Row]:
    bench, signals = _BENCH[0]
    return list(bench.run(job, signals.step))
