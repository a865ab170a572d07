"""A made-up video with known truth: a wavy wall seen by a camera that moves and turns."""

from dataclasses import dataclass

import cv2
import numpy as np

from depthsync_ros.core.camera import Camera

CAMERA = Camera(48, 36, 40.0, 41.0, 23.2, 17.9)


@dataclass(frozen=True)
class Video:
    """Truth and a noisy prediction of it."""

    disparity: np.ndarray
    truth_m: np.ndarray
    world_T_cam: np.ndarray
    camera: Camera


def noisy_video(frames: int = 8, seed: int = 7) -> Video:
    """
    Make arrays from a seed alone.

    Convention: float64 throughout; the prediction holds float32 values, because the public
        evaluations read it as such. Some truth is 0 (invalid), some beyond 10 m.
    """
    random = np.random.default_rng(seed)
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    truth = np.stack(
        [3.0 + np.sin(u / 9.0 + 0.2 * i) + 0.5 * np.cos(v / 5.0) + 0.02 * u for i in range(frames)]
    )
    disparity = 0.7 / truth - 0.05 + random.normal(0.0, 0.08, truth.shape)
    truth[:, :3, 4:20] = 0.0
    truth[:, 20:24, :5] = 12.0
    poses = np.tile(np.eye(4), (frames, 1, 1))
    for i in range(frames):
        angle = 0.01 * i
        poses[i, :3, :3] = [
            [np.cos(angle), 0.0, np.sin(angle)],
            [0.0, 1.0, 0.0],
            [-np.sin(angle), 0.0, np.cos(angle)],
        ]
        poses[i, :3, 3] = 0.03 * i, -0.01 * i, 0.02 * i
    return Video(disparity.astype(np.float32).astype(np.float64), truth, poses, CAMERA)


def random_video(seed: int, frames: int = 8) -> Video:
    """
    Make arrays at random: what is known differs from frame to frame, the sizes differ too.

    Convention: as `noisy_video`; the last frame has no valid truth, the prediction is smaller
        than the truth and partly 0 or negative, and the camera turns about every axis.
    """
    random = np.random.default_rng(seed)
    blocks = random.uniform(0.4, 11.0, (frames, CAMERA.height // 4, CAMERA.width // 4))
    truth = np.kron(blocks, np.ones((1, 4, 4)))
    half = truth[:, ::2, ::2]
    disparity = 0.4 / half - 0.05 + random.normal(0.0, 0.05, half.shape)
    for i in range(frames):
        truth[i][random.random(truth[i].shape) < i / (frames - 1)] = 0.0
    poses = np.tile(np.eye(4), (frames, 1, 1))
    for i in range(frames):
        poses[i, :3, :3] = cv2.Rodrigues(random.normal(0.0, 0.01, 3))[0]
        poses[i, :3, 3] = random.normal(0.0, 0.02, 3)
    return Video(disparity.astype(np.float32).astype(np.float64), truth, poses, CAMERA)
