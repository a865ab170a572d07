"""
A scene with known depth and poses: a slanted wall, seen by a camera that moves and turns.

The tests write it in a dataset's official layout, units and conventions, and ask for it back.
"""

from dataclasses import dataclass
from pathlib import Path
import pickle

import cv2
import numpy as np
import pytest

from depthsync_ros.core.camera import Camera
from depthsync_ros.datasets.sequence import Video
from depthsync_ros.messages import rotation_matrix

NORMAL = np.array([0.2, -0.15, 1.0]) / np.linalg.norm([0.2, -0.15, 1.0])
DISTANCE_M = 3.0
COLOUR = (200, 120, 40)  # red, green, blue: an order that can be told
DARK = (90, 60, 20)  # of the image's right half and of its lower one, so that places can be told
EDGE_PIXELS = 16  # around the borders of the halves, where JPEG and resizing mix them
HOLE = np.s_[50:70, 100:130]  # pixels whose depth is invalid


@dataclass(frozen=True)
class Wall:
    """The wall n . X = d in the world, and the camera's path; optical frames, metres."""

    camera: Camera
    frames: int = 3
    distance_m: float = DISTANCE_M

    def world_T_cam(self, index: int) -> np.ndarray:
        """Give a pose that turns about every axis and moves along every axis, each differently."""
        pose = np.eye(4)
        pose[:3, :3] = rotation_matrix(np.array([0.03 * index, -0.05 * index, 0.02 * index, 1.0]))
        pose[:3, 3] = 0.10 * index, -0.04 * index, 0.07 * index
        return pose

    def depth_m(self, index: int) -> np.ndarray:
        """Intersect every pixel's ray with the wall; NaN in the hole."""
        camera, pose = self.camera, self.world_T_cam(index)
        v, u = np.mgrid[: camera.height, : camera.width]
        directions = np.stack(
            [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0 + 0 * u]
        )
        along = np.einsum('i,ij,jhw->hw', NORMAL, pose[:3, :3], directions)
        depth = (self.distance_m - NORMAL @ pose[:3, 3]) / along
        depth[HOLE] = np.nan
        return depth

    def steps(self, index: int, per_metre: float, invalid: int = 0) -> np.ndarray:
        """Give depth as a 16-bit image."""
        depth = self.depth_m(index)
        return np.where(np.isnan(depth), invalid, np.round(depth * per_metre)).astype(np.uint16)

    def rgb(self, width: int = 0, height: int = 0) -> np.ndarray:
        """Give an image that is bright in its upper left quarter alone."""
        shape = (height or self.camera.height, width or self.camera.width, 3)
        pixels = np.full(shape, DARK, np.uint8)
        pixels[: shape[0] // 2, : shape[1] // 2] = COLOUR
        return pixels


def write_image(file: Path, pixels: np.ndarray) -> None:
    """Write RGB or depth; makes the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), pixels[..., ::-1] if pixels.ndim == 3 else pixels)


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """Give (x, y, z, w) of a small rotation, without the code under test."""
    w = np.sqrt(1.0 + np.trace(rotation)) / 2.0
    turned = rotation - rotation.T
    xyz = np.array([turned[2, 1], turned[0, 2], turned[1, 0]]) / (4.0 * w)
    return np.append(xyz, w)


def tum_line(time: str, pose: np.ndarray) -> str:
    """Write one line of a trajectory."""
    numbers = [*pose[:3, 3], *quaternion(pose[:3, :3])]
    return f'{time} ' + ' '.join(f'{number:.9f}' for number in numbers) + '\n'


def check(
    video: Video,
    wall: Wall,
    *,
    step_m: float,
    pose_tolerance: float = 1e-6,
    max_depth_m: float = 10.0,
) -> None:
    """
    Compare what was read with the scene: colour, depth, holes, camera, and poses between frames.

    step_m is half a step of the format's depth. Poses are compared relative to the first, so
    that the world's axes, which a dataset may choose, do not matter, but the camera's do.
    """
    video = pickle.loads(pickle.dumps(video))  # as it reaches another process
    rows, columns = video.crop.rows, video.crop.columns
    inside = np.s_[rows : wall.camera.height - rows, columns : wall.camera.width - columns]
    assert len(video) == wall.frames
    first = video.read(0).world_T_cam
    for index in range(wall.frames):
        frame = video.read(index)
        expected = wall.depth_m(index)[inside]
        check_colour(frame.frame.rgb, wall.rgb()[inside])
        assert np.array_equal(np.isnan(frame.depth_m), np.isnan(expected))
        assert np.nanmax(np.abs(frame.depth_m - expected)) <= step_m + 1e-6  # float32
        relative = np.linalg.inv(first) @ frame.world_T_cam
        true = np.linalg.inv(wall.world_T_cam(0)) @ wall.world_T_cam(index)
        assert relative == pytest.approx(true, abs=pose_tolerance)
    view = video.view
    assert (view.width, view.height) == video.read(0).frame.rgb.shape[1::-1]
    assert view.cx == wall.camera.cx - columns
    assert view.cy == wall.camera.cy - rows
    # 1e-6: a calibration may be stored as float32
    assert (view.fx, view.fy) == pytest.approx((wall.camera.fx, wall.camera.fy), rel=1e-6)
    assert video.max_depth_m == max_depth_m


def check_colour(rgb: np.ndarray, expected: np.ndarray) -> None:
    """Compare images but for the neighbourhood of the borders."""
    size = 2 * EDGE_PIXELS + 1
    kernel = np.ones((size, size), np.uint8)
    flat = (cv2.dilate(expected, kernel) == cv2.erode(expected, kernel)).all(axis=2)
    difference = np.abs(rgb.astype(int) - expected)[flat]
    assert flat.mean() > 0.5
    assert difference.max() <= 2  # JPEG moves it a little
