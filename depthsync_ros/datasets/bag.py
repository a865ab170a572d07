"""
A rosbag2 whose truth is recorded beside the camera, as `depthsync import` writes it.

/truth/depth: sensor_msgs/Image, 16UC1 millimetres (0 invalid) or 32FC1 metres (NaN invalid), REP
118. /truth/odometry: nav_msgs/Odometry, the optical frame in the world. Both belong to the
image of the nearest stamp within 20 ms. The bag is read whole; its messages stay in memory.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from depthsync_ros.bags.frames import BagCamera, CameraChoice, find_camera
from depthsync_ros.bags.storage import BagMessage, BagReader, BagVocabulary
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Map, RgbImage, Transform
from depthsync_ros.datasets.sequence import INDOOR_M, pose, Shot, Video
from depthsync_ros.datasets.tum import associate
from depthsync_ros.messages import nanoseconds

DEPTH, ODOMETRY = '/truth/depth', '/truth/odometry'
WITHIN_NS = 20_000_000
DEPTHS = {'16UC1': ('u2', 1000.0), 'mono16': ('u2', 1000.0), '32FC1': ('f4', 1.0)}


def open_bag(root: Path) -> list[Video]:
    """
    Open a bag, or every bag in a folder.

    :raises InputError: a bag is damaged, or holds no camera or no true depth.
    """
    if root.is_file() or (root / 'metadata.yaml').exists():
        return [_open(root)]
    bags = sorted(file.parent for file in root.glob('*/metadata.yaml'))
    if not bags:
        raise InputError(f'{root} is no bag and holds none (no metadata.yaml)')
    return [_open(path) for path in bags]


def decode_depth(message: Any) -> Map:
    """
    Turn a depth image into metres, NaN where invalid.

    :raises InputError: it is encoded in another way.
    """
    if message.encoding not in DEPTHS:
        raise InputError(
            f'true depth is encoded as {message.encoding!r}; known are {", ".join(DEPTHS)}'
        )
    kind, per_metre = DEPTHS[message.encoding]
    order = '>' if message.is_bigendian else '<'
    rows = np.frombuffer(bytes(message.data), np.uint8).reshape(message.height, message.step)
    bytes_wide = message.width * np.dtype(kind).itemsize
    steps = np.ascontiguousarray(rows[:, :bytes_wide]).view(order + kind)
    depth = steps.astype(np.float32) / np.float32(per_metre)
    depth[~(depth > 0.0)] = np.nan
    return depth


def _open(path: Path) -> Video:
    words = BagVocabulary()
    with BagReader(path) as bag:
        camera = find_camera(bag, CameraChoice(), words)
        images = _by_stamp(words, bag, camera.topic.name)
        depths = _by_stamp(words, bag, DEPTH)
        odometry = _by_stamp(words, bag, ODOMETRY)
    if not depths:
        raise InputError(f'{path} holds no depth on {DEPTH}')
    stamps = np.array(list(images))
    depth_of = _nearest(stamps, depths)
    pose_of = _nearest(stamps, odometry)
    first = camera.frame(images[int(stamps[0])])
    shots = [
        Shot(
            int(stamp),
            partial(_rgb, camera, images[int(stamp)]),
            partial(_depth, words, depth_of[i]) if i in depth_of else None,
            _pose(words, pose_of[i], first.frame_id, path) if i in pose_of else None,
        )
        for i, stamp in enumerate(stamps)
    ]
    return Video(path.stem, _on_depth(first.camera, words, depths), INDOOR_M, shots)


def _on_depth(camera: Camera, words: BagVocabulary, depths: dict[int, BagMessage]) -> Camera:
    """Give the colour camera on the grid of the depth image, which may be coarser."""
    message = next(iter(depths.values()))
    image = words.deserialize(message.data, message.msgtype)
    return camera.resized(image.width, image.height)


def _by_stamp(words: BagVocabulary, bag: BagReader, topic: str) -> dict[int, BagMessage]:
    """Give a topic's messages in the order of their stamps."""
    if topic not in {known.name for known in bag.topics}:
        return {}
    messages = {
        nanoseconds(words.deserialize(message.data, message.msgtype).header.stamp): message
        for message in bag.messages([topic])
    }
    return dict(sorted(messages.items()))


def _nearest(stamps: np.ndarray, messages: dict[int, BagMessage]) -> dict[int, BagMessage]:
    found = list(messages.values())
    pairs = associate(stamps, np.array(list(messages), np.int64), WITHIN_NS)
    return {i: found[j] for i, j in pairs}


def _rgb(camera: BagCamera, message: BagMessage) -> RgbImage:
    return camera.frame(message).rgb


def _depth(words: BagVocabulary, message: BagMessage) -> Map:
    return decode_depth(words.deserialize(message.data, message.msgtype))


def _pose(words: BagVocabulary, message: BagMessage, frame_id: str, path: Path) -> Transform:
    odometry = words.deserialize(message.data, message.msgtype)
    if odometry.child_frame_id != frame_id:
        raise InputError(
            f"{path}: {ODOMETRY} is of {odometry.child_frame_id!r}, the images' frame is "
            f"{frame_id!r}; record the optical frame's own odometry"
        )
    position, turn = odometry.pose.pose.position, odometry.pose.pose.orientation
    return pose(
        np.array([position.x, position.y, position.z]), np.array([turn.x, turn.y, turn.z, turn.w])
    )
