"""
Shadows of one lamp, from a depth picture taken at the lamp.

mujoco's own shadows draw the whole scene twice more for every frame; a room that stands still
needs the lamp's view only once.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from training.scenes.paths import make_pose
from training.scenes.world import Camera

MAP_SIDE, MAP_FOV_DEG = 512, 140.0
BIAS_M, BIAS_SHARE = 0.02, 0.015
TAPS = ((-0.7, -0.3), (0.3, -0.7), (0.7, 0.3), (-0.3, 0.7))


@dataclass(frozen=True, kw_only=True)
class ShadowMap:
    """Depth seen from a lamp. Shapes: depth_m (MAP_SIDE, MAP_SIDE)."""

    world_T_lamp: np.ndarray
    depth_m: np.ndarray


def look_from(camera: Camera, position: np.ndarray, towards: np.ndarray) -> ShadowMap:
    offset = towards - position
    yaw = np.arctan2(offset[1], offset[0])
    pitch = np.arctan2(offset[2], np.hypot(offset[0], offset[1]))
    world_T_lamp = make_pose(position, np.array([yaw, pitch, 0.0]))
    _, depth_m = camera.draw(world_T_lamp, MAP_FOV_DEG, (MAP_SIDE, MAP_SIDE))
    return ShadowMap(world_T_lamp=world_T_lamp, depth_m=depth_m)


def lit(
    shadow_map: ShadowMap, depth_m: np.ndarray, world_T_cam: np.ndarray, fx: float
) -> np.ndarray:
    """
    Tell which pixels the lamp reaches.

    Shapes: depth (H, W) -> (H, W) from 0, in shadow, to 1, in light.
    """
    height, width = depth_m.shape
    lamp_T_cam = (np.linalg.inv(shadow_map.world_T_lamp) @ world_T_cam).astype(np.float32)
    u = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / np.float32(fx)
    v = ((np.arange(height, dtype=np.float32) - (height - 1) / 2) / np.float32(fx))[:, None]
    x, y, z = (
        depth_m * (lamp_T_cam[k, 0] * u + lamp_T_cam[k, 1] * v + lamp_T_cam[k, 2])
        + lamp_T_cam[k, 3]
        for k in range(3)
    )
    focal = np.float32(MAP_SIDE / 2 / np.tan(np.deg2rad(MAP_FOV_DEG) / 2))
    ahead = np.maximum(z, 0.01)
    column = focal * x / ahead + (MAP_SIDE - 1) / 2
    row = focal * y / ahead + (MAP_SIDE - 1) / 2
    threshold = ahead * (1 - BIAS_SHARE) - BIAS_M
    light = np.zeros_like(depth_m)
    for dx, dy in TAPS:
        nearest = cv2.remap(
            shadow_map.depth_m,
            column + np.float32(dx),
            row + np.float32(dy),
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=1e6,
        )
        light += (nearest > threshold) | (z < 0.02)
    return light / len(TAPS)
