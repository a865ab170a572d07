"""All scores of one prediction against one video's truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Maps, Transform
from depthsync_ros.datasets.sequence import TrueFrame, Video
from depthsync_ros.evaluation.consistency import (
    multi_frame_consistency,
    temporal_alignment_error,
)
from depthsync_ros.evaluation.methods import Prediction
from depthsync_ros.evaluation.metrics import (
    align,
    as_row,
    depth_errors,
    frame_errors,
    mean_errors,
    oracle_depth,
    scale_drift,
    to_size,
    window_scales,
)
from depthsync_ros.evaluation.trajectory import aligned_positions, MIN_POSES, pose_errors
from depthsync_ros.evaluation.windows import SeenWindow

IMAGES_BYTES = 2_000_000_000  # of colour that is kept; a larger video is read again
MAX_POINTS = 200  # of a trajectory that a result keeps for its plot


@dataclass(frozen=True, eq=False)
class Truth:
    """
    The truth of a video's first frames.

    Shapes: depth_m (frames, height, width), NaN unknown; world_T_cam (frames, 4, 4), NaN where
        there is no pose.
    """

    depth_m: Maps
    world_T_cam: Transform
    camera: Camera
    max_depth_m: float

    def first(self, count: int) -> 'Truth':
        """Give the truth of the first frames alone."""
        return Truth(self.depth_m[:count], self.world_T_cam[:count], self.camera, self.max_depth_m)


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores as a flat record for one JSON line, and the aligned depth for pictures."""

    row: dict[str, Any]
    depth_m: Maps | None


def decode(video: Video, count: int, max_depth_m: float) -> tuple[Video, Truth]:
    """
    Decode a video's first frames once for all methods: the video in memory, and its truth.

    Images beyond IMAGES_BYTES are not kept: each method reads them again.
    """
    camera = video.view
    depth = np.empty((count, camera.height, camera.width), np.float32)
    poses = np.full((count, 4, 4), np.nan)
    kept = IMAGES_BYTES // (3 * camera.height * camera.width)
    frames = []
    for index in range(count):
        frame = video.read(index)
        depth[index] = frame.depth_m
        if frame.world_T_cam is not None:
            poses[index] = frame.world_T_cam
        if index < kept:
            frames.append(TrueFrame(frame.frame, depth[index], frame.world_T_cam))
    return replace(video, decoded=frames), Truth(depth, poses, camera, max_depth_m)


def score(prediction: Prediction, truth: Truth, how: str) -> Scored:
    """
    Score a prediction: depth after the chosen alignment, consistency, poses, oracle.

    Frames that were not delivered are left out of every score and counted.

    :raises InputError: nothing was predicted, or the truth does not support a score.
    """
    row: dict[str, Any] = {'frames': len(truth.depth_m)}
    depth_m = None
    if prediction.kind != 'none':
        depth_m = _score_depth(prediction, truth, how, row)
    _score_poses(prediction.world_T_cam, truth, row)
    row['seconds_per_frame'] = prediction.seconds / len(truth.depth_m)
    row['cpu_seconds_per_frame'] = prediction.cpu_seconds / len(truth.depth_m)
    row['peak_mb'] = prediction.peak_mb
    row['windows'] = [[window.frames[0], len(window.frames)] for window in prediction.windows]
    row['notes'] = list(prediction.notes)
    return Scored(row, depth_m)


def _score_depth(prediction: Prediction, truth: Truth, how: str, row: dict[str, Any]) -> Maps:
    values = to_size(prediction.values, *truth.depth_m.shape[1:])
    known_pixels = np.isfinite(values).mean(axis=(1, 2))
    delivered = known_pixels > 0.0
    if not delivered.any():
        raise InputError('not one frame of depth was delivered: see the notes of the windows')
    how = 'none' if prediction.kind == 'metric' else how
    kept = slice(None) if delivered.all() else delivered  # a slice copies nothing
    aligned = np.full(values.shape, np.nan, np.float32)
    kept_truth = truth.depth_m[kept]
    windows = [window.among(delivered) for window in prediction.windows]
    aligned[kept] = align(
        values[kept],
        kept_truth,
        truth.max_depth_m,
        how,
        windows,
        kind=prediction.kind,
    )
    errors = frame_errors(aligned, truth.depth_m, truth.max_depth_m)
    row |= as_row(mean_errors(errors[kept], truth.max_depth_m))
    row['alignment'] = how
    row['missing_frames'] = int((~delivered).sum())
    row['unknown_pixels'] = float(1.0 - known_pixels[kept].mean())
    row['frame_absrel'] = [_rounded(value) for value in errors[:, 0]]
    poses = np.where(delivered[:, None, None], truth.world_T_cam, np.nan)
    row['mfc'] = multi_frame_consistency(
        aligned, truth.depth_m, poses, truth.camera, truth.max_depth_m
    )
    row['tae_percent'] = temporal_alignment_error(aligned, poses, truth.camera)
    if prediction.own:
        seen = replace(truth, depth_m=kept_truth, world_T_cam=truth.world_T_cam[kept])
        row |= _score_windows(prediction.own, windows, aligned[kept], seen)
    return aligned


def _score_windows(
    own: Sequence[Maps], windows: Sequence[SeenWindow], depth_m: Maps, truth: Truth
) -> dict[str, Any]:
    """Give the oracle of the same windows on the same frames, and the windows' scales."""
    oracle = oracle_depth(own, windows, truth.depth_m, truth.max_depth_m)
    errors = depth_errors(oracle, truth.depth_m, truth.max_depth_m)
    scales = window_scales(depth_m, truth.depth_m, truth.max_depth_m, windows)
    return {
        'oracle_absrel': errors.absrel,
        'oracle_delta1': errors.delta1,
        'window_scales': [_rounded(value) for value in scales],
        'scale_drift': scale_drift(scales),
    }


def _score_poses(
    world_T_cam: Sequence[Transform | None], truth: Truth, row: dict[str, Any]
) -> None:
    true = list(truth.world_T_cam)
    both = sum(
        ours is not None and bool(np.isfinite(pose).all())
        for ours, pose in zip(world_T_cam, true, strict=True)
    )
    row['posed_frames'] = both
    if both < MIN_POSES:
        return
    errors = pose_errors(world_T_cam, true)
    row['ate_m'] = errors.ate_m
    row['rpe_trans_m'], row['rpe_rot_deg'] = errors.rpe_trans_m, errors.rpe_rot_deg
    thin = max(1, len(true) // MAX_POINTS)
    ours = aligned_positions(world_T_cam, true)[::thin]
    row['trajectory'] = [[_rounded(value) for value in point] for point in ours]
    row['true_trajectory'] = [
        [_rounded(value) for value in point] for point in truth.world_T_cam[::thin, :3, 3]
    ]


def _rounded(value: float) -> float | None:
    """Keep five decimals; NaN becomes null."""
    return round(float(value), 5) if np.isfinite(value) else None
