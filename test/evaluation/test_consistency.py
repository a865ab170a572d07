from made_up_video import noisy_video, random_video
import numpy as np
import pytest

from depthsync_ros.core.camera import Camera
from depthsync_ros.evaluation.consistency import (
    multi_frame_consistency,
    temporal_alignment_error,
)
from depthsync_ros.evaluation.metrics import align, to_size

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
WALL_M = 4.0
STEP_M = 0.05


def approach(frames: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Drive straight at a wall: depth is the same all over a frame, and known."""
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, 2, 3] = STEP_M * np.arange(frames)
    depth = np.ones((frames, CAMERA.height, CAMERA.width))
    return depth * (WALL_M - poses[:, 2, 3])[:, None, None], poses


def test_truth_agrees_with_itself() -> None:
    truth, poses = approach()

    assert multi_frame_consistency(truth, truth, poses, CAMERA, 10.0) == pytest.approx(
        0.0, abs=1e-12
    )
    assert temporal_alignment_error(truth, poses, CAMERA) == pytest.approx(0.0, abs=1e-10)


def test_the_disagreement_of_a_depth_twice_as_large_is_as_computed_by_hand() -> None:
    truth, poses = approach()

    mfc = multi_frame_consistency(2.0 * truth, truth, poses, CAMERA, 10.0)

    # 2 Z_i - g s is compared with 2 Z_{i+g} = 2 (Z_i - g s): off by g s
    expected = np.mean(
        [
            np.mean([gap * STEP_M / (2.0 * truth[i + gap, 0, 0]) for i in range(30 - gap)])
            for gap in (1, 5, 10, 20)
        ]
    )
    assert mfc == pytest.approx(expected, abs=1e-12)


def test_flipped_poses_do_not_agree_with_the_truth() -> None:
    truth, poses = approach()
    flipped = np.linalg.inv(poses)

    # Backwards, truth and truth differ by 2 g s; beyond 5 % nothing counts: only small gaps do.
    assert multi_frame_consistency(truth, truth, flipped, CAMERA, 10.0) > 0.02


def test_pixels_that_move_on_their_own_do_not_count() -> None:
    truth, poses = approach()
    prediction = truth.copy()
    truth[10:, :8, :8] = 1.0  # something enters the view, and the prediction misses it
    truth[:10, :8, :8] = 2.0

    mfc = multi_frame_consistency(prediction, truth, poses, CAMERA, 10.0)

    assert mfc == pytest.approx(0.0, abs=1e-12)


def test_frames_without_a_pose_are_left_out() -> None:
    truth, poses = approach()
    poses[3] = np.nan

    assert np.isfinite(multi_frame_consistency(truth, truth, poses, CAMERA, 10.0))
    assert np.isfinite(temporal_alignment_error(truth, poses, CAMERA))
    poses[:] = np.nan
    assert np.isnan(multi_frame_consistency(truth, truth, poses, CAMERA, 10.0))
    assert np.isnan(temporal_alignment_error(truth, poses, CAMERA))


@pytest.mark.parametrize(
    ('video', 'public'),
    [(noisy_video(), 9.31615343606378), (random_video(11), 126.57305810954699)],
    ids=['noisy', 'random'],
)
def test_the_public_evaluation_of_tae_gives_the_same_figure(video, public) -> None:
    disparity = to_size(video.disparity, *video.truth_m.shape[1:])
    depth = align(disparity, video.truth_m, 10.0)

    tae = temporal_alignment_error(depth, video.world_T_cam, video.camera)

    # github.com/DepthAnything/Video-Depth-Anything at 4f5ae23172ba60fd7bc11ef671cca678842c7072,
    # benchmark/eval/eval_tae.py, eval_TAE() without crop or mask on the same arrays saved as
    # .npy. Relative 1e-6, because it adds 1e-8 m to the truth in its fit.
    assert tae == pytest.approx(public, rel=1e-6)
