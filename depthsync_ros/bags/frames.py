"""Find the camera in a bag and read it as the core's frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from depthsync_ros.bags.storage import BagMessage, BagReader, BagVocabulary, Topic
from depthsync_ros.calibration import (
    Calibration,
    camera_for,
    parse_calibration,
    read_calibration,
)
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.shapes import RgbImage
from depthsync_ros.images import decode, decode_compressed, DEPTH_ENCODINGS
from depthsync_ros.messages import nanoseconds

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO, POINT_CLOUD = 'sensor_msgs/msg/CameraInfo', 'sensor_msgs/msg/PointCloud2'
RESULTS = '/depthsync/'  # what the bag tool writes: no measurement to hold depth against
FILE_REMEDY = 'give a camera_calibration YAML file with --camera-info FILE'


@dataclass(frozen=True)
class CameraChoice:
    """Which camera of a bag is meant; empty names are found by type."""

    image_topic: str = ''
    info_topic: str = ''
    info_file: Path | None = None
    rectified: bool = False


@dataclass(frozen=True)
class Calibrations:
    """
    The calibration of every image of a bag.

    Convention: where all camera_info messages of the topic say the same, it holds for every
        image, whatever its stamp (latched and slower camera_info work); where they differ,
        an image takes the one of its own stamp.
    """

    distinct: Sequence[Calibration]
    number_at: dict[int, int] = field(default_factory=dict)

    def at(self, stamp_ns: int) -> Calibration:
        """
        Return an image's calibration.

        :raises InputError: camera_info changes and none has this stamp.
        """
        if len(self.distinct) == 1:
            return self.distinct[0]
        number = self.number_at.get(stamp_ns)
        if number is None:
            raise InputError(
                f'camera_info changes ({len(self.distinct)} calibrations) and none is stamped '
                f'{stamp_ns} like the image; record both with equal stamps, or {FILE_REMEDY}'
            )
        return self.distinct[number]


@dataclass(frozen=True)
class BagCamera:
    """One camera of a bag: its topic and calibrations."""

    topic: Topic
    calibrations: Calibrations
    rectified: bool
    words: BagVocabulary

    def frame(self, message: BagMessage) -> Frame:
        """
        Decode one image message.

        :raises InputError: the encoding is unknown, or image and calibration do not fit.
        """
        image = self.words.deserialize(message.data, message.msgtype)
        stamp_ns = nanoseconds(image.header.stamp)
        rgb = _pixels(image, message)
        height, width = rgb.shape[:2]
        camera = camera_for(
            self.calibrations.at(stamp_ns), width=width, height=height, rectified=self.rectified
        )
        return Frame(stamp_ns, image.header.frame_id, rgb, camera)


def find_camera(bag: BagReader, choice: CameraChoice, words: BagVocabulary) -> BagCamera:
    """
    Find the camera that is meant and read its calibration (all of the topic: one pass).

    :raises InputError: there is none, or several; the message lists what there is.
    """
    topic = _image_topic(bag, choice.image_topic, words)
    if choice.info_file is not None:
        calibrations = Calibrations((read_calibration_file(choice.info_file),))
    else:
        info = _info_topic(bag, choice.info_topic, topic)
        calibrations = _read_calibrations(bag, info, words)
    return BagCamera(topic, calibrations, choice.rectified, words)


def read_frames(bag: BagReader, camera: BagCamera) -> Iterator[tuple[int, Frame]]:
    """Give the camera's frames, each with the time it was recorded at; one at a time."""
    for message in bag.messages([camera.topic.name]):
        if message.msgtype == camera.topic.msgtype:
            yield message.log_ns, camera.frame(message)


def find_depth(bag: BagReader, name: str, words: BagVocabulary) -> Topic:
    """
    Find the depth images that are meant: the topic of this name, or the only one.

    :raises InputError: there is none, or several; the message lists what there is.
    """
    images = _measured(bag, IMAGE)
    if name:
        return _named(bag, images, name, 'depth')
    depth = [topic for topic in images if topic.count and _holds_depth(bag, topic, words)]
    return _only(bag, depth, 'depth images', 'depth')


def find_points(bag: BagReader, name: str) -> Topic:
    """
    Find the point clouds that are meant: the topic of this name, or the only one.

    :raises InputError: there is none, or several; the message lists what there is.
    """
    clouds = _measured(bag, POINT_CLOUD)
    if name:
        return _named(bag, clouds, name, 'point cloud')
    return _only(bag, [topic for topic in clouds if topic.count], 'point clouds', 'points')


