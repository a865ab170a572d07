"""The node's state for people and monitors: a diagnostic_msgs/DiagnosticStatus."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from depthsync_ros.core.frames import WindowReport
from depthsync_ros.ros.environment import FASTDDS_REMEDY, uses_fastdds
from depthsync_ros.ros.ledger import Counts

MISSING_SHARE = 0.02  # of the images that should have come, before it is worth a warning
MISSING_FEW = 3
UNMATCHED_FEW = 10
LOOK_AT_QOS = "compare the QoS by ros2 topic info -v; input.reliability 'sensor_data' hears all"
MISFIT_REMEDIES = {
    'RELIABILITY': "set input.reliability to 'sensor_data', or let it publish reliably",
}
RELIABLE_REMEDY = 'raise input.history, or publish with reliable QoS and set input.reliability'


@dataclass(frozen=True)
class OutputHealth:
    """What the outputs say of themselves: numbers, and what is wrong."""

    values: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """
    An input topic as the middleware sees it.

    misfit names the policy by which a publisher does not fit; lost are messages that never came.
    """

    name: str
    publishers: int
    misfit: str = ''
    lost: int = 0


NO_TOPIC = Topic('', 0)


@dataclass(frozen=True, kw_only=True)
class Health:
    """Everything the status says, at one moment."""

    state: str
    model: str
    failure: str  # why the node could not be configured or had to stop; '' if nothing
    counts: Counts
    newly_dropped: int
    queued: int
    step: int  # every so manieth image is taken
    pending: int
    missing: int  # images that should have come, by their stamps
    images: Topic
    infos: Topic
    latched: bool  # one camera_info serves all images
    metric: bool
    report: WindowReport | None = None  # the last window's
    outputs: OutputHealth = field(default_factory=OutputHealth)


def status(name: str, health: Health) -> DiagnosticStatus:
    """Say it as a DiagnosticStatus, the worst thing first."""
    warnings = _warnings(health)
    if health.failure:
        level, message = DiagnosticStatus.ERROR, health.failure
    elif warnings:
        level, message = DiagnosticStatus.WARN, '; '.join(warnings)
    else:
        level, message = DiagnosticStatus.OK, health.state
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id=health.model,
        values=[KeyValue(key=key, value=str(value)) for key, value in _values(health).items()],
    )


def _warnings(health: Health) -> list[str]:
    if health.state != 'active':
        return []
    counts, found = health.counts, []
    if not counts.images:
        found.append(_silence('image', health.images))
    if not counts.infos:
        found.append(_silence('camera_info', health.infos))
    if _images_missing(health):
        found.append(f'{health.missing} images did not arrive: {_remedy()}')
    if health.images.lost > MISSING_FEW and not _images_missing(health):
        found.append(f'the middleware lost {health.images.lost} images: {_remedy()}')
    if counts.infos and counts.unmatched > UNMATCHED_FEW:
        found.append(
            f'{counts.unmatched} images have no camera_info of exactly their stamp: remap '
            "camera_info to the topic of the same driver, or set input.camera_info to 'latched'"
        )
    if health.newly_dropped:
        found.append(f'{health.newly_dropped} frames dropped: {counts.last_loss}')
    return [*found, *health.outputs.warnings]


def _silence(what: str, topic: Topic) -> str:
    if topic.misfit:
        return (
            f'no {what} on {topic.name}: its publisher does not fit in {topic.misfit}; '
            f'{MISFIT_REMEDIES.get(topic.misfit, LOOK_AT_QOS)}'
        )
    if topic.publishers:
        return (
            f'no {what} on {topic.name} though {topic.publishers} publish there: they send '
            f'nothing, or {LOOK_AT_QOS}'
        )
    return f'nobody publishes {what} on {topic.name}: remap it'


def _images_missing(health: Health) -> bool:
    should_be = health.counts.images + health.missing
    return health.missing > MISSING_FEW and health.missing > MISSING_SHARE * should_be


def _remedy() -> str:
    return FASTDDS_REMEDY if uses_fastdds() else RELIABLE_REMEDY


def _values(health: Health) -> dict[str, object]:
    counts = health.counts
    values: dict[str, object] = {
        'state': health.state,
        'images received': counts.images,
        'camera_infos received': counts.infos,
        'images lost by the middleware': health.images.lost,
        'camera_infos lost by the middleware': health.infos.lost,
        'matched': counts.matched,
        'camera_infos without an image': '' if health.latched else counts.infos - counts.matched,
        'accepted': counts.accepted,
        'published': counts.published,
        'dropped': counts.dropped,
        'waiting': counts.waiting,
        'waiting for camera_info': counts.unmatched,
        'waiting in queue': health.queued,
        'waiting in window': health.pending,
        'windows': counts.windows,
        'windows lost': counts.windows_lost,
        'runs': counts.runs,
        'images missing': health.missing,
        'latency s': f'{counts.latency_s:.3f}',
        'longest latency s': f'{counts.longest_latency_s:.3f}',
        'images taken': 'all' if health.step == 1 else f'one of {health.step}',
        'metric': health.metric,
        'unit': 'metre' if health.metric else 'constant unit of this run (not metres)',
    }
    values |= {f'dropped: {why}': number for why, number in counts.dropped_for.items()}
    values |= health.outputs.values
    if health.report is not None and health.report.metric_source != 'none':
        values['metric source'] = health.report.metric_source
        values['metric scale'] = f'{health.report.metric_scale:.4g}'
        values['metric uncertainty'] = f'{health.report.metric_uncertainty:.3f}'
        values['metric frames of the last window'] = health.report.metric_frames
    for topic in (health.images, health.infos):
        if topic.misfit:
            values[f'does not fit: {topic.name}'] = topic.misfit
    if counts.last_loss:
        values['last loss'] = counts.last_loss
    if _images_missing(health):
        values['remedy'] = _remedy()
    return values
