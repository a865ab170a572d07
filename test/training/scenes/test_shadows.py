import numpy as np
import pytest

pytest.importorskip('mujoco', reason='mujoco is not installed: make training-setup')

from training.scenes.paths import make_pose
from training.scenes.shadows import lit, MAP_FOV_DEG, MAP_SIDE, ShadowMap

DOWN = np.array([0.0, -np.pi / 2, 0.0])


def test_the_floor_under_a_shade_is_dark_and_beside_it_is_light() -> None:
    # a lamp 2 m up, a square shade 1 m below it that covers half a metre to each side
    focal = MAP_SIDE / 2 / np.tan(np.deg2rad(MAP_FOV_DEG) / 2)
    pixel = np.abs(np.arange(MAP_SIDE) - (MAP_SIDE - 1) / 2) / focal
    shade = (pixel[:, None] < 0.5) & (pixel[None] < 0.5)
    depth = np.where(shade, 1.0, 2.0).astype(np.float32)
    shadow_map = ShadowMap(world_T_lamp=make_pose(np.array([0, 0, 2.0]), DOWN), depth_m=depth)

    # a camera where the lamp is sees 1.7 m of floor to each side; the shadow reaches 1 m
    world_T_cam = make_pose(np.array([0, 0, 2.0]), DOWN)
    light = lit(shadow_map, np.full((101, 101), 2.0, np.float32), world_T_cam, 50 / 0.85)

    reach = np.abs(np.arange(101) - 50) * 0.85 / 50 * 2
    assert (light[50, reach < 0.95] == 0).all()
    assert (light[50, reach > 1.05] == 1).all()