def _measured(bag: BagReader, msgtype: str) -> list[Topic]:
    return [t for t in bag.topics if t.msgtype == msgtype and not t.name.startswith(RESULTS)]


def read_calibration_file(path: Path) -> Calibration:
    """
    Read a camera_calibration YAML file.

    :raises InputError: it cannot be read, or is not a calibration.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f'{path} cannot be read as YAML: {error}') from None
    return parse_calibration(document, str(path))


def _pixels(image: Any, message: BagMessage) -> RgbImage:
    try:
        return decode(image) if message.msgtype == IMAGE else decode_compressed(image)
    except InputError as error:
        stamp_ns = nanoseconds(image.header.stamp)
        raise InputError(f'{message.topic}, image stamped {stamp_ns}: {error}') from None


def _image_topic(bag: BagReader, name: str, words: BagVocabulary) -> Topic:
    images = [topic for topic in bag.topics if topic.msgtype in (IMAGE, COMPRESSED)]
    if name:
        return _named(bag, images, name, 'image')
    filled = [topic for topic in images if topic.count]
    colour = [topic for topic in filled if not _holds_depth(bag, topic, words)]
    if len(colour) == 1:
        return colour[0]
    if colour:
        raise InputError(
            f'{bag.path} holds several image topics: {_listing(colour)}; choose one with '
            '--image-topic'
        )
    only_depth = f' but those of depth ({_listing(filled)})' if filled else ''
    raise InputError(
        f'{bag.path} holds no images{only_depth}; there are {_listing(bag.topics)}; choose one '
        'with --image-topic if it is a camera after all'
    )


def _info_topic(bag: BagReader, name: str, image: Topic) -> Topic:
    """Take the camera_info beside the image topic, as drivers name it, or the only one."""
    infos = [topic for topic in bag.topics if topic.msgtype == CAMERA_INFO]
    if name:
        return _named(bag, infos, name, 'camera_info')
    filled = [topic for topic in infos if topic.count]
    base = image.name.removesuffix('/compressed') if image.msgtype == COMPRESSED else image.name
    beside = f'{base.rpartition("/")[0]}/camera_info'
    fitting = [topic for topic in filled if topic.name == beside]
    if fitting or len(filled) == 1:
        return (fitting or filled)[0]
    if filled:
        raise InputError(
            f'{bag.path} holds several camera_info topics and none of them is {beside}: '
            f'{_listing(filled)}; choose one with --info-topic'
        )
    raise InputError(
        f'{bag.path} holds no camera_info for {image.name}; there are {_listing(bag.topics)}; '
        f'record it with the images, or {FILE_REMEDY}'
    )


def _only(bag: BagReader, topics: Sequence[Topic], kind: str, source: str) -> Topic:
    if len(topics) == 1:
        return topics[0]
    what = f'several topics of {kind}: {_listing(topics)}' if topics else f'no {kind}'
    raise InputError(
        f'{bag.path} holds {what}; metric.source = {source} reads one: name it with '
        '--depth-topic, or set metric.source to another'
    )


def _named(bag: BagReader, topics: Sequence[Topic], name: str, kind: str) -> Topic:
    named = [topic for topic in topics if topic.name == name]
    if not named or not named[0].count:
        what = 'is empty' if named else 'is not there'
        raise InputError(
            f'{bag.path}: the {kind} topic {name} {what}; there are '
            f'{_listing(topics) or "none of its type"}'
        )
    return named[0]


def _holds_depth(bag: BagReader, topic: Topic, words: BagVocabulary) -> bool:
    """Look at a topic's first message; depth images share their type with colour ones."""
    for message in bag.messages([topic.name]):
        if message.msgtype == topic.msgtype:
            image = words.deserialize(message.data, message.msgtype)
            if topic.msgtype == IMAGE:
                return image.encoding in DEPTH_ENCODINGS
            return 'compressedDepth' in image.format
    return False


def _read_calibrations(bag: BagReader, topic: Topic, words: BagVocabulary) -> Calibrations:
    numbers: dict[Calibration, int] = {}
    number_at: dict[int, int] = {}
    for message in bag.messages([topic.name]):
        info = words.deserialize(message.data, message.msgtype)
        number = numbers.setdefault(read_calibration(info), len(numbers))
        number_at[nanoseconds(info.header.stamp)] = number
    if not numbers:
        raise InputError(f'{bag.path}: {topic.name} is empty; {FILE_REMEDY}')
    distinct = tuple(numbers)
    return Calibrations(distinct, number_at if len(distinct) > 1 else {})


def _listing(topics: Sequence[Topic]) -> str:
    return ', '.join(f'{topic.name} ({topic.msgtype}, {topic.count})' for topic in topics)
