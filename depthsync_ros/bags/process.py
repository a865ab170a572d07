"""Run the pipeline over a bag and write its results beside the bag's own topics."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
import logging
from pathlib import Path
import re
from typing import TypeAlias

from depthsync_ros.bags.frames import BagCamera, CameraChoice, find_camera
from depthsync_ros.bags.metric_sources import EvidenceSource, open_evidence
from depthsync_ros.bags.storage import (
    BagMessage,
    BagReader,
    BagWriter,
    check_target,
    WINDOW_REPORT,
)
from depthsync_ros.core.errors import ConfigError, InputError
from depthsync_ros.core.frames import DepthFrame, Frame, Output, StageSeconds, WindowReport
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.rigid import invert
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.core.stamps import ByStamp
from depthsync_ros.messages import FLOAT, Messages, MILLIMETRES, WORLD_FRAME

DEPTH, DEPTH_INFO = '/depthsync/depth', '/depthsync/depth/camera_info'
POINTS, COMPRESSED = '/depthsync/points', '/depthsync/depth/compressedDepth'
EXTRAS = {
    'points': (POINTS, 'sensor_msgs/msg/PointCloud2'),
    'compressed_depth': (COMPRESSED, 'sensor_msgs/msg/CompressedImage'),
}
ODOMETRY, REPORT, TF = '/depthsync/odometry', '/depthsync/window_report', '/tf'
SECOND_NS = 1_000_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BagJob:
    """
    One run over a bag.

    Units: start_s and duration_s in seconds of recording time, from the bag's first message; a
        duration of 0 has no end. They choose images; the copied topics stay whole.

    depth_topic names measured depth, for the metric source that reads it. extras are names of
    EXTRAS, outputs that are large and not always wanted.

    storage is 'mcap', 'sqlite3' or 'input', which keeps the input's.
    """

    source: Path
    target: Path
    camera: CameraChoice = field(default_factory=CameraChoice)
    results_only: bool = False
    storage: str = 'input'
    overwrite: bool = False
    start_s: float = 0.0
    duration_s: float = 0.0
    world_frame: str = WORLD_FRAME
    metric: MetricSettings = field(default_factory=MetricSettings)
    depth_topic: str = ''
    depth_encoding: str = FLOAT
    extras: tuple[str, ...] = ()


@dataclass
class Tally:
    """What has happened so far; frames_expected is 0 where nobody knows."""

    frames_expected: int = 0
    frames_in: int = 0
    frames_out: int = 0
    posed: int = 0
    windows: int = 0
    metric: bool = False
    frames_not_metric: int = 0
    metric_scale: float = float('nan')
    metric_uncertainty: float = float('inf')
    dropped: dict[str, int] = field(default_factory=dict)
    seconds: StageSeconds = field(default_factory=StageSeconds)
    notes: list[str] = field(default_factory=list)

    @property
    def frames_dropped(self) -> int:
        """Frames that will never leave, for whatever reason."""
        return sum(self.dropped.values())

    def drop(self, reason: str, count: int = 1) -> None:
        """Count frames that were lost, by reason."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def note(self, text: str) -> None:
        """Keep a sentence for the end, once, whatever numbers it holds."""
        known = {_without_numbers(note) for note in self.notes}
        if _without_numbers(text) not in known:
            self.notes.append(text)


Progress: TypeAlias = Callable[[Tally], None]


def process_bag(job: BagJob, pipeline: Pipeline, progress: Progress) -> Tally:
    """
    Write job.target: the input's messages and the pipeline's results.

    Everything streams; progress is called after each image.

    :raises InputError: the input cannot be used, or the output cannot be written. Nothing that
        looks finished is left then.
    """
    check_job(job)
    tally = Tally()
    with BagReader(job.source) as bag:
        storage = bag.storage if job.storage == 'input' else job.storage
        with BagWriter(job.target, storage, overwrite=job.overwrite) as out:
            camera = find_camera(bag, job.camera, out.words)
            results = _Results(out, Messages(out.words), job, tally)
            if not job.results_only:
                _copy_topics(bag, out, tally)
            results.add_topics()
            if not job.start_s and not job.duration_s:
                tally.frames_expected = camera.topic.count
            with open_evidence(job.source, job.metric, job.depth_topic) as evidence:
                run = _Run(pipeline, out, results, tally, progress, evidence)
                _stream(bag, job, camera, run)
        return tally


def check_job(job: BagJob) -> None:
    """
    Refuse what cannot end well, before a model is loaded.

    :raises InputError: input and output are the same, or the output's place is taken.
    :raises ConfigError: depth is to be in millimetres, and nothing tells metres.
    """
    if job.depth_encoding == MILLIMETRES and job.metric.source == 'none':
        raise ConfigError(
            '--depth-encoding 16UC1 is millimetres, and metric.source is none: depth then has a '
            'unit of its own; set --metric.source'
        )
    if job.target.resolve() == job.source.resolve():
        raise InputError(f'{job.target} is the input; choose another name for the output')
    check_target(job.target, overwrite=job.overwrite)


def _copy_topics(bag: BagReader, out: BagWriter, tally: Tally) -> None:
    ours = {DEPTH, DEPTH_INFO, ODOMETRY, REPORT, POINTS, COMPRESSED}
    taken = sorted(ours & {topic.name for topic in bag.topics})
    if taken:
        raise InputError(
            f'{bag.path} already holds {", ".join(taken)}; give the bag they were made from, or '
            'pass --results-only'
        )
    for connection in bag.connections:
        if not out.add_copy(connection):
            tally.note(
                f'{connection.topic}: the bag has no definition of {connection.msgtype}; its '
                'messages are copied, but readers without ROS cannot decode them'
            )


