"""A result bag as a person looks at it: image, depth and pose of each frame, one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from depthsync_ros.bags.frames import BagCamera, CameraChoice, find_camera
from depthsync_ros.bags.process import DEPTH, ODOMETRY
from depthsync_ros.bags.storage import BagMessage, BagReader, BagVocabulary
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.shapes import Map, Transform
from depthsync_ros.images import decode_depth
from depthsync_ros.messages import nanoseconds, rotation_matrix

MOST_WAITING = 600  # images whose depth has not come by: the bag has none for them


@dataclass(frozen=True, eq=False)
class Result:
    """One frame of a result bag; world_T_cam is None where no pose was derived."""

    frame: Frame
    depth: Map
    world_T_cam: Transform | None


@dataclass
class _Waiting:
    """What has come of frames that are not whole yet, by stamp."""

    frames: dict[int, Frame] = field(default_factory=dict)
    depth: dict[int, Map] = field(default_factory=dict)
    poses: dict[int, Transform] = field(default_factory=dict)

    def forget(self) -> None:
        """Forget the oldest images where too many wait."""
        while len(self.frames) > MOST_WAITING:
            del self.frames[next(iter(self.frames))]


def result_count(bag: BagReader) -> int:
    """
    Count the depth images of a result bag.

    :raises InputError: it holds none.
    """
    count = sum(topic.count for topic in bag.topics if topic.name == DEPTH)
    if not count:
        raise InputError(
            f'{bag.path} holds no {DEPTH}: give a bag that `depthsync bag` has written'
        )
    return count


def read_results(path: Path, choice: CameraChoice) -> Iterator[Result]:
    """
    Give the frames that have depth, in the order of their depth, one at a time.

    Depth is recorded at its image's time, after it; odometry right after the depth.

    :raises InputError: the bag is damaged or holds no depth or no camera.
    """
    words = BagVocabulary()
    with BagReader(path) as bag:
        result_count(bag)
        camera = find_camera(bag, choice, words)
        waiting = _Waiting()
        for message in bag.messages([camera.topic.name, DEPTH, ODOMETRY]):
            _take(message, camera, words, waiting)
            yield from _whole(waiting, last=False)
            waiting.forget()
        yield from _whole(waiting, last=True)


def _take(message: BagMessage, camera: BagCamera, words: BagVocabulary, waiting: _Waiting) -> None:
    if message.topic == camera.topic.name:
        frame = camera.frame(message)
        waiting.frames[frame.stamp_ns] = frame
        return
    read = words.deserialize(message.data, message.msgtype)
    stamp_ns = nanoseconds(read.header.stamp)
    if message.topic == DEPTH:
        waiting.depth[stamp_ns] = decode_depth(read)
    else:
        waiting.poses[stamp_ns] = _pose(read.pose.pose)


def _whole(waiting: _Waiting, *, last: bool) -> Iterator[Result]:
    """Give the frames of which everything has come: their pose, or a later depth."""
    for stamp_ns in [stamp for stamp in waiting.depth if stamp in waiting.frames]:
        newest = max(waiting.depth)
        if last or stamp_ns in waiting.poses or stamp_ns < newest:
            frame, depth = waiting.frames.pop(stamp_ns), waiting.depth.pop(stamp_ns)
            yield Result(frame, depth, waiting.poses.pop(stamp_ns, None))


def _pose(pose: Any) -> Transform:
    turned, moved = pose.orientation, pose.position
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = rotation_matrix(np.array([turned.x, turned.y, turned.z, turned.w]))
    world_T_cam[:3, 3] = moved.x, moved.y, moved.z
    return world_T_cam
