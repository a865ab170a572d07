"""The one object that node, bag tool and evaluation push frames into."""

from collections.abc import Callable
from functools import partial

import numpy as np

from depthsync_ros.core.backbone import Backbone
from depthsync_ros.core.breaks import find_break
from depthsync_ros.core.cancel import Cancelling, give_up_if, Interruptible, never
from depthsync_ros.core.context import Accepted, Run, Solved, WindowContext
from depthsync_ros.core.depthsync import solve_window, WindowResult
from depthsync_ros.core.errors import (
    AlignmentError,
    Cancelled,
    ConfigError,
    ScaleError,
)
from depthsync_ros.core.frames import DepthFrame, Dropped, Frame, Output, WindowReport
from depthsync_ros.core.metric import MetricScale
from depthsync_ros.core.metric_window import observe
from depthsync_ros.core.resolution import network_size, UPSAMPLERS
from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.core.shift import Shift, to_depth
from depthsync_ros.core.tracks import FrameTracks, PointTracker
from depthsync_ros.core.windows import Window, WindowBuffer

# That frames come with, by source.
EVIDENCE = {'odometry': 'odometry', 'depth': 'measured depth', 'points': 'measured points'}


class Pipeline:
    """
    Frames in, finished depth out, in order, each exactly once.

    Memory stays constant in the video's length: one window of frames and results is kept.

    observe, where given, sees each window's report and result as it is solved; evaluation reads
    the windows' raw disparity there.

    cancelled may be replaced; where it turns true while a window is computed, possibly in
    another thread, the window is given up before its next call of the network: every pending
    frame is dropped, and a new run starts.

    :raises ConfigError: the model's own window or size does not go with the one that was set.
    """

    def __init__(
        self,
        backbone: Backbone,
        settings: DepthSyncSettings,
        observe: Callable[[WindowReport, WindowResult], None] | None = None,
    ) -> None:
        self.backbone = backbone
        self._observe = observe
        self.settings = settings  # replace it to change live settings from the next window on
        self.cancelled: Cancelling = never
        self.length, self.overlap = _window_size(backbone, settings)
        max_side = settings.model.max_side or backbone.preferences.max_side
        network_size(max_side, max_side, max_side, backbone.size_multiple)  # refuse it now
        self._runs = 0
        self._start()

    def _start(self) -> None:
        self._runs += 1
        self._buffer: WindowBuffer[Accepted] = WindowBuffer(self.length, self.overlap)
        self._solved: tuple[Solved, ...] = ()  # the last window
        self._held = 0  # how many of its last frames have not left
        self._run: Run | None = None
        self._tracker = PointTracker(self.settings.poses.max_tracks)
        self._accepted = 0
        self._windows = 0
        self._metric = MetricScale(self.settings.metric.max_uncertainty)  # of depth
        self._positions = MetricScale(self.settings.metric.max_uncertainty)
        self._last: Frame | None = None
        self._opening: tuple[str, ...] = ()  # what the run's first report says

    @property
    def pending(self) -> int:
        """Accepted frames that have not left yet."""
        return self._buffer.waiting + self._held

    def push(self, frame: Frame) -> Output:
        """
        Accept a frame; where it completes a window, compute the window.

        A window that cannot be put on the run's scale is lost: its new frames are in
        Output.dropped and the run keeps its unit.

        Where the video breaks (`find_break`), the frames before are finished and leave, and a
        new run with a unit and a world of its own starts: no window spans the break, and
        nothing ties the two units together. The first report of the new run says so.

        :raises InputError: the frame does not follow the ones before it (stamp not later,
            another camera); it is not accepted and the run goes on.
        """
        ended = self._end_where_it_breaks(frame)
        self._last = frame
        accepted = Accepted(self._accepted, frame, self._track(frame))
        self._accepted += 1
        window = self._buffer.push(accepted)
        return ended + (self._solve(window, hold=self.overlap) if window else Output())

    def _end_where_it_breaks(self, frame: Frame) -> Output:
        longest_gap_s = self.settings.window.longest_gap
        why = find_break(self._last, frame, longest_gap_s) if self._last is not None else ''
        if not why:
            return Output()
        finished = self.flush()
        self._start()
        self._opening = (f'a new run, with a unit of its own: {why}',)
        return finished

    def flush(self) -> Output:
        """Finish every accepted frame, also of a partial window; the run and its unit go on."""
        window = self._buffer.flush()
        if window:
            return self._solve(window, hold=0)
        frames = self._release(self._solved, 0)
        return Output(frames)

    def reset(self) -> Output:
        """Start a new run; frames accepted but not finished are dropped and said so."""
        window = self._buffer.flush()
        return self._drop_pending(window.new if window else (), 'the run was reset')

    def _drop_pending(self, waiting: tuple[Accepted, ...], reason: str) -> Output:
        held = [solved.accepted for solved in self._solved[len(self._solved) - self._held :]]
        self._start()
        stamps = tuple(accepted.frame.stamp_ns for accepted in (*held, *waiting))
        return Output(dropped=(Dropped(stamps, reason),) if stamps else ())

    def _track(self, frame: Frame) -> FrameTracks:
        if self.settings.poses.derive:
            return self._tracker.track(frame.rgb)
        return FrameTracks(np.zeros(0, np.int64), np.zeros((0, 2)))

    def _solve(self, window: Window[Accepted], hold: int) -> Output:
        try:
            result = solve_window(self._context(window))
        except AlignmentError as error:
            return self._lose(window, str(error))
        except Cancelled as why:
            return self._drop_pending(window.new, str(why))
        self._run = result.run
        notes, self._opening = (*self._opening, *self._observe_scale(result)), ()
        before = len(window.items) - len(window.new) - self._held
        frames = self._release(result.solved, hold, start=before)
        self._solved = result.solved
        report = self._report(window, result, notes)
        self._windows += 1
        if self._observe is not None:
            self._observe(report, result)
        return Output(frames, (report,))

    def _context(self, window: Window[Accepted]) -> WindowContext:
        known = self._solved[len(self._solved) - window.known :] if window.known else ()
        return WindowContext(
            Interruptible(self.backbone, self.cancelled),
            self.settings,
            window.items,
            known,
            self._held,
            self._run,
            partial(give_up_if, self.cancelled),
        )

    def _lose(self, window: Window[Accepted], reason: str) -> Output:
        """Drop a window's new frames; the frames its predecessor held leave as they are."""
        self._buffer.reject()
        frames = self._release(self._solved, 0)
        stamps = tuple(accepted.frame.stamp_ns for accepted in window.new)
        return Output(frames, dropped=(Dropped(stamps, reason),))

    def _release(
        self, solved: tuple[Solved, ...], hold: int, start: int | None = None
    ) -> tuple[DepthFrame, ...]:
        """Let frames leave, from `start` (else the first held one) up to the last `hold`."""
        if self._run is None:
            return ()
        first, shift = len(solved) - self._held if start is None else start, self._run.shift
        self._held = min(hold, len(solved) - first)  # after a lost window some have left before
        leaving = solved[first : len(solved) - self._held]
        return tuple(self._finish(item, shift) for item in leaving)

    def _observe_scale(self, result: WindowResult) -> tuple[str, ...]:
        """Take what the window says of metres; give what a person must know."""
        if self.settings.metric.source == 'none':
            return ()
        source = self.settings.metric.source
        evidence = [solved.accepted.frame.evidence for solved in result.solved]
        missing = [one.missing for one in evidence if not one.tells(source)]
        notes = []
        if missing and source in EVIDENCE:
            notes.append(
                f'no {EVIDENCE[source]} for {len(missing)} of {len(evidence)} frames: '
                f'{missing[-1]}'
            )
        if result.lost and source == 'odometry':
            return (*notes, 'metric scale not observed: the cameras were lost on the way')
        try:
            seen = observe(result.solved, result.run, self.settings.metric)
            self._metric.observe(seen.depth)
            self._positions.observe(seen.positions)
        except ScaleError as error:
            notes.append(f'metric scale not observed: {error}')
        return tuple(notes)

    def _finish(self, solved: Solved, shift: Shift) -> DepthFrame:
        frame = solved.accepted.frame
        upsample = UPSAMPLERS[self.settings.depth.upsampling]
        disparity = upsample(solved.disparity, frame.rgb)
        scale = self._metric.step()
        self._positions.step()
        depth = to_depth(disparity, shift.value)
        world_T_cam = solved.world_T_cam
        return DepthFrame(
            run=self._runs,
            index=solved.accepted.index,
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            depth=depth if scale is None else depth * np.float32(scale),
            metric=scale is not None,
            camera=frame.camera,
            world_T_cam=None if world_T_cam is None else self._positions.place(world_T_cam),
            pose_covariance=self._positions.spread(solved.pose_covariance),
            rgb=frame.rgb,
        )

    def _report(
        self, window: Window[Accepted], result: WindowResult, notes: tuple[str, ...]
    ) -> WindowReport:
        first, last = window.items[0], window.items[-1]
        evidence = [item.frame.evidence for item in window.items]
        scale = self._metric.scale
        return WindowReport(
            index=self._windows,
            first_index=first.index,
            frame_count=len(window.items),
            new_frames=len(window.new),
            first_stamp_ns=first.frame.stamp_ns,
            last_stamp_ns=last.frame.stamp_ns,
            frame_id=last.frame.frame_id,
            scale=result.seam.gauge.scale,
            shift=result.seam.gauge.shift,
            disparity_shift=result.run.shift.value,
            metric=scale is not None,
            seam_pixels=result.seam.pixels,
            seam_residual_before=result.seam.residual_before,
            seam_residual_after=result.seam.residual_after,
            tracks=result.tracks,
            posed_frames=sum(solved.world_T_cam is not None for solved in result.solved),
            pose_residual_px=result.pose_residual_px,
            seconds=result.seconds,
            notes=(*result.notes, *notes),
            metric_source=self.settings.metric.source,
            metric_scale=float('nan') if scale is None else scale,
            metric_uncertainty=self._metric.estimate.uncertainty,
            metric_frames=sum(one.tells(self.settings.metric.source) for one in evidence),
        )


def _window_size(backbone: Backbone, settings: DepthSyncSettings) -> tuple[int, int]:
    length = settings.window.length or backbone.preferences.window_length
    overlap = settings.window.overlap or backbone.preferences.window_overlap
    if overlap >= length:
        raise ConfigError(
            f'window.length = {length} and window.overlap = {overlap} (0 takes the '
            f"model's own, {backbone.preferences.window_length} and "
            f'{backbone.preferences.window_overlap}): the overlap must be smaller; set both'
        )
    return length, overlap
