"""What can be evaluated: anything that turns a video into a prediction, at several lengths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import copy
from dataclasses import dataclass, field
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
from depthsync_ros.evaluation.meter import Meter
from depthsync_ros.evaluation.windows import SeenWindow


@dataclass(frozen=True, eq=False)
class Prediction:
    """
    What a method said of the first frames of a video.

    kind says what its values are: 'disparity' or 'depth' up to a scale and shift, 'metric' depth
    in metres, 'none' where there are poses alone.

    Shapes: values (frames, height, width), NaN where unknown; a frame that is all NaN was not
        delivered. own holds one (frames, height, width) a window, its raw disparity.
    Units: seconds of the wall clock; cpu_seconds of all threads; both without reading frames.
    """

    values: Maps
    kind: str
    world_T_cam: Sequence[Transform | None]
    windows: tuple[SeenWindow, ...] = ()
    own: Sequence[Maps] = ()
    seconds: float = float('nan')
    cpu_seconds: float = float('nan')
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
        windows, collected, meter = _Windows(), _Collected(max(lengths), video), Meter()
        observe = windows.observe
        pipeline = Pipeline(self.backbone, self.settings, observe)
        for index in range(max(lengths)):
            frame = video.read(index).frame
            with meter:
                output = pipeline.push(frame)
            collected.add(output)
            windows.released(output)
            step()
            if index + 1 in lengths:
                shared = {id(self.backbone): self.backbone, id(observe): observe}
                ending, kept = copy.deepcopy(pipeline, shared), len(windows.reports)
                with meter.branch() as branch:
                    output = ending.flush()
                windows.released(output)
                peak_mb = branch.peak_mb(collected.values.nbytes + windows.nbytes)
                part = collected.ended(output, index + 1)
                yield index + 1, self._prediction(part, windows, video, branch, peak_mb)
                windows.keep(kept)
                meter.go_on()

    def _prediction(
        self,
        collected: '_Collected',
        windows: '_Windows',
        video: Video,
        meter: Meter,
        peak_mb: float,
    ) -> Prediction:
        reports = windows.reports
        notes = [f'window {report.index}: {note}' for report in reports for note in report.notes]
        seen = tuple(windows.seen)
        upsample = UPSAMPLERS[self.settings.depth.upsampling]
        return Prediction(
            collected.values,
            'disparity',
            collected.poses,
            seen,
            _Own(tuple(windows.own), seen, upsample, video),
            meter.seconds,
            meter.cpu_seconds,
            peak_mb,
            (*collected.notes, *notes),
        )


@dataclass(eq=False)
class _Windows:
    """The windows as they are solved."""

    reports: list[WindowReport] = field(default_factory=list)
    own: list[Maps] = field(default_factory=list)
    frames: list[tuple[int, ...]] = field(default_factory=list)
    seen: list[SeenWindow] = field(default_factory=list)

    def observe(self, report: WindowReport, result: WindowResult) -> None:
        self.reports.append(report)
        self.own.append(result.own)
        self.frames.append(tuple(solved.accepted.index for solved in result.solved))

    def released(self, output: Output) -> None:
        """Note which frame was the first to leave with the window that was just solved."""
        if len(self.seen) < len(self.frames):
            frames = self.frames[-1]
            first = output.frames[0].index if output.frames else frames[-1] + 1
            self.seen.append(SeenWindow(frames, first))

    @property
    def nbytes(self) -> int:
        return sum(own.nbytes for own in self.own)

    def keep(self, count: int) -> None:
        del self.reports[count:], self.own[count:], self.frames[count:], self.seen[count:]


class _Collected:
    """The frames that have left the pipeline."""

    def __init__(self, count: int, video: Video) -> None:
        camera = video.view
        self.values = np.full((count, camera.height, camera.width), np.nan, np.float32)
        self.poses: list[Transform | None] = [None] * count
        self.notes: list[str] = []

    def add(self, output: Output) -> None:
        for frame in output.frames:
            self.values[frame.index] = 1.0 / frame.depth
            self.poses[frame.index] = frame.world_T_cam
        self.notes += [
            f'lost {len(lost.stamps_ns)} frames: {lost.reason}' for lost in output.dropped
        ]

    def ended(self, output: Output, count: int) -> '_Collected':
        """Give a copy for a run that ended here: the first frames, with the last output."""
        part = copy.copy(self)
        part.values = self.values[:count].copy()
        part.poses = self.poses[:count]
        part.notes = list(self.notes)
        part.add(output)
        return part


@dataclass(frozen=True, eq=False)
class _Own(Sequence[Maps]):
    """The windows' raw disparity, brought to the image's size as the pipeline does, on demand."""

    own: tuple[Maps, ...]
    windows: tuple[SeenWindow, ...]
    upsample: Callable[[Map, RgbImage], Map]
    video: Video

    def __len__(self) -> int:
        return len(self.own)

    def __getitem__(self, k: int) -> Maps:  # type: ignore[override]  nobody slices it
        pairs = zip(self.own[k], self.windows[k].frames, strict=True)
        return np.stack([self.upsample(d, self.video.read(i).frame.rgb) for d, i in pairs])