@dataclass
class _Results:
    """Writes what the pipeline finished, at the recording times of the images."""

    out: BagWriter
    make: Messages
    job: BagJob
    tally: Tally
    log_ns: ByStamp[int] = field(default_factory=ByStamp)

    def add_topics(self) -> None:
        self.depth = self.out.add(DEPTH, 'sensor_msgs/msg/Image')
        self.extras = {name: self.out.add(*EXTRAS[name]) for name in self.job.extras}
        self.info = self.out.add(DEPTH_INFO, 'sensor_msgs/msg/CameraInfo')
        self.odometry = self.out.add(ODOMETRY, 'nav_msgs/msg/Odometry')
        self.tf = self.out.add(TF, 'tf2_msgs/msg/TFMessage')
        self.report = self.out.add(REPORT, WINDOW_REPORT)
        self.tf_message = self.out.words.message('tf2_msgs/msg/TFMessage')

    def write(self, output: Output) -> None:
        for report in output.reports:
            self._write_report(report)
        for frame in output.frames:
            self._write_frame(frame)
        for lost in output.dropped:
            self.tally.drop(lost.reason, len(lost.stamps_ns))
            for stamp_ns in lost.stamps_ns:
                self.log_ns.leave(stamp_ns)

    def _write_report(self, report: WindowReport) -> None:
        log_ns = self.log_ns.look_up(report.last_stamp_ns, report.last_stamp_ns)
        self.out.write(self.report, log_ns, self.make.window_report(report))
        self.tally.windows += 1
        self.tally.metric_scale = report.metric_scale
        self.tally.metric_uncertainty = report.metric_uncertainty
        self.tally.seconds = _sum(self.tally.seconds, report.seconds)
        for note in report.notes:
            self.tally.note(note)

    def _write_frame(self, frame: DepthFrame) -> None:
        stamp_ns, name, camera = frame.stamp_ns, frame.frame_id, frame.camera
        log_ns = self.log_ns.leave(stamp_ns)
        encoding = self.job.depth_encoding
        self.out.write(self.depth, log_ns, self.make.depth_image(frame, encoding))
        self.out.write(self.info, log_ns, self.make.camera_info(stamp_ns, name, camera))
        if 'points' in self.extras:
            self.out.write(self.extras['points'], log_ns, self.make.point_cloud(frame))
        if 'compressed_depth' in self.extras:
            compressed = self.make.compressed_depth(frame, encoding)
            self.out.write(self.extras['compressed_depth'], log_ns, compressed)
        self.tally.frames_out += 1
        self.tally.metric = self.tally.metric or frame.metric
        self.tally.frames_not_metric += not frame.metric
        if frame.world_T_cam is None:
            return
        self.tally.posed += 1
        world, pose = self.job.world_frame, frame.world_T_cam
        odometry = self.make.odometry(stamp_ns, world, name, pose, frame.pose_covariance)
        self.out.write(self.odometry, log_ns, odometry)
        if not name:
            self.tally.note('the images have no frame_id: no tf was written')
            return
        transform = self.make.transform(stamp_ns, name, world, invert(pose))
        self.out.write(self.tf, log_ns, self.tf_message(transforms=[transform]))


@dataclass
class _Run:
    """The pipeline between an image and its results."""

    pipeline: Pipeline
    out: BagWriter
    results: _Results
    tally: Tally
    progress: Progress
    evidence: EvidenceSource | None

    def push(self, log_ns: int, frame: Frame) -> None:
        self.tally.frames_in += 1
        if self.evidence is not None:
            frame = self.evidence.with_evidence(log_ns, frame)
        pending = self.results.log_ns
        pending.add(frame.stamp_ns, log_ns)
        try:
            output = self.pipeline.push(frame)
        except InputError as error:
            # As in the node: the run goes on without a frame that does not follow the others.
            _log.debug('frame %d refused: %s', frame.stamp_ns, error)
            self.tally.drop(_without_numbers(str(error)))
            pending.take_back(frame.stamp_ns)
        else:
            self.results.write(output)
        self.progress(self.tally)

    def finish(self) -> None:
        self.results.write(self.pipeline.flush())
        self.progress(self.tally)


def _stream(bag: BagReader, job: BagJob, camera: BagCamera, run: _Run) -> None:
    first_ns = bag.start_ns + round(job.start_s * SECOND_NS)
    end_ns = first_ns + round(job.duration_s * SECOND_NS) if job.duration_s else 2**63
    for message in bag.messages([camera.topic.name] if job.results_only else ()):
        if not job.results_only:
            run.out.copy(message)
        if _is_image(message, camera) and first_ns <= message.log_ns < end_ns:
            run.push(message.log_ns, camera.frame(message))
    run.finish()
    _refuse_nothing(run.tally, bag, camera)


def _is_image(message: BagMessage, camera: BagCamera) -> bool:
    return (message.topic, message.msgtype) == (camera.topic.name, camera.topic.msgtype)


def _refuse_nothing(tally: Tally, bag: BagReader, camera: BagCamera) -> None:
    """Refuse to call a bag without any depth a result."""
    if tally.frames_out:
        return
    if not tally.frames_in:
        raise InputError(
            f'{bag.path}: {camera.topic.name} has no image in the chosen part of the bag; change '
            '--start or --duration'
        )
    reasons = '; '.join(f'{count} x {reason}' for reason, count in tally.dropped.items())
    raise InputError(f'none of {tally.frames_in} images became depth: {reasons}')


def _sum(one: StageSeconds, other: StageSeconds) -> StageSeconds:
    return StageSeconds(
        *(getattr(one, stage.name) + getattr(other, stage.name) for stage in fields(one))
    )


def _without_numbers(text: str) -> str:
    """Make sentences about different frames equal, so that they are counted as one reason."""
    return re.sub(r'\d+', '#', text)
