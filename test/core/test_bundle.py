"""Bundle adjustment on a scene whose cameras and points are known."""

from dataclasses import replace

import numpy as np
import pytest

from depthsync_ros.core.bundle import adjust
from depthsync_ros.core.bundle_equations import Prior
from depthsync_ros.core.camera import Camera, project
from depthsync_ros.core.poses import PoseLimits, Sightings, sightings, solve_poses
from depthsync_ros.core.rigid import angle_rad, exponential, invert, transform
from depthsync_ros.core.tracks import WindowTracks

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
FRAMES, POINTS = 16, 200


def walk(
    pixel_noise: float, depth_noise: float, seed: int = 3
) -> tuple[Sightings, np.ndarray, np.ndarray]:
    """Give what a camera moving past a cloud sees, its world_T_cam and the true depth."""
    generator = np.random.default_rng(seed)
    cloud = generator.uniform((-2.0, -1.5, 1.5), (2.0, 1.5, 5.0), (POINTS, 3))
    steps = np.arange(FRAMES)[:, None] * [0.03, 0.005, 0.01, 0.003, 0.008, -0.004]
    world_T_cam = exponential(steps)
    points = transform(invert(world_T_cam), np.broadcast_to(cloud, (FRAMES, POINTS, 3)))
    pixels = project(CAMERA, points)
    visible = ((pixels >= 0.0) & (pixels <= (319.0, 239.0))).all(axis=-1)
    pixels = pixels + pixel_noise * generator.normal(size=pixels.shape)
    depth = points[..., 2] * (1.0 + depth_noise * generator.normal(size=visible.shape))
    pixels[~visible] = np.nan
    depth[~visible] = np.nan
    tracks = WindowTracks(pixels, visible, np.arange(POINTS))
    return sightings(tracks, CAMERA, depth), world_T_cam, points[..., 2]


def test_truth_stays_where_it_is() -> None:
    seen, world_T_cam, true_depth = walk(0.0, 0.0)

    bundle = adjust(seen, solve_poses(seen, PoseLimits()))

    error = invert(world_T_cam) @ bundle.poses.window_T_cam
    assert np.abs(error[:, :3, 3]).max() < 1e-9
    assert angle_rad(error).max() < 1e-7  # arccos loses half the digits near 1
    known = seen.visible & (bundle.belief > 0.0)
    assert known.sum() > 1000
    np.testing.assert_allclose(bundle.depth[known], true_depth[known], rtol=1e-9)


def test_points_come_out_better_than_the_depth_that_went_in() -> None:
    seen, _, true_depth = walk(0.3, 0.05)

    bundle = adjust(seen, solve_poses(seen, PoseLimits()))

    known = seen.visible & np.isfinite(bundle.depth)
    before = np.median(np.abs(seen.depth / true_depth - 1.0)[known])
    after = np.median(np.abs(bundle.depth / true_depth - 1.0)[known])
    assert before == pytest.approx(0.05 * 0.674, rel=0.1)  # the median of |N(0, 0.05)|
    assert after < before / 3.0  # sixteen views of each point: noise falls by sqrt(16) at least


def test_unit_of_the_depth_is_the_unit_of_the_path() -> None:
    seen, _, _ = walk(0.3, 0.02)
    twice = replace(seen, depth=2.0 * seen.depth)

    path = adjust(seen, solve_poses(seen, PoseLimits())).poses.window_T_cam[:, :3, 3]
    path_twice = adjust(twice, solve_poses(twice, PoseLimits())).poses.window_T_cam[:, :3, 3]

    # Equal up to the damping's memory of the unit, a thousandth of a step.
    np.testing.assert_allclose(path_twice, 2.0 * path, atol=1e-4)


def test_cameras_that_start_askew_come_back() -> None:
    seen, _, _ = walk(0.0, 0.0)
    true = solve_poses(seen, PoseLimits())
    push = 0.003 * np.random.default_rng(5).normal(size=(FRAMES, 6))
    push[0] = 0.0  # the first camera holds the frame
    askew = replace(true, window_T_cam=true.window_T_cam @ exponential(push))

    bundle = adjust(seen, askew)

    def distance(window_T_cam: np.ndarray) -> float:
        return float(np.abs(window_T_cam - true.window_T_cam)[:, :3, 3].max())

    assert distance(bundle.poses.window_T_cam) < distance(askew.window_T_cam) / 20.0


