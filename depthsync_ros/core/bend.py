"""Bending a window's depth, smoothly, onto the points that its tracks triangulate to."""

from functools import cache

import numpy as np
import torch

from depthsync_ros.core.bundle import Bundle
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.shapes import Maps, Pixels

ROWS, COLS, LEVELS = 6, 8, 4  # nodes over the image and over log disparity
STIFFNESS, STEP_STIFFNESS = 0.3, 0.15  # sightings' worth of resistance to bending, and to steps
INERTIA = 0.05  # sightings' worth of resistance to any change, per node
TRUSTED = 0.1  # a triangulated depth of this relative deviation has half a say
MAX_LOG = 0.5  # a change beyond a factor of 1.6 is not believed
FLOOR = 1e-3  # least total disparity


def bend(total: Maps, sampled: np.ndarray, bundle: Bundle, pixels: Pixels, camera: Camera) -> Maps:
    """
    Change each frame's disparity by a smooth factor that best meets the bundle's points.

    The factor varies over the image and over disparity itself (a bilateral grid), so that a thing
    and the wall behind it move apart without a blur between them; where no point is believed a
    frame stays as it is. Bending of the factor is penalised: surfaces keep their normals while
    regions move.

    Shapes: total (frames, height, width), global disparity plus the run's shift; sampled
        (frames, points), the same at the sightings; pixels (frames, points, 2).
    Source: the geometry loss of the DepthSync poster (reprojection, tracking, normals) as one
        linear least-squares problem a frame, its tracks solved for by the bundle; Chen, Paris
        and Durand 2007 for the grid.
    """
    total, levels = np.maximum(total, FLOOR), _Levels.of(total)
    with np.errstate(invalid='ignore', divide='ignore'):
        wanted = np.log(bundle.depth * sampled)
    believed = np.isfinite(wanted) & (np.abs(wanted) < MAX_LOG)
    trust = bundle.point_belief / (1.0 + (bundle.deviation / TRUSTED) ** 2)
    level = levels.place(sampled)
    nodes = np.zeros((len(total), LEVELS * ROWS * COLS), np.float32)
    for frame, chosen in enumerate(believed):
        basis = _basis(pixels[frame, chosen], level[frame, chosen], camera)
        weighted = basis.T * trust[frame, chosen].astype(np.float32)
        system = weighted @ basis + _resistance()
        nodes[frame] = np.linalg.solve(system, weighted @ wanted[frame, chosen].astype(np.float32))
    bent: Maps = total * np.exp(
        -_slice(nodes.reshape(-1, LEVELS, ROWS, COLS), levels.place(total))
    )
    return bent.astype(np.float32)


class _Levels:
    """Where a disparity stands between a window's far and near end, in levels of the grid."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._range = low, max(high - low, 1e-6)

    @classmethod
    def of(cls, total: Maps) -> '_Levels':
        low, high = np.percentile(np.log(np.maximum(total[:, ::4, ::4], FLOOR)), (2.0, 98.0))
        return cls(float(low), float(high))

    def place(self, total: np.ndarray) -> np.ndarray:
        logarithm = np.log(np.maximum(np.nan_to_num(total, nan=1.0), FLOOR))
        share = np.clip((logarithm - self._low) / self._range, 0.0, 1.0)
        placed: np.ndarray = (share * (LEVELS - 1)).astype(np.float32)
        return placed


def _basis(pixels: Pixels, level: np.ndarray, camera: Camera) -> np.ndarray:
    """Give each sighting's trilinear weights on the grid, (points, nodes)."""
    u = (pixels[:, 0] + 0.5) / camera.width * (COLS - 1)
    v = (pixels[:, 1] + 0.5) / camera.height * (ROWS - 1)
    across = _hat(v, ROWS)[:, :, None] * _hat(u, COLS)[:, None, :]
    basis: np.ndarray = _hat(level, LEVELS)[:, :, None, None] * across[:, None]
    return basis.reshape(len(pixels), LEVELS * ROWS * COLS)


def _hat(place: np.ndarray, nodes: int) -> np.ndarray:
    """Give the two nodes beside a place their shares."""
    distance = np.abs(place.astype(np.float32)[:, None] - np.arange(nodes, dtype=np.float32))
    return np.clip(1.0 - distance, 0.0, None)


@cache
def _resistance() -> np.ndarray:
    """Give the quadratic form of the grid's bending within levels, steps between, and size."""
    count = LEVELS * ROWS * COLS
    nodes = np.eye(count).reshape(LEVELS, ROWS, COLS, count)
    across = nodes[:, :, 2:] - 2.0 * nodes[:, :, 1:-1] + nodes[:, :, :-2]
    down = nodes[:, 2:] - 2.0 * nodes[:, 1:-1] + nodes[:, :-2]
    twist = nodes[:, 1:, 1:] - nodes[:, 1:, :-1] - nodes[:, :-1, 1:] + nodes[:, :-1, :-1]
    parts = [part.reshape(-1, count) for part in (across, down, 2**0.5 * twist)]
    bending, steps = np.concatenate(parts), (nodes[1:] - nodes[:-1]).reshape(-1, count)
    form = STIFFNESS * bending.T @ bending + STEP_STIFFNESS * steps.T @ steps
    form += INERTIA * np.eye(count)
    resistance: np.ndarray = form.astype(np.float32)
    return resistance


def _slice(nodes: np.ndarray, level: Maps) -> Maps:
    """Read the grid at every pixel, (frames, height, width)."""
    height, width = level.shape[1:]
    u = (np.arange(width, dtype=np.float32) + 0.5) / width * 2.0 - 1.0
    v = (np.arange(height, dtype=np.float32) + 0.5) / height * 2.0 - 1.0
    plane = np.stack(np.meshgrid(u, v), axis=-1)
    depth = level / (LEVELS - 1) * 2.0 - 1.0
    places = np.concatenate(
        [np.broadcast_to(plane, (*depth.shape, 2)), depth[..., None].astype(np.float32)], axis=-1
    )
    values = torch.nn.functional.grid_sample(
        torch.from_numpy(nodes)[:, None],
        torch.from_numpy(places)[:, None],
        padding_mode='border',
        align_corners=True,
    )
    sliced: Maps = values[:, 0, 0].numpy()
    return sliced
