"""Bending a window's depth so that its frames agree in 3D."""

from dataclasses import dataclass

import cv2
import numpy as np

from depthsync_ros.core.bundle import adjust, Bundle
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.context import WindowContext
from depthsync_ros.core.errors import PoseError
from depthsync_ros.core.poses import PoseLimits, Sightings, sightings, solve_poses, WindowPoses
from depthsync_ros.core.shapes import Maps, Pixels
from depthsync_ros.core.shift import Shift, to_depth
from depthsync_ros.core.tracks import WindowTracks

GRID = (6, 8)  # rows, columns of the correction: only low frequencies move
STIFFNESS = 30.0  # sightings' worth of resistance to bending
INERTIA = 2.0  # sightings' worth of resistance to any change, per node
MAX_LOG = 0.5  # a correction beyond a factor of 1.6 is not believed


@dataclass(frozen=True, eq=False)
class Agreement:
    """
    A window's disparity after geometry has had its say, and the poses that go with it.

    poses is None where the tracks support none; then the disparity is as it was, and notes
    say why.
    """

    disparity: Maps
    poses: WindowPoses | None
    notes: tuple[str, ...] = ()


def see(context: WindowContext, tracks: WindowTracks, disparity: Maps, shift: Shift) -> Sightings:
    """Give the window's tracks their depth under global disparity and the run's shift."""
    sampled = sample_maps(disparity, tracks.pixels, context.camera)
    return sightings(tracks, context.camera, to_depth(sampled, shift.value))


def agree(
    context: WindowContext, tracks: WindowTracks, disparity: Maps, shift: Shift, *, bend: bool
) -> Agreement:
    """
    Derive the window's poses and, with bend, the depth on which its frames agree.

    Shapes: disparity (frames, height, width) at the network's size, in the run's unit.
    """
    poses_settings = context.settings.poses
    limits = PoseLimits(poses_settings.min_tracks, poses_settings.max_error_px)
    seen = see(context, tracks, disparity, shift)
    try:
        bundle = adjust(seen, solve_poses(seen, limits))
    except PoseError as error:
        return Agreement(disparity, None, (str(error),))
    if not bend:
        return Agreement(disparity, bundle.poses)
    nodes = fit_correction(bundle, seen.depth, tracks.pixels, context.camera)
    factor = np.exp(-dense(nodes, disparity.shape[2], disparity.shape[1]))
    bent = (disparity + shift.value) * factor - shift.value
    return Agreement(bent.astype(np.float32), bundle.poses)


def fit_correction(
    bundle: Bundle, depth: np.ndarray, pixels: Pixels, camera: Camera
) -> np.ndarray:
    """
    Find the smooth change of each frame's depth that best meets the bundle's points.

    The shape between the points is kept: bending is penalised, so surfaces keep their normals
    while whole regions move. With no believed sighting a frame stays as it is.

    Shapes: depth (frames, points), what the bundle was given; pixels (frames, points, 2); the
        result (frames, rows, cols), log factors c on a coarse grid over the image: z * exp(c).
    Source: the geometry loss of the DepthSync poster (tracking, reprojection, normals) as one
    linear least-squares problem a frame, its tracks solved for by the bundle.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        wanted = np.log(bundle.depth / depth)
    believed = np.isfinite(wanted) & (np.abs(wanted) < MAX_LOG)
    weights = np.where(believed, bundle.weights, 0.0)
    wanted = np.where(believed, wanted, 0.0)
    basis = _basis(pixels, camera)
    weighted = np.swapaxes(basis * weights[..., None], 1, 2)
    system = weighted @ basis + STIFFNESS * _bending() + INERTIA * np.eye(basis.shape[-1])
    nodes = np.linalg.solve(system, weighted @ wanted[..., None])[..., 0]
    return nodes.reshape(-1, *GRID)


def dense(nodes: np.ndarray, width: int, height: int) -> Maps:
    """Give the log factor of every pixel, (frames, height, width)."""
    return np.stack([_enlarge(frame, width, height) for frame in nodes])


def sample_maps(maps: Maps, pixels: Pixels, camera: Camera) -> np.ndarray:
    """
    Read maps at full-image pixels, bilinearly; NaN where a pixel is NaN.

    Shapes: maps (frames, height, width) at any size; pixels (frames, points, 2); the result
        (frames, points).
    """
    height, width = maps.shape[1:]
    ratio = (width / camera.width, height / camera.height)
    if not pixels.shape[1]:
        return np.zeros(pixels.shape[:2])
    places = np.nan_to_num((pixels + 0.5) * ratio - 0.5).astype(np.float32)
    rows = [
        cv2.remap(grid, u[None], v[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        for grid, (u, v) in zip(maps, places.transpose(0, 2, 1), strict=True)
    ]
    return np.where(np.isfinite(pixels[..., 0]), np.stack(rows), np.nan)


def _basis(pixels: Pixels, camera: Camera) -> np.ndarray:
    """Give each sighting's bilinear weights on the grid, (frames, points, rows * cols)."""
    rows, cols = GRID
    u = np.nan_to_num((pixels[..., 0] + 0.5) / camera.width) * (cols - 1)
    v = np.nan_to_num((pixels[..., 1] + 0.5) / camera.height) * (rows - 1)
    along_u = np.clip(1.0 - np.abs(u[..., None] - np.arange(cols)), 0.0, None)
    along_v = np.clip(1.0 - np.abs(v[..., None] - np.arange(rows)), 0.0, None)
    return (along_v[..., :, None] * along_u[..., None, :]).reshape(*u.shape, rows * cols)


def _bending() -> np.ndarray:
    """Give the quadratic form of the grid's second differences."""
    rows, cols = GRID
    nodes = np.eye(rows * cols).reshape(rows, cols, rows * cols)
    across = nodes[:, 2:] - 2.0 * nodes[:, 1:-1] + nodes[:, :-2]
    down = nodes[2:] - 2.0 * nodes[1:-1] + nodes[:-2]
    twist = nodes[1:, 1:] - nodes[1:, :-1] - nodes[:-1, 1:] + nodes[:-1, :-1]
    differences = [part.reshape(-1, rows * cols) for part in (across, down, 2**0.5 * twist)]
    stacked = np.concatenate(differences)
    form: np.ndarray = stacked.T @ stacked
    return form


def _enlarge(nodes: np.ndarray, width: int, height: int) -> np.ndarray:
    rows, cols = nodes.shape
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    u, v = np.meshgrid((across + 0.5) / width * (cols - 1), (down + 0.5) / height * (rows - 1))
    return cv2.remap(nodes.astype(np.float32), u, v, cv2.INTER_LINEAR)
