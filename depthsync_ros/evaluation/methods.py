"""What can be evaluated: anything that turns a video into a prediction, at several lengths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import copy
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np

from depthsync_ros.core.backbone import Backbone
from depthsync_ros.core.depthsync import WindowResult
from depthsync_ros.core.frames import Output, WindowReport
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.resolution import UPSAMPLERS
from depthsync_ros.core.settings import DepthSyncSettings, Value, walk
from depthsync_ros.core.shapes import Map, Maps, RgbImage, Transform
from depthsync_ros.datasets.sequence import Video

# What a prediction's values are: disparity up to a scale and shift; depth up to a scale and
# shift; depth in metres; nothing (poses alone).
KINDS = ('disparity', 'depth', 'metric', 'none')
MEGABYTE = 1e6


@dataclass(frozen=True, eq=False)
class Prediction:
    """
    What a method said of the first frames of a video.

    Shapes: values (frames, height, width), NaN where unknown; a frame that is all NaN was not
        delivered. own holds one (frames, height, width) a window, its raw disparity.
    """

    values: Maps
    kind: str
    world_T_cam: Sequence[Transform | None]
    windows: tuple[range, ...] = ()
    own: Sequence[Maps] = ()
    seconds: float = float('nan')
    peak_mb: float = float('nan')
    notes: tuple[str, ...] = ()


class Method(Protocol):
    """A method with a name; facts() says everything that its results depend on."""

    name: str

    def facts(self) -> Mapping[str, Value]: ...

    def predict(
        self, video: Video, lengths: Sequence[int], step: Callable[[], None]
    ) -> Iterator[tuple[int, Prediction]]:
        """Give the prediction for each length, shortest first; call step after each frame."""
        ...


@dataclass(frozen=True, eq=False)
class PipelineMethod:
    """A strategy of the one pipeline; weights is a short name of the network's files."""

    name: str
    settings: DepthSyncSettings
    backbone: Backbone
    weights: str = ''

    def facts(self) -> Mapping[str, Value]:
        """Every setting, and which network ran."""
        return {name: value for name, value, _ in walk(self.settings)} | {
            'backbone': self.backbone.name,
            'weights': self.weights,
        }

    def predict(
        self, video: Video, lengths: Sequence[int], step: Callable[[], None]
    ) -> Iterator[tuple[int, Prediction]]:
        """
        Run once over the longest; a shorter length is the run as if it ended there.

        That is exact: a copy of the pipeline is flushed, the pipeline itself goes on.
        """
        reset_peak_memory()
        windows = _Windows()
        observe = windows.observe
        pipeline = Pipeline(self.backbone, self.settings, observe)
        collected = _Collected(max(lengths), video)
        for index in range(max(lengths)):
            frame = video.read(index).frame
            start = perf_counter()
            output = pipeline.push(frame)
            collected.seconds += perf_counter() - start
            collected.add(output)
            step()
            if index + 1 in lengths:
                shared = {id(self.backbone): self.backbone, id(observe): observe}
                ending = copy.deepcopy(pipeline, shared)
                kept = len(windows.reports)
                yield index + 1, _ended(ending, collected.first(index + 1), windows, video)
                windows.keep(kept)


def reset_peak_memory() -> None:
    """Forget the process's peak memory, where Linux allows it."""
    try:
        Path('/proc/self/clear_refs').write_text('5', encoding='ascii')
    except OSError:
        return  # the peak then includes what came before: said in docs/evaluation.md


def peak_memory_mb() -> float:
    """Give the process's peak memory since it was reset; NaN where the system does not say."""
    try:
        status = Path('/proc/self/status').read_text(encoding='ascii')
    except OSError:
        return float('nan')
    for line in status.splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024 / MEGABYTE
    return float('nan')


@dataclass(eq=False)
class _Windows:
    """The windows as they are solved."""

    reports: list[WindowReport] = field(default_factory=list)
    own: list[Maps] = field(default_factory=list)

    def observe(self, report: WindowReport, result: WindowResult) -> None:
        self.reports.append(report)
        self.own.append(result.own)

    def keep(self, count: int) -> None:
        del self.reports[count:], self.own[count:]


class _Collected:
    """The frames that have left the pipeline."""

    def __init__(self, count: int, video: Video) -> None:
        camera = video.view
        self.values = np.full((count, camera.height, camera.width), np.nan, np.float32)
        self.poses: list[Transform | None] = [None] * count
        self.notes: list[str] = []
        self.seconds = 0.0

    def add(self, output: Output) -> None:
        for frame in output.frames:
            self.values[frame.index] = 1.0 / frame.depth
            self.poses[frame.index] = frame.world_T_cam
        self.notes += [
            f'lost {len(lost.stamps_ns)} frames: {lost.reason}' for lost in output.dropped
        ]

    def first(self, count: int) -> '_Collected':
        """Copy what there is of the first frames."""
        part = copy.copy(self)
        part.values = self.values[:count].copy()
        part.poses = self.poses[:count]
        part.notes = list(self.notes)
        return part


@dataclass(frozen=True, eq=False)
class _Own(Sequence[Maps]):
    """The windows' raw disparity, brought to the image's size as the pipeline does, on demand."""

    own: tuple[Maps, ...]
    windows: tuple[range, ...]
    upsample: Callable[[Map, RgbImage], Map]
    video: Video

    def __len__(self) -> int:
        return len(self.own)

    def __getitem__(self, k: int) -> Maps:  # type: ignore[override]  nobody slices it
        pairs = zip(self.own[k], self.windows[k], strict=True)
        return np.stack([self.upsample(d, self.video.read(i).frame.rgb) for d, i in pairs])


def _ended(
    pipeline: Pipeline, collected: _Collected, windows: _Windows, video: Video
) -> Prediction:
    start = perf_counter()
    output = pipeline.flush()
    collected.seconds += perf_counter() - start
    collected.add(output)
    reports = windows.reports
    notes = [f'window {report.index}: {note}' for report in reports for note in report.notes]
    ranges = tuple(range(r.first_index, r.first_index + r.frame_count) for r in reports)
    upsample = UPSAMPLERS[pipeline.settings.depth.upsampling]
    return Prediction(
        collected.values,
        'disparity',
        collected.poses,
        ranges,
        _Own(tuple(windows.own), ranges, upsample, video),
        collected.seconds,
        peak_memory_mb() - 2 * collected.values.nbytes / MEGABYTE,  # what evaluation itself holds
        (*collected.notes, *notes),
    )
