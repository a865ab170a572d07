"""
A video whose brightness is its true disparity, so that the fake network's answer is the truth.

The camera slides along a wavy wall; frames are 32x24 and few.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.datasets.sequence import Shot, Video

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
# No poses: 32 pixels hold no tracks. Linear, so that network pixels are image pixels.
SETTINGS = with_values(
    DepthSyncSettings(),
    {
        'poses.derive': False,
        'depth.upsampling': 'linear',
        'scale.min_pixels': 50,
        'sampling.skip_last': False,  # no noise is left in the answer
    },
)


@dataclass(frozen=True)
class Wave:
    """Disparity in (0, 1) that moves by a quarter pixel a frame, in coarse steps of 4 pixels."""

    frames: int

    def disparity(self, index: int) -> np.ndarray:
        v, u = np.mgrid[: CAMERA.height // 4, : CAMERA.width // 4]
        coarse = 0.5 + 0.2 * np.sin(u / 1.5 + 0.25 * index) + 0.1 * np.cos(v / 2.0 + 0.05 * index)
        return np.kron(coarse, np.ones((4, 4)))

    def depth_m(self, index: int) -> np.ndarray:
        return (1.0 / self.disparity(index)).astype(np.float32)

    def rgb(self, index: int) -> np.ndarray:
        grey = np.round(255.0 * self.disparity(index)).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)

    def world_T_cam(self, index: int) -> np.ndarray:
        pose = np.eye(4)
        pose[:3, 3] = 0.05 * index, 0.01 * index**1.5, 0.02 * np.sin(index)
        return pose

    def video(self, name: str = 'wave') -> Video:
        shots = [
            Shot(
                1_000_000_000 + 33_333_333 * i,
                partial(self.rgb, i),
                partial(self.depth_m, i),
                self.world_T_cam(i),
            )
            for i in range(self.frames)
        ]
        return Video(name, CAMERA, 10.0, shots)
