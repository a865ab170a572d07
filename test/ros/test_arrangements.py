"""Frames cancel: what goes to tf and into odometry for each arrangement, on known motion."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed here')

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.frames import DepthFrame
from depthsync_ros.core.rigid import exponential, invert
from depthsync_ros.ros.arrangements import arrange, moved
from depthsync_ros.ros.settings import TfSettings

CAMERA = Camera(4, 3, 5.0, 6.0, 1.5, 1.0)
BASE_T_CAM = exponential(np.array([0.2, 0.1, 0.5, -0.5, 1.2, 0.3]))
# Where the base truly is, in a frame of its start; the run's world is another frame.
TRUE_T_BASE = exponential(np.arange(6)[:, None] * [0.1, 0.05, 0.0, 0.0, 0.0, 0.2])
WORLD_T_TRUE = exponential(np.array([1.0, -2.0, 0.5, 0.4, -0.3, 0.2]))
WORLD_T_CAM = WORLD_T_TRUE @ TRUE_T_BASE @ BASE_T_CAM


def frame(index: int, world_T_cam: np.ndarray, run: int = 1) -> DepthFrame:
    return DepthFrame(
        run=run,
        index=index,
        stamp_ns=index,
        frame_id='cam',
        depth=np.ones((3, 4), np.float32),
        metric=True,
        camera=CAMERA,
        world_T_cam=world_T_cam,
        pose_covariance=np.eye(6),
        rgb=np.zeros((3, 4, 3), np.uint8),
    )


def placed(name: str, target_T_cam, frames=None):
    arrangement = arrange(TfSettings(arrangement=name))
    frames = [frame(*pair) for pair in enumerate(WORLD_T_CAM)] if frames is None else frames
    return [arrangement.place(*pair) for pair in zip(frames, target_T_cam, strict=True)]


def names(link) -> tuple[str, str]:
    return link.parent, link.child


def test_the_world_hangs_below_the_image_frame() -> None:
    (placement, *_) = placed('camera_to_world_child', [np.eye(4)] * 6)

    assert names(placement.tf) == ('cam', 'depthsync_world')
    np.testing.assert_allclose(placement.tf.parent_T_child @ WORLD_T_CAM[0], np.eye(4), atol=1e-12)
    assert names(placement.odometry) == ('depthsync_world', 'cam')


def test_a_camera_frame_of_our_own_hangs_below_the_world() -> None:
    placements = placed('world_to_camera', [np.eye(4)] * 6)

    assert {names(placement.tf) for placement in placements} == {
        ('depthsync_world', 'depthsync_camera')
    }
    for placement, pose in zip(placements, WORLD_T_CAM, strict=True):
        np.testing.assert_array_equal(placement.tf.parent_T_child, pose)


def test_off_sends_nothing_and_keeps_odometry() -> None:
    (placement, *_) = placed('off', [np.eye(4)] * 6)

    assert placement.tf is None
    np.testing.assert_array_equal(placement.odometry.parent_T_child, WORLD_T_CAM[0])


def test_odometry_of_the_base_is_its_true_motion_from_where_it_began() -> None:
    placements = placed('odom_to_base', [BASE_T_CAM] * 6)

    for placement, true in zip(placements, TRUE_T_BASE, strict=True):
        assert names(placement.tf) == names(placement.odometry) == ('odom', 'base_link')
        np.testing.assert_allclose(placement.tf.parent_T_child, true, atol=1e-12)


def test_odometry_goes_on_where_the_last_run_ended() -> None:
    other_world = exponential(np.array([3.0, 0.0, 0.0, 0.0, 0.5, 0.0]))
    # Its first frames had no pose, or were lost.
    second = [frame(9 + n, other_world @ pose, 2) for n, pose in enumerate(WORLD_T_CAM[3:])]
    first = [frame(n, pose) for n, pose in enumerate(WORLD_T_CAM[:4])]

    placements = placed('odom_to_base', [BASE_T_CAM] * 7, first + second)

    # The robot stood still between the runs: frame 3 is the first one's last, the second's first.
    for placement, true in zip(placements[4:], TRUE_T_BASE[3:], strict=True):
        np.testing.assert_allclose(placement.tf.parent_T_child, true, atol=1e-12)


def test_the_map_corrects_odometry_that_drifts() -> None:
    drift = exponential(np.arange(6)[:, None] * [0.02, -0.01, 0.0, 0.0, 0.0, 0.01])
    odom_T_cam = drift @ TRUE_T_BASE @ BASE_T_CAM

    placements = placed('map_to_odom', odom_T_cam)

    for placement, odom, true in zip(placements, odom_T_cam, TRUE_T_BASE, strict=True):
        assert names(placement.tf) == ('map', 'odom')
        # map -> odom -> camera is where the camera truly is: the map began as the odometry.
        np.testing.assert_allclose(
            placement.tf.parent_T_child @ odom, true @ BASE_T_CAM, atol=1e-12
        )
        assert names(placement.odometry) == ('map', 'cam')
        np.testing.assert_allclose(
            placement.odometry.parent_T_child, true @ BASE_T_CAM, atol=1e-12
        )


def test_a_new_run_keeps_the_map_s_correction() -> None:
    other_world = exponential(np.array([3.0, 0.0, 0.0, 0.0, 0.5, 0.0]))
    drift = exponential(np.array([0.3, -0.1, 0.0, 0.0, 0.0, 0.2]))
    odometry = [TRUE_T_BASE[0] @ BASE_T_CAM, drift @ TRUE_T_BASE[1] @ BASE_T_CAM]
    frames = [frame(n, WORLD_T_CAM[n]) for n in (0, 1)]
    frames += [frame(9 + n, other_world @ WORLD_T_CAM[2 + n], 2) for n in (0, 1)]
    odometry += [drift @ TRUE_T_BASE[n] @ BASE_T_CAM for n in (2, 3)]

    placements = placed('map_to_odom', odometry, frames)

    for placement in placements[1:]:
        np.testing.assert_allclose(placement.tf.parent_T_child, invert(drift), atol=1e-12)


def test_covariance_is_carried_like_the_errors_it_is_of() -> None:
    generator = np.random.default_rng(0)
    root = 1e-3 * generator.normal(size=(6, 6))
    errors = generator.normal(size=(100_000, 6)) @ root.T
    a_T_world = exponential(np.array([1.0, 2.0, 3.0, 0.3, -0.6, 0.9]))
    arm = np.array([0.3, -0.2, 0.5])

    turned = errors[:, 3:] @ a_T_world[:3, :3].T
    shifted = errors[:, :3] @ a_T_world[:3, :3].T + np.cross(turned, arm)
    seen = np.cov(np.concatenate([shifted, turned], axis=1).T)

    # The sample's own error: a part in the root of 50 000.
    expected = moved(root @ root.T, a_T_world, arm)
    np.testing.assert_allclose(seen, expected, atol=0.03 * np.abs(expected).max())