def test_depth_that_is_wrong_in_all_frames_gives_way_to_parallax() -> None:
    seen, _, true_depth = walk(0.2, 0.0)
    wrong = np.exp(0.15 * np.random.default_rng(7).normal(size=POINTS))  # one error a point
    seen = replace(seen, depth=seen.depth * wrong)

    bundle = adjust(seen, solve_poses(seen, PoseLimits()))

    ratio = (bundle.depth / true_depth)[seen.visible & np.isfinite(bundle.depth)]
    scattered = np.median(np.abs(np.log(ratio / np.median(ratio))))
    assert scattered < 0.025, 'a quarter of the 0.1 that went in'


def test_known_points_hold_the_scale_against_the_networks_depth() -> None:
    seen, world_T_cam, true_depth = walk(0.2, 0.02)
    half = replace(seen, depth=0.5 * seen.depth)
    poses = solve_poses(half, PoseLimits())
    fixed = np.zeros(FRAMES, bool)
    fixed[:4] = True
    window_T_cam = poses.window_T_cam.copy()
    window_T_cam[:4] = world_T_cam[:4]
    window_T_cam[4:, :3, 3] *= 2.0
    prior = Prior.nothing(POINTS)
    cloud = np.random.default_rng(3).uniform((-2.0, -1.5, 1.5), (2.0, 1.5, 5.0), (POINTS, 3))
    prior.points[::2], prior.information[::2] = cloud[::2], 1e4 * np.eye(3)

    bundle = adjust(half, replace(poses, window_T_cam=window_T_cam), prior, fixed)

    new = seen.visible & np.isfinite(bundle.depth)
    new[:, ::2] = False
    assert np.median((bundle.depth / true_depth)[new]) == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(bundle.poses.window_T_cam[:4], world_T_cam[:4], atol=1e-9)


def test_deviation_is_the_error_that_is_there() -> None:
    seen, _, true_depth = walk(0.5, 0.0)

    bundle = adjust(seen, solve_poses(seen, PoseLimits()))

    known = seen.visible & np.isfinite(bundle.depth)
    error = np.log(bundle.depth / true_depth)[known]
    spread = np.median(np.abs(error - np.median(error))) / 0.674
    assert 0.4 < spread / np.median(bundle.deviation[known]) < 1.5


def test_point_that_moves_on_its_own_is_not_believed() -> None:
    seen, _, _ = walk(0.2, 0.02)
    rays = seen.rays.copy()
    rays[:, 5, 0] += 0.02 * np.arange(FRAMES)
    bundle = adjust(replace(seen, rays=rays), solve_poses(seen, PoseLimits()))

    others = np.delete(bundle.point_belief, 5)
    assert bundle.point_belief[5] < 0.5 < np.median(others)


def test_the_covariance_of_poses_is_that_of_their_errors() -> None:
    squared = []
    for seed in range(30):
        generator = np.random.default_rng(100 + seed)
        seen, world_T_cam, _ = walk(0.5, 0.0, seed)  # the tracking error that is assumed
        own = np.exp(0.1 * generator.normal(size=POINTS))  # the network's, one for each point
        seen = replace(seen, depth=seen.depth * own)

        bundle = adjust(seen, solve_poses(seen, PoseLimits()))

        moved = bundle.poses.window_T_cam[:, :3, 3] - world_T_cam[:, :3, 3]
        turned = bundle.poses.window_T_cam[:, :3, :3] @ np.swapaxes(world_T_cam[:, :3, :3], 1, 2)
        about = np.stack([turned[:, 2, 1], turned[:, 0, 2], turned[:, 1, 0]], axis=-1)
        error = np.concatenate([moved, about], axis=-1)[-1]
        squared.append(error @ np.linalg.solve(bundle.pose_covariance[-1], error))
        assert not bundle.pose_covariance[0].any(), 'the first camera was held'

    # The mean of 30 chi-squared numbers of 6 degrees, over 6, deviates from 1 by 0.1. What is
    # linearised, and sightings that Tukey half believes, leave it within half as much again.
    assert 0.6 < np.mean(squared) / 6.0 < 1.5
