"""What a bag tells of metres beside its images."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from depthsync_ros.bags.frames import find_depth, IMAGE
from depthsync_ros.bags.storage import BagMessage, BagReader, BagVocabulary, Topic
from depthsync_ros.bags.transforms import LookupFailure, TransformBuffer
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.evidence import DepthMemory, Evidence, thin_out
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.images import decode_depth
from depthsync_ros.messages import nanoseconds, NS_PER_SECOND

TF, TF_STATIC, TF_TYPE = '/tf', '/tf_static', 'tf2_msgs/msg/TFMessage'
AHEAD_NS = 1_000_000_000  # odometry is recorded later than the image it belongs to


class TfOdometry:
    """
    Gives frames the camera's pose in the odometry frame at their stamps.

    Its own pass over the bag's tf runs a second ahead of the images, so memory is bounded.
    """

    def __init__(self, bag: BagReader, odom_frame: str, words: BagVocabulary) -> None:
        self._odom_frame = odom_frame
        self._words = words
        self._buffer = TransformBuffer()
        for message in bag.messages([TF_STATIC]):
            self._add(message, static=True)
        self._ahead = bag.messages([TF])
        self._next: BagMessage | None = next(self._ahead, None)

    def with_evidence(self, log_ns: int, frame: Frame) -> Frame:
        """Add what tf says at the frame's stamp; log_ns is when its image was recorded."""
        while self._next is not None and self._next.log_ns <= log_ns + AHEAD_NS:
            self._add(self._next, static=False)
            self._next = next(self._ahead, None)
        try:
            seen = self._buffer.look_up(self._odom_frame, frame.frame_id, frame.stamp_ns)
        except LookupFailure as failure:
            return replace(frame, evidence=Evidence(missing=str(failure)))
        return replace(frame, evidence=Evidence(odom_T_cam=seen))

    def _add(self, message: BagMessage, *, static: bool) -> None:
        if message.msgtype == TF_TYPE:
            self._buffer.add(self._words.deserialize(message.data, TF_TYPE), static=static)


class DepthImages:
    """
    Gives frames the depth that a depth camera measured at their stamps.

    Its own pass over the bag runs a second ahead of the images, so memory is bounded.
    """

    def __init__(self, bag: BagReader, topic: Topic, slop_ns: int, words: BagVocabulary) -> None:
        self._words = words
        self._topic = topic
        self._memory = DepthMemory(slop_ns)
        self._ahead = bag.messages([topic.name])
        self._next: BagMessage | None = next(self._ahead, None)

    def with_evidence(self, log_ns: int, frame: Frame) -> Frame:
        """Add what was measured at the frame's stamp; log_ns is when its image was recorded."""
        while self._next is not None and self._next.log_ns <= log_ns + AHEAD_NS:
            if self._next.msgtype == IMAGE:
                image = self._words.deserialize(self._next.data, IMAGE)
                self._memory.add(nanoseconds(image.header.stamp), thin_out(decode_depth(image)))
            self._next = next(self._ahead, None)
        found = self._memory.nearest(frame.stamp_ns)
        missing = '' if found else f'{self._topic.name} has none of nearly its stamp'
        return replace(frame, evidence=Evidence(depth=found, missing=missing))


EvidenceSource: TypeAlias = TfOdometry | DepthImages


@contextmanager
def open_evidence(
    path: Path, settings: MetricSettings, depth_topic: str = ''
) -> Iterator[EvidenceSource | None]:
    """
    Open the source of metric evidence that the settings name; None where they name none.

    :raises InputError: the bag cannot hold it.
    """
    if settings.source not in ('odometry', 'depth'):
        yield None
        return
    with BagReader(path) as bag:
        words = BagVocabulary()
        if settings.source == 'depth':
            topic = find_depth(bag, depth_topic, words)
            yield DepthImages(bag, topic, round(settings.depth_slop * NS_PER_SECOND), words)
            return
        if not any((topic.name, topic.msgtype) == (TF, TF_TYPE) for topic in bag.topics):
            raise InputError(
                f'{path} holds no {TF}, which metric.source = odometry reads; record it with the '
                'images, or set metric.source to none'
            )
        yield TfOdometry(bag, settings.odom_frame, words)
