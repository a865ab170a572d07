"""The ground plane under a camera of known height."""

import numpy as np
import pytest

from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.ground import ground_height
from depthsync_ros.core.rigid import exponential

HEIGHT = 1.2


def floor(tilt_rad: float = 0.0, noise: float = 0.0, points: int = 2000) -> np.ndarray:
    """See a floor HEIGHT below a camera that looks down by tilt_rad; noise is relative."""
    generator = np.random.default_rng(0)
    x, z = generator.uniform(-2.0, 2.0, points), generator.uniform(1.5, 5.0, points)
    seen = np.stack([x, np.full(points, HEIGHT), z], axis=1)
    turned = seen @ exponential(np.array([0.0, 0.0, 0.0, tilt_rad, 0.0, 0.0]))[:3, :3].T
    return turned * (1.0 + noise * generator.normal(size=(points, 1)))


def clutter(points: int, below: float = 0.0) -> np.ndarray:
    """Put boxes on the floor; below > 0 puts them under it instead."""
    generator = np.random.default_rng(1)
    y = generator.uniform(0.3, 1.0, points) if not below else HEIGHT + below
    x, z = generator.uniform(-2.0, 2.0, points), generator.uniform(2.0, 4.0, points)
    return np.stack([x, np.broadcast_to(y, points), z], axis=1)


def test_the_height_is_that_of_the_floor_also_where_the_camera_leans() -> None:
    assert ground_height(floor()) == pytest.approx(HEIGHT, rel=1e-9)
    assert ground_height(floor(tilt_rad=0.2)) == pytest.approx(HEIGHT, rel=1e-9)


def test_the_height_follows_the_unit() -> None:
    assert ground_height(3.0 * floor()) == pytest.approx(3.0 * HEIGHT, rel=1e-9)


def test_noise_and_furniture_move_it_little() -> None:
    seen = np.concatenate([floor(noise=0.02), clutter(1500)])

    assert ground_height(seen) == pytest.approx(HEIGHT, rel=0.02)  # noise of 2 % on 2000 points


def test_a_table_with_floor_under_it_is_no_ground() -> None:
    table_and_floor = np.concatenate([floor(), clutter(900, below=0.7)])

    with pytest.raises(ScaleError, match='no plausible ground is in view'):
        ground_height(table_and_floor)


def test_a_camera_that_looks_down_far_or_at_a_wall_is_refused() -> None:
    with pytest.raises(ScaleError, match='ground'):
        ground_height(floor(tilt_rad=0.6))
    wall = np.random.default_rng(2).uniform((-2.0, -1.0, 3.0), (2.0, 2.0, 3.01), (2000, 3))
    with pytest.raises(ScaleError, match='ground'):
        ground_height(wall)


def test_too_few_points_below_the_horizon_say_nothing() -> None:
    with pytest.raises(ScaleError, match='200 are needed to find the ground'):
        ground_height(floor(points=100))
