import sys

import numpy as np
import pytest

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.trajectory import aligned_positions, pose_errors

pytest.importorskip('evo', reason='evo is an optional extra')

TURN_DEG = 2.0


def walk(frames: int = 12) -> list[np.ndarray]:
    poses = []
    for i in range(frames):
        angle = np.radians(TURN_DEG) * i
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        pose[:3, 3] = 0.1 * i, 0.02 * i**2, 0.05 * np.sin(i)
        poses.append(pose)
    return poses


def test_truth_scores_zero() -> None:
    errors = pose_errors(walk(), walk())

    # acos near 1 loses half the digits of a float64, so 1e-6 degrees
    assert errors.ate_m == pytest.approx(0.0, abs=1e-12)
    assert errors.rpe_trans_m == pytest.approx(0.0, abs=1e-12)
    assert errors.rpe_rot_deg == pytest.approx(0.0, abs=1e-5)
    assert errors.posed == 12


def test_a_similarity_of_the_truth_scores_zero() -> None:
    move = np.array([[0.0, -1.0, 0.0, 3.0], [1.0, 0.0, 0.0, 1.0], [0, 0, 1, -2], [0, 0, 0, 1]])
    moved = [move @ pose for pose in walk()]
    for pose in moved:
        pose[:3, 3] *= 0.2

    errors = pose_errors(moved, walk())

    assert errors.ate_m == pytest.approx(0.0, abs=1e-12)
    assert errors.rpe_trans_m == pytest.approx(0.0, abs=1e-12)
    assert np.nanmax(np.abs(aligned_positions(moved, walk()) - [p[:3, 3] for p in walk()])) < 1e-9


def test_a_known_turn_between_frames_is_the_rotation_error() -> None:
    straight = walk()
    for pose in straight:
        pose[:3, :3] = np.eye(3)

    assert pose_errors(straight, walk()).rpe_rot_deg == pytest.approx(TURN_DEG, abs=1e-6)


def test_inverted_poses_do_not_pass_for_the_truth() -> None:
    inverted = [np.linalg.inv(pose) for pose in walk()]

    assert pose_errors(inverted, walk()).rpe_rot_deg == pytest.approx(2.0 * TURN_DEG, abs=1e-6)


def test_a_camera_said_to_stand_still_scores_the_truths_own_spread() -> None:
    positions = np.array([pose[:3, 3] for pose in walk()])
    spread = np.sqrt(((positions - positions.mean(axis=0)) ** 2).sum(axis=1).mean())

    assert pose_errors([np.eye(4)] * 12, walk()).ate_m == pytest.approx(spread)


def test_frames_without_a_pose_are_left_out_and_rpe_does_not_span_them() -> None:
    poses = walk()
    poses[5] = None
    jumped = [pose if pose is None else pose.copy() for pose in poses]
    for pose in jumped[6:]:
        pose[:3, :3] = pose[:3, :3] @ np.diag([-1.0, -1.0, 1.0])  # turned by 180 degrees

    errors = pose_errors(jumped, walk())

    assert errors.posed == 11
    assert errors.rpe_rot_deg == pytest.approx(0.0, abs=1e-5)  # the turn lies in the gap


def test_too_few_poses_are_an_error() -> None:
    with pytest.raises(InputError, match='2 of 12 frames have a predicted and a true pose'):
        pose_errors([*walk()[:2], *([None] * 10)], walk())


def test_a_missing_evo_is_named_with_its_install_command(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, 'evo.core', None)

    with pytest.raises(InputError, match='pip install evo'):
        pose_errors(walk(), walk())
