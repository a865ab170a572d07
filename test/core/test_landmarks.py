"""Points handed on from window to window."""

from dataclasses import replace

import numpy as np
from scenes import CAMERA, cloud, path, see_cloud

from depthsync_ros.core.bundle import adjust, Bundle
from depthsync_ros.core.bundle_equations import Prior
from depthsync_ros.core.landmarks import carry_on, FORGET, NO_LANDMARKS
from depthsync_ros.core.poses import PoseLimits, solve_poses
from depthsync_ros.core.rigid import BODY_T_OPTICAL, exponential, transform
from depthsync_ros.core.tracks import WindowTracks

STEP = (0.04, 0.0, 0.01, 0.0, 0.008, 0.0)
FRAMES, POINTS = 12, 120


def window() -> tuple[Bundle, WindowTracks]:
    seen = see_cloud(path(FRAMES, STEP), cloud(POINTS), CAMERA, noise_px=0.2)
    tracks = WindowTracks(
        np.where(seen.visible[..., None], 1.0, np.nan) * np.ones(2),
        seen.visible,
        np.arange(POINTS) * 3 + 7,
    )
    return adjust(seen, solve_poses(seen, PoseLimits())), tracks


def test_points_keep_their_place_in_the_world_and_their_number() -> None:
    bundle, tracks = window()

    landmarks = carry_on(bundle, tracks, BODY_T_OPTICAL)
    prior = landmarks.prior(tracks.ids[10:20])

    kept = prior.known
    assert kept.sum() > 3
    placed = transform(BODY_T_OPTICAL, bundle.points_window[10:20])
    np.testing.assert_allclose(prior.points[kept], placed[kept])


def test_tracks_that_have_ended_are_not_kept() -> None:
    bundle, tracks = window()
    visible = tracks.visible.copy()
    visible[-8:, :60] = False

    landmarks = carry_on(bundle, replace(tracks, visible=visible), BODY_T_OPTICAL)

    assert len(landmarks) > 30
    assert landmarks.ids.min() >= tracks.ids[60]


def test_information_turns_with_the_world_and_is_partly_forgotten() -> None:
    bundle, tracks = window()

    landmarks = carry_on(bundle, tracks, BODY_T_OPTICAL)

    row = int(np.searchsorted(tracks.ids, landmarks.ids[0]))
    along_z = bundle.seen_information[row][2, 2]  # the optical axis is the body's x
    assert landmarks.information[0][0, 0] == FORGET * along_z


def test_nothing_is_known_of_unknown_tracks() -> None:
    bundle, tracks = window()

    assert not NO_LANDMARKS.prior(tracks.ids).known.any()
    assert not carry_on(bundle, tracks, BODY_T_OPTICAL).prior(tracks.ids + 1).known.any()


def test_a_camera_that_only_turns_does_not_shrink_the_world() -> None:
    """Turn and sway by a centimetre; the scale is what landmarks hand on, window by window."""
    windows, new, known = 10, 8, 4
    times = np.arange(known + windows * new)
    sway = 0.015 * np.sin(0.9 * times)[:, None] * [1.0, 0.6, 0.3]
    turn = 0.25 * np.sin(0.2 * times)[:, None] * [0.4, 1.0, 0.3]
    world_T_cam = exponential(np.concatenate([sway, turn], axis=1))
    points = cloud(POINTS)
    seen = see_cloud(world_T_cam, points, CAMERA, noise_px=0.25)
    truth = see_cloud(world_T_cam, points, CAMERA).depth
    prior, scales = Prior.nothing(POINTS), []
    for start in range(0, windows * new, new):
        frames = slice(start, start + known + new)
        here = replace(
            seen,
            rays=seen.rays[frames],
            depth=seen.depth[frames],
            visible=seen.visible[frames],
        )
        known_frames = np.arange(known + new) < known
        poses = replace(
            solve_poses(here, PoseLimits()),
            window_T_cam=world_T_cam[frames],
            posed=np.ones(known + new, bool),
        )
        bundle = adjust(here, poses, prior, known_frames)
        tracks = WindowTracks(here.rays[..., :2], here.visible, np.arange(POINTS))
        prior = carry_on(bundle, tracks, np.eye(4)).prior(np.arange(POINTS))
        scales.append(np.nanmedian(bundle.depth / truth[frames]))
    assert abs(np.log(scales[-1])) < 0.03
