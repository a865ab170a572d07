import numpy as np
import pytest

from training.scenes.paths import ease, look_angles, make_pose, wave


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
