"""What a bag tells of metres beside its images."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from depthsync_ros.bags.frames import find_depth, find_points, IMAGE, POINT_CLOUD
from depthsync_ros.bags.storage import BagMessage, BagReader, BagVocabulary, Topic
from depthsync_ros.bags.transforms import LookupFailure, TransformBuffer
from depthsync_ros.clouds import read_cloud
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.evidence import Evidence, MetricDepth, Recent, thin_out
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.points import Cloud, see_cloud
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.images import decode_depth
from depthsync_ros.messages import nanoseconds, NS_PER_SECOND

TF, TF_STATIC, TF_TYPE = '/tf', '/tf_static', 'tf2_msgs/msg/TFMessage'
AHEAD_NS = 1_000_000_000  # what belongs to an image may be recorded later than it


class Ahead:
    """A pass of its own over some topics, a second ahead of the images: memory is bounded."""

    def __init__(self, bag: BagReader, topics: Collection[str]) -> None:
        self._messages = bag.messages(topics)
        self._next: BagMessage | None = next(self._messages, None)

    def until(self, log_ns: int) -> Iterator[BagMessage]:
        """Give what was recorded up to a second after this time, and was not given before."""
        while self._next is not None and self._next.log_ns <= log_ns + AHEAD_NS:
            yield self._next
            self._next = next(self._messages, None)


class BagTf:
    """The bag's tf: all of /tf_static, and as much of /tf as was heard."""

    def __init__(self, bag: BagReader, words: BagVocabulary) -> None:
        self._words = words
        self._buffer = TransformBuffer()
        self.look_up = self._buffer.look_up
        for message in bag.messages([TF_STATIC]):
            self._add(message, static=True)

    def hear(self, message: BagMessage) -> None:
        """Take a message of /tf."""
        self._add(message, static=False)

    def _add(self, message: BagMessage, *, static: bool) -> None:
        if message.msgtype == TF_TYPE:
            self._buffer.add(self._words.deserialize(message.data, TF_TYPE), static=static)


class TfOdometry:
    """Gives frames the camera's pose in the odometry frame at their stamps."""

    def __init__(self, bag: BagReader, odom_frame: str, words: BagVocabulary) -> None:
        self._odom_frame = odom_frame
        self._tf = BagTf(bag, words)
        self._ahead = Ahead(bag, [TF])

    def with_evidence(self, log_ns: int, frame: Frame) -> Frame:
        """Add what tf says at the frame's stamp; log_ns is when its image was recorded."""
        for message in self._ahead.until(log_ns):
            self._tf.hear(message)
        try:
            seen = self._tf.look_up(self._odom_frame, frame.frame_id, frame.stamp_ns)
        except LookupFailure as failure:
            return replace(frame, evidence=Evidence(missing=str(failure)))
        return replace(frame, evidence=Evidence(odom_T_cam=seen))


class DepthImages:
    """Gives frames the depth that a depth camera measured nearest to their stamps."""

    def __init__(self, bag: BagReader, topic: Topic, slop_ns: int, words: BagVocabulary) -> None:
        self._words = words
        self._topic = topic
        self._recent: Recent[MetricDepth] = Recent(slop_ns)
        self._ahead = Ahead(bag, [topic.name])

    def with_evidence(self, log_ns: int, frame: Frame) -> Frame:
        """Add what was measured at the frame's stamp; log_ns is when its image was recorded."""
        for message in self._ahead.until(log_ns):
            if message.msgtype == IMAGE:
                image = self._words.deserialize(message.data, IMAGE)
                with _of(message, image):
                    depth = thin_out(decode_depth(image))
                self._recent.add(nanoseconds(image.header.stamp), depth)
        found = self._recent.nearest(frame.stamp_ns)
        return replace(frame, evidence=Evidence(depth=found) if found else _none_of(self._topic))


class PointClouds:
    """
    Gives frames the cloud that was measured nearest to their stamps, placed by tf.

    tf is asked at the cloud's stamp: how far the robot moved between the two is not undone.
    """

    def __init__(self, bag: BagReader, topic: Topic, slop_ns: int, words: BagVocabulary) -> None:
        self._words = words
        self._topic = topic
        self._recent: Recent[Cloud] = Recent(slop_ns)
        self._tf = BagTf(bag, words)
        self._ahead = Ahead(bag, [TF, topic.name])

    def with_evidence(self, log_ns: int, frame: Frame) -> Frame:
        """Add what was measured at the frame's stamp; log_ns is when its image was recorded."""
        for message in self._ahead.until(log_ns):
            self._hear(message)
        cloud = self._recent.nearest(frame.stamp_ns)
        seen = _none_of(self._topic) if cloud is None else self._see(frame, cloud)
        return replace(frame, evidence=seen)

    def _hear(self, message: BagMessage) -> None:
        if message.msgtype == POINT_CLOUD:
            points = self._words.deserialize(message.data, POINT_CLOUD)
            with _of(message, points):
                cloud = read_cloud(points)
            self._recent.add(cloud.stamp_ns, cloud)
        else:
            self._tf.hear(message)

    def _see(self, frame: Frame, cloud: Cloud) -> Evidence:
        try:
            cam_T_cloud = self._tf.look_up(frame.frame_id, cloud.frame_id, cloud.stamp_ns)
        except LookupFailure as failure:
            return Evidence(missing=str(failure))
        return see_cloud(frame.camera, cam_T_cloud, cloud)


EvidenceSource: TypeAlias = TfOdometry | DepthImages | PointClouds


@contextmanager
def open_evidence(
    path: Path, settings: MetricSettings, depth_topic: str = ''
) -> Iterator[EvidenceSource | None]:
    """
    Open the source of metric evidence that the settings name; None where they name none.

    :raises InputError: the bag cannot hold it.
    """
    if settings.source not in ('odometry', 'depth', 'points'):
        yield None
        return
    slop_ns = round(settings.depth_slop * NS_PER_SECOND)
    with BagReader(path) as bag:
        words = BagVocabulary()
        if settings.source == 'depth':
            yield DepthImages(bag, find_depth(bag, depth_topic, words), slop_ns, words)
            return
        if settings.source == 'points':
            yield PointClouds(bag, find_points(bag, depth_topic), slop_ns, words)
            return
        if not any((topic.name, topic.msgtype) == (TF, TF_TYPE) for topic in bag.topics):
            raise InputError(
                f'{path} holds no {TF}, which metric.source = odometry reads; record it with the '
                'images, or set metric.source to none'
            )
        yield TfOdometry(bag, settings.odom_frame, words)


@contextmanager
def _of(message: BagMessage, content: Any) -> Iterator[None]:
    """Say which message it is that cannot be read."""
    try:
        yield
    except InputError as error:
        stamp_ns = nanoseconds(content.header.stamp)
        raise InputError(f'{message.topic}, stamped {stamp_ns}: {error}') from None


def _none_of(topic: Topic) -> Evidence:
    return Evidence(missing=f'{topic.name} has none of nearly its stamp')
