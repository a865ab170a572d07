"""Run methods over sequences and lengths, each result once, whatever interrupts it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.sequence import Video
from depthsync_ros.evaluation.jobs import Bench, Item, Job, run_here, run_in_processes
from depthsync_ros.evaluation.methods import Method
from depthsync_ros.evaluation.results import digest, in_order, ResultsFile

WHOLE = 0  # the length that means all frames


@dataclass(frozen=True)
class Protocol:
    """
    What is asked for.

    lengths are numbers of leading frames, 0 all of them; a sequence shorter than a length is
    not scored at it, and one shorter than every length is scored whole. frames, where not 0,
    cuts every sequence off first. max_depth_m 0 takes the dataset's own.
    """

    dataset: str
    out: Path
    lengths: tuple[int, ...] = (WHOLE,)
    seeds: tuple[int, ...] = (0,)
    alignment: str = 'video'
    max_depth_m: float = 0.0
    frames: int = 0


@dataclass
class Progress:
    """How far the run is; for show."""

    frames_expected: int = 0
    frames_in: int = 0
    windows: int = 0  # results, so far


def evaluate(
    protocol: Protocol,
    videos: Sequence[Video],
    methods: Callable[[int], Sequence[Method]],
    show: Callable[[Progress], None],
    processes: int = 1,
) -> list[dict[str, Any]]:
    """
    Make every result that is not there yet and return all of them.

    A result is on disk as soon as its job is done, so that a killed run goes on where it was:
    what is there is not made again. A job is one method with one seed on one sequence, at all
    lengths.

    :param methods: gives the methods for a seed; with several processes it is pickled.
    :param processes: how many jobs run at a time; with more than one, each on one CPU thread.
    :raises InputError: a sequence cannot be read, or results are of other settings.
    """
    if protocol.frames:
        videos = [video.first(protocol.frames) for video in videos]
    with ResultsFile(protocol.out) as results:
        jobs = list(_jobs(protocol, videos, methods, results))
        progress = Progress(sum(job.longest for job in jobs))
        bench = Bench(protocol.out, protocol.alignment, methods)

        def advance(frames: int) -> None:
            progress.frames_in += frames
            show(progress)

        run = run_here if processes == 1 else run_in_processes
        with closing(run(bench, jobs, advance, processes)) as rows:
            for row in rows:
                results.append(row)
                progress.windows += 1
        return in_order(results.rows)


def wanted_lengths(lengths: Sequence[int], frames: int) -> dict[int, int]:
    """
    Say how many frames each requested length comes to, for a sequence of so many.

    >>> wanted_lengths((150, 300), 200)
    {150: 150}
    >>> wanted_lengths((150, 300), 100)
    {0: 100}
    """
    fitting = {length: length or frames for length in sorted(lengths) if length <= frames}
    return fitting or {WHOLE: frames}


def _jobs(
    protocol: Protocol,
    videos: Sequence[Video],
    methods: Callable[[int], Sequence[Method]],
    results: ResultsFile,
) -> Iterator[Job]:
    """Give what is still to be made."""
    names = [video.name for video in videos]
    if len(set(names)) < len(names):
        raise InputError(f'two sequences share a name: {", ".join(sorted(names))}')
    for video in videos:
        for seed in protocol.seeds:
            for method in methods(seed):
                items = [
                    Item(row, frames)
                    for length, frames in wanted_lengths(protocol.lengths, len(video)).items()
                    if not results.has(row := _head(protocol, video, method, seed, length, frames))
                ]
                if items:
                    max_depth_m = protocol.max_depth_m or video.max_depth_m
                    yield Job(video, max_depth_m, seed, method.name, tuple(items))


def _head(
    protocol: Protocol, video: Video, method: Method, seed: int, length: int, frames: int
) -> Mapping[str, Any]:
    """Say what a result is of, before it is made."""
    facts = {
        'frames': frames,
        'alignment_asked': protocol.alignment,
        'max_depth_m': protocol.max_depth_m or video.max_depth_m,
        'crop_rows': video.crop.rows,
        'crop_columns': video.crop.columns,
        'settings': dict(method.facts()),
    }
    return {
        'dataset': protocol.dataset,
        'sequence': video.name,
        'method': method.name,
        'seed': seed,
        'length': length,
        'digest': digest(facts),
        **facts,
    }
