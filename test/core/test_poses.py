"""Camera poses on scenes whose poses are known."""

from dataclasses import replace
import time

import numpy as np
import pytest
from scenes import cloud, path, render, see_cloud, without

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import PoseError
from depthsync_ros.core.geometry import sample_maps
from depthsync_ros.core.poses import PoseLimits, sightings, solve_poses, WindowPoses
from depthsync_ros.core.rigid import angle_rad, invert
from depthsync_ros.core.tracks import PointTracker, tabulate

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
STEP = (0.03, 0.005, 0.01, 0.003, 0.008, -0.004)
LIMITS = PoseLimits()


def worst(poses: WindowPoses, world_T_cam: np.ndarray) -> tuple[float, float]:
    """Give the largest errors of position and angle; both paths start at the identity."""
    error = invert(world_T_cam[poses.posed]) @ poses.window_T_cam[poses.posed]
    return float(np.linalg.norm(error[:, :3, 3], axis=1).max()), float(angle_rad(error).max())


def test_poses_are_exact_without_noise() -> None:
    world_T_cam = path(12, STEP)

    poses = solve_poses(see_cloud(world_T_cam, cloud(150), CAMERA), LIMITS)

    assert poses.posed.all()
    np.testing.assert_allclose(poses.window_T_cam, world_T_cam, atol=1e-9)
    assert poses.residual_px == pytest.approx(0.0, abs=1e-6)


def test_outlier_tracks_have_no_say_at_all() -> None:
    world_T_cam = path(12, STEP)
    seen = see_cloud(world_T_cam, cloud(200), CAMERA, outliers=0.3)

    poses = solve_poses(seen, LIMITS)

    position, angle = worst(poses, world_T_cam)
    # Three rounds of re-weighting end on the consistent tracks; 1e-4 is 0.01 pixels.
    assert position < 1e-4
    assert angle < 1e-4
    assert poses.residual_px < 0.01


def test_poses_stand_thirty_percent_outliers_and_noise() -> None:
    world_T_cam = path(16, STEP)
    seen = see_cloud(world_T_cam, cloud(300), CAMERA, outliers=0.3, noise_px=0.5, depth_noise=0.05)

    poses = solve_poses(seen, LIMITS)

    position, angle = worst(poses, world_T_cam)
    assert poses.posed.all()
    # 0.5 px over about 150 tracks at 3 units: 0.5 / 260 * 3 / sqrt(150) = 0.0005 a frame from the
    # pixels alone; depth noise and the first frame's own error come on top. 4 % of the path.
    assert position < 0.02
    assert angle < 0.004  # one pixel
    # The median length of a two-dimensional error of 0.5 px is 0.59.
    assert 0.5 < poses.residual_px < 0.8


def test_points_that_move_together_do_not_carry_the_camera_away() -> None:
    world_T_cam = path(10, STEP)
    still, moving = cloud(200), cloud(80, seed=9)
    seen = see_cloud(world_T_cam, still, CAMERA)
    other = see_cloud(path(10, (-0.05, 0.0, 0.0, 0.0, 0.0, 0.0)) @ world_T_cam, moving, CAMERA)
    both = replace(
        seen,
        rays=np.concatenate([seen.rays, other.rays], axis=1),
        depth=np.concatenate([seen.depth, other.depth], axis=1),
        visible=np.concatenate([seen.visible, other.visible], axis=1),
    )

    position, angle = worst(solve_poses(both, LIMITS), world_T_cam)

    assert position < 0.005  # the others moved by 0.5
    assert angle < 0.002


def test_translation_is_in_depths_unit() -> None:
    seen = see_cloud(path(8, STEP), cloud(150), CAMERA)

    poses = solve_poses(replace(seen, depth=2.5 * seen.depth), LIMITS)

    np.testing.assert_allclose(
        poses.window_T_cam[:, :3, 3], 2.5 * path(8, STEP)[:, :3, 3], atol=1e-9
    )


def test_frame_without_tracks_stays_unposed_and_the_others_go_on() -> None:
    world_T_cam = path(12, STEP)
    seen = without(see_cloud(world_T_cam, cloud(150), CAMERA), [5])

    poses = solve_poses(seen, LIMITS)

    assert poses.posed.tolist() == [frame != 5 for frame in range(12)]
    assert np.isnan(poses.window_T_cam[5]).all()
    np.testing.assert_allclose(
        np.delete(poses.window_T_cam, 5, 0), np.delete(world_T_cam, 5, 0), atol=1e-9
    )


def test_after_a_cut_the_longer_part_is_posed() -> None:
    first = see_cloud(path(3, STEP), cloud(150), CAMERA)
    second = see_cloud(path(9, STEP), cloud(150, seed=8), CAMERA)
    frames = (((0, 9), (0, 0)), ((3, 0), (0, 0)))

    def joined(name: str, empty: float) -> np.ndarray:
        parts = [
            np.pad(
                getattr(part, name),
                (*pad, *(((0, 0),) if name == 'rays' else ())),
                constant_values=empty,
            )
            for part, pad in zip((first, second), frames, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    seen = replace(
        first,
        rays=joined('rays', np.nan),
        depth=joined('depth', np.nan),
        visible=joined('visible', 0.0),
    )

    poses = solve_poses(seen, LIMITS)

    assert poses.posed.tolist() == [False] * 3 + [True] * 9
    np.testing.assert_allclose(poses.window_T_cam[3:], path(9, STEP), atol=1e-9)


@pytest.mark.parametrize('points', [0, 5, 14])
def test_too_few_tracks_are_told(points) -> None:
    seen = see_cloud(path(6, (0.0,) * 6), cloud(400)[:points], CAMERA)

    with pytest.raises(PoseError, match=r'no two of 6 frames share 15 tracks with known depth'):
        solve_poses(seen, LIMITS)


def test_camera_that_stands_still_does_not_move() -> None:
    seen = see_cloud(path(8, (0.0,) * 6), cloud(150), CAMERA, depth_noise=0.05)

    position, angle = worst(solve_poses(seen, LIMITS), path(8, (0.0,) * 6))

    assert position < 1e-9
    assert angle < 1e-7  # arccos loses half the digits near 1


def test_poses_of_a_rendered_room_come_out_of_its_images_and_depth() -> None:
    world_T_cam = path(8, (0.04, 0.0, 0.02, 0.0, 0.01, 0.0))
    views = [render(one, CAMERA) for one in world_T_cam]
    tracker = PointTracker(300)
    tracks = tabulate([tracker.track(view.rgb) for view in views])
    depth = sample_maps(
        np.stack([view.depth_m for view in views]).astype(np.float32), tracks.pixels, CAMERA
    )

    poses = solve_poses(sightings(tracks, CAMERA, depth), LIMITS)

    position, angle = worst(poses, world_T_cam)
    assert poses.posed.all()
    # 8 % of the path: corners that a board's edge makes with the wall behind it are no points.
    assert position < 0.025
    assert angle < 0.008  # two pixels, traded against the position
    assert poses.residual_px < 0.3


@pytest.mark.slow
def test_window_of_24_frames_takes_at_most_150_ms_of_one_thread() -> None:
    seen = see_cloud(path(24, STEP), cloud(300), CAMERA, outliers=0.3, noise_px=0.5)
    solve_poses(seen, LIMITS)

    start = time.thread_time()
    solve_poses(seen, LIMITS)

    assert time.thread_time() - start < 0.3  # twice the target, for slow and busy machines
