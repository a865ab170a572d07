"""Metric depth from tracks and measured poses, on points that are known exactly."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import CAMERA, cloud, path, see_cloud

from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.parallax import compare_parallax
from depthsync_ros.core.rigid import exponential, invert

METRES = 2.5  # in the run's unit
SIDEWAYS = path(24, (0.02, 0.005, 0.01, 0.0, 0.004, 0.0))


def measured(world_T_cam: np.ndarray) -> list[np.ndarray]:
    odom_T_cam = world_T_cam.copy()
    odom_T_cam[:, :3, 3] *= METRES
    return list(odom_T_cam)


def test_exact_tracks_give_the_exact_scale() -> None:
    seen = see_cloud(SIDEWAYS, cloud(200), CAMERA)

    observation = compare_parallax(seen, measured(SIDEWAYS))

    assert np.exp(observation.log_scale) == pytest.approx(METRES, rel=1e-9)
    assert observation.sigma < 0.01


@pytest.mark.parametrize('seed', range(4))
def test_noise_of_tracks_and_of_depth_does_not_bias_it(seed: int) -> None:
    noise = {'noise_px': 0.5, 'outliers': 0.1, 'depth_noise': 0.3, 'seed': seed}
    seen = see_cloud(SIDEWAYS, cloud(300), CAMERA, **noise)

    observation = compare_parallax(seen, measured(SIDEWAYS))

    assert np.exp(observation.log_scale) == pytest.approx(METRES, rel=0.04)
    assert 0.02 < observation.sigma < 0.2


def test_frames_without_a_pose_have_no_say() -> None:
    seen = see_cloud(SIDEWAYS, cloud(200), CAMERA)
    poses: list = measured(SIDEWAYS)
    wrong = replace(seen, depth=np.where(np.arange(24)[:, None] % 2, 9.0, seen.depth))
    poses[1::2] = [None] * 12

    assert np.exp(compare_parallax(wrong, poses).log_scale) == pytest.approx(METRES, rel=1e-9)


def test_a_jump_of_the_measured_orientation_takes_the_say_from_the_pairs_across_it() -> None:
    seen = see_cloud(SIDEWAYS, cloud(300), CAMERA, noise_px=0.3)
    poses = measured(SIDEWAYS)
    jumped = [T @ exponential(np.array([0, 0, 0, 0.015, 0.02, 0])) for T in poses[12:]]

    steady = compare_parallax(seen, poses)
    jumping = compare_parallax(seen, poses[:12] + jumped)

    assert np.exp(jumping.log_scale) == pytest.approx(METRES, rel=0.02)
    assert jumping.sigma > steady.sigma


def test_odometry_that_runs_backwards_is_refused() -> None:
    seen = see_cloud(SIDEWAYS, cloud(200), CAMERA)
    backwards = np.array(measured(SIDEWAYS))
    backwards[:, :3, 3] *= -1.0

    with pytest.raises(ScaleError, match='behind the camera'):
        compare_parallax(seen, list(backwards))


def test_a_camera_that_stands_or_sees_nothing_is_refused() -> None:
    standing = list(np.tile(np.eye(4), (24, 1, 1)))
    with pytest.raises(ScaleError, match='0 pairs of sightings'):
        compare_parallax(see_cloud(SIDEWAYS, cloud(200), CAMERA), standing)
    blind = see_cloud(invert(SIDEWAYS), cloud(0), CAMERA)
    with pytest.raises(ScaleError, match='0 pairs of sightings'):
        compare_parallax(blind, measured(SIDEWAYS))
