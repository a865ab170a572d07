"""How far predicted camera poses are from the true ones, by the evo package."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Transform

MIN_POSES = 3  # a similarity needs three points
INSTALL = "pip install evo (GPL-3.0; or pip install 'depthsync_ros[evaluation]')"


@dataclass(frozen=True)
class PoseErrors:
    """
    Errors of a trajectory against the truth.

    Units: metres and degrees, root mean squares. RPE is from frame to frame, after the scale
        of the similarity that ATE is taken under.

    posed says how many frames have a pose in both; ate_m of a prediction that never moves is
    the truth's own spread, the limit of a similarity with scale 0.
    """

    ate_m: float
    rpe_trans_m: float
    rpe_rot_deg: float
    posed: int


def pose_errors(
    world_T_cam: Sequence[Transform | None], true_world_T_cam: Sequence[Transform | None]
) -> PoseErrors:
    """
    Score poses after the best similarity, Sim(3), onto the truth.

    Frames without a pose in either are left out; RPE never spans such a gap.

    Convention: both camera to world, optical frame.

    :raises InputError: evo is not installed, or fewer than three frames have both poses.
    """
    evo = _evo()
    both = [
        i
        for i, (ours, true) in enumerate(zip(world_T_cam, true_world_T_cam, strict=True))
        if _usable(ours) and _usable(true)
    ]
    if len(both) < MIN_POSES:
        raise InputError(
            f'{len(both)} of {len(world_T_cam)} frames have a predicted and a true pose, '
            f'{MIN_POSES} are needed for a trajectory error'
        )
    ours = evo.trajectory.PosePath3D(poses_se3=[np.array(world_T_cam[i]) for i in both])
    true = evo.trajectory.PosePath3D(poses_se3=[np.array(true_world_T_cam[i]) for i in both])
    try:
        ours.align(true, correct_scale=True)
    except evo.geometry.GeometryException:  # the prediction, or the truth, does not move
        _collapse(ours, true)
    ate = evo.metrics.APE(evo.metrics.PoseRelation.translation_part)
    ate.process_data((true, ours))
    steps = [k for k in range(len(both) - 1) if both[k + 1] == both[k] + 1]
    return PoseErrors(
        float(ate.get_statistic(evo.metrics.StatisticsType.rmse)),
        _relative(evo, true, ours, steps, 'translation_part'),
        _relative(evo, true, ours, steps, 'rotation_angle_deg'),
        len(both),
    )


def aligned_positions(
    world_T_cam: Sequence[Transform | None], true_world_T_cam: Sequence[Transform | None]
) -> np.ndarray:
    """Give the predicted positions under the best similarity, NaN where a pose is missing."""
    evo = _evo()
    positions = np.full((len(world_T_cam), 3), np.nan)
    both = [
        i
        for i, (ours, true) in enumerate(zip(world_T_cam, true_world_T_cam, strict=True))
        if _usable(ours) and _usable(true)
    ]
    if len(both) < MIN_POSES:
        return positions
    ours = evo.trajectory.PosePath3D(poses_se3=[np.array(world_T_cam[i]) for i in both])
    true = evo.trajectory.PosePath3D(poses_se3=[np.array(true_world_T_cam[i]) for i in both])
    try:
        ours.align(true, correct_scale=True)
    except evo.geometry.GeometryException:
        _collapse(ours, true)
    positions[both] = ours.positions_xyz
    return positions


@dataclass(frozen=True)
class _Evo:
    """The parts of evo that are used, imported on demand."""

    trajectory: Any
    metrics: Any
    geometry: Any


def _evo() -> _Evo:
    try:
        from evo.core import geometry, metrics, trajectory  # noqa: PLC0415  optional
    except ImportError as error:
        raise InputError(
            f'pose errors are computed by evo, which is missing: {INSTALL}'
        ) from error
    return _Evo(trajectory, metrics, geometry)


def _usable(world_T_cam: Transform | None) -> bool:
    return world_T_cam is not None and bool(np.isfinite(world_T_cam).all())


def _collapse(ours: Any, true: Any) -> None:
    """Put every pose on the truth's centroid: the similarity of scale 0."""
    ours.scale(0.0)
    shift = np.eye(4)
    shift[:3, 3] = true.positions_xyz.mean(axis=0) - ours.positions_xyz.mean(axis=0)
    ours.transform(shift)


def _relative(evo: _Evo, true: Any, ours: Any, steps: list[int], part: str) -> float:
    """Give the root mean square of the errors from frame to frame."""
    if not steps:
        return float('nan')
    rpe = evo.metrics.RPE(
        evo.metrics.PoseRelation[part], delta=1, delta_unit=evo.metrics.Unit.frames
    )
    rpe.process_data((true, ours))
    return float(np.sqrt(np.mean(np.asarray(rpe.error)[steps] ** 2)))
