import numpy as np
import pytest

pytest.importorskip('mujoco', reason='mujoco is not installed: make training-setup')

from training.scenes.paths import (
    ease,
    long_path,
    look_angles,
    make_pose,
    NoPathError,
    short_path,
    steady_path,
    turning_path,
    wave,
)
from training.scenes.room import Block, Room, Target


def test_a_level_camera_facing_north_has_right_east_and_down_down() -> None:
    world_T_cam = make_pose(np.array([1.0, 2.0, 3.0]), np.array([np.pi / 2, 0.0, 0.0]))

    assert world_T_cam[:3, 0] == pytest.approx([1, 0, 0], abs=1e-12)
    assert world_T_cam[:3, 1] == pytest.approx([0, 0, -1], abs=1e-12)
    assert world_T_cam[:3, 2] == pytest.approx([0, 1, 0], abs=1e-12)
    assert world_T_cam[:3, 3] == pytest.approx([1, 2, 3])


def test_every_pose_is_a_rotation() -> None:
    angles = np.random.default_rng(0).uniform(-1.2, 1.2, (20, 3))

    for triple in angles:
        rotation = make_pose(np.zeros(3), triple)[:3, :3]
        assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_looking_at_a_point_puts_it_on_the_optical_axis() -> None:
    position, point = np.array([0.3, -1.0, 1.6]), np.array([2.0, 0.5, 0.7])

    world_T_cam = make_pose(position, look_angles(position, point))

    seen = world_T_cam[:3, :3].T @ (point - position)
    assert seen == pytest.approx([0, 0, np.linalg.norm(point - position)], abs=1e-12)


def test_easing_passes_through_its_knots() -> None:
    knots, values = np.array([0.0, 1.0, 2.5]), np.array([[0.0], [3.0], [-1.0]])

    assert ease(knots, knots, values) == pytest.approx(values)


def test_a_wave_moves_no_faster_than_its_stated_speed() -> None:
    sway = wave(np.random.default_rng(1), np.ones(3), 0.1, 0.6)
    times = np.linspace(0, 3, 500)

    speeds = np.linalg.norm(np.diff(sway.at(times), axis=0), axis=1) / np.diff(times)

    # the stated speed is sampled 90 times over the three seconds
    assert speeds.max() == pytest.approx(sway.fastest(3.0), rel=1e-3)


@pytest.mark.parametrize('make', [short_path, long_path, steady_path, turning_path])
def test_no_path_comes_near_the_table_it_looks_at(make) -> None:
    table = Block(x=0.4, y=0, yaw_rad=0.3, half_width=0.8, half_depth=0.5, bottom=0, top=0.75)
    target = Target(point=(0.4, 0.0, 0.75), reach_m=(0.45, 2.0), weight=1.0)
    room = Room(kind='dining', size_m=(4.5, 4.0, 2.5), blocks=[table], targets=[target])
    times = np.linspace(0, 4, 120)
    nearest = []

    for seed in range(12):
        try:
            path = make(np.random.default_rng(seed), room, 4.0)
        except NoPathError:
            continue
        nearest.append(room.clearance(path.poses(times)[:, :3, 3]).min())

    assert len(nearest) >= 6
    # paths are checked at fewer times than here: 3 cm between checks
    assert min(nearest) > 0.22


def test_a_turning_camera_looks_far_around_and_hardly_moves() -> None:
    target = Target(point=(1.5, 0.0, 0.9), reach_m=(0.8, 2.0), weight=1.0)
    room = Room(kind='dining', size_m=(6.0, 5.0, 2.5), blocks=[], targets=[target])

    poses = turning_path(np.random.default_rng(2), room, 15.0).poses(np.arange(0.0, 15.0, 0.1))

    trace = np.einsum('fij,ij->f', poses[:, :3, :3], poses[0, :3, :3])
    assert np.rad2deg(np.arccos((trace.min() - 1.0) / 2.0)) > 20.0
    assert np.ptp(poses[:, :3, 3], axis=0).max() < 0.4
