"""Run methods over sequences and lengths, each result once, whatever interrupts it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.sequence import Video
from depthsync_ros.evaluation.methods import Method
from depthsync_ros.evaluation.pictures import write_pictures
from depthsync_ros.evaluation.results import digest, key, ResultsFile
from depthsync_ros.evaluation.scoring import read_truth, score, Scored, Truth

WHOLE = 0  # the length that means all frames


@dataclass(frozen=True)
class Protocol:
    """
    What is asked for.

    lengths are numbers of leading frames, 0 all of them; a sequence shorter than a length is
    not scored at it, and one shorter than every length is scored whole. max_depth_m 0 takes
    the dataset's own.
    """

    dataset: str
    out: Path
    lengths: tuple[int, ...] = (WHOLE,)
    seeds: tuple[int, ...] = (0,)
    alignment: str = 'video'
    max_depth_m: float = 0.0
    pictures: bool = True


@dataclass
class Progress:
    """How far the run is; for show."""

    frames_expected: int = 0
    frames_in: int = 0
    windows: int = 0  # results, so far


@dataclass(frozen=True)
class Item:
    """One result to be made: the requested length, and the frames it comes to."""

    row: Mapping[str, Any]
    frames: int


def evaluate(
    protocol: Protocol,
    videos: Sequence[Video],
    methods: Callable[[int], Sequence[Method]],
    show: Callable[[Progress], None],
) -> list[dict[str, Any]]:
    """
    Make every result that is not there yet and return all of them.

    A result is on disk as soon as it is made, so that a killed run goes on where it was: what is
    there is not made again.

    :param methods: gives the methods for a seed.
    :raises InputError: a sequence cannot be read, or results are of other settings.
    """
    with ResultsFile(protocol.out) as results:
        jobs = list(_jobs(protocol, videos, methods, results))
        progress = Progress(sum(max(item.frames for item in items) for _, _, items in jobs))

        def step() -> None:
            progress.frames_in += 1
            show(progress)

        for video, group in _by_video(jobs):
            longest = max(item.frames for _, items in group for item in items)
            truth = read_truth(video, longest, protocol.max_depth_m or video.max_depth_m)
            for method, items in group:
                lengths = sorted({item.frames for item in items})
                for frames, prediction in method.predict(video, lengths, step):
                    scored = score(prediction, truth.first(frames), protocol.alignment)
                    for item in (item for item in items if item.frames == frames):
                        results.append(_row(protocol, video, truth, item, scored))
                        progress.windows += 1
        return results.rows


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
) -> Iterator[tuple[Video, Method, list[Item]]]:
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
                    if not results.has(row := _head(protocol, video, method, seed, length))
                ]
                if items:
                    yield video, method, items


def _head(
    protocol: Protocol, video: Video, method: Method, seed: int, length: int
) -> dict[str, Any]:
    """Say what a result is of, before it is made."""
    facts = {
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


def _by_video(
    jobs: Sequence[tuple[Video, Method, list[Item]]],
) -> Iterator[tuple[Video, list[tuple[Method, list[Item]]]]]:
    for video in {id(video): video for video, _, _ in jobs}.values():
        yield video, [(method, items) for owner, method, items in jobs if owner is video]


def _row(
    protocol: Protocol, video: Video, truth: Truth, item: Item, scored: Scored
) -> dict[str, Any]:
    """Complete a result, its pictures written before it."""
    row = {**item.row, **scored.row, 'counts': video.counts}
    if protocol.pictures and scored.depth_m is not None:
        row['pictures'] = write_pictures(
            protocol.out,
            '-'.join(str(part) for part in key(row)).replace('/', '_'),
            video,
            depth_m=scored.depth_m,
            truth_m=truth.depth_m[: item.frames],
            max_depth_m=truth.max_depth_m,
        )
    return row
