"""How well the frames of a video agree with each other when the true poses place them."""

from dataclasses import dataclass

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.shapes import Map, Maps, Points, Transform
from depthsync_ros.evaluation.metrics import MIN_DEPTH_M

GAPS = (1, 5, 10, 20)  # frames between the two that are compared
AGREEMENT = 0.05  # of the true depth: beyond it a pixel is hidden, moving or mismeasured
MAX_PAIRS = 180  # of frames, spread evenly: as many as published evaluations of TAE take
GRID = 80  # columns of pixels that MFC carries over; at 320x240 every fourth, both ways


@dataclass(frozen=True, eq=False)
class View:
    """
    The pixels of one camera that are carried over, and their viewing rays.

    Shapes: directions (3, pixels), of every stride-th pixel in both directions; calibration
        (3, 3), the camera matrix.
    """

    camera: Camera
    stride: int
    directions: Points
    calibration: np.ndarray

    @classmethod
    def of(cls, camera: Camera, dtype: np.dtype, stride: int = 1) -> 'View':
        """Lay the grid of every stride-th pixel."""
        v, u = np.mgrid[0 : camera.height : stride, 0 : camera.width : stride]
        matrix = [[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]]
        pixels = np.stack([u.ravel(), v.ravel(), np.ones(u.size)])
        return cls(
            camera, stride, (np.linalg.inv(matrix) @ pixels).astype(dtype), np.array(matrix)
        )

    def pick(self, depth: Map) -> np.ndarray:
        """Give the depth of the grid's pixels, as a list."""
        return depth[:: self.stride, :: self.stride].ravel()


@dataclass(frozen=True, eq=False)
class Landed:
    """
    Where pixels fall in another frame: flat index of the pixel, depth there, and if inside.

    Outside, the index means nothing.
    """

    index: np.ndarray
    depth: np.ndarray
    inside: np.ndarray


def multi_frame_consistency(
    depth_m: Maps, truth_m: Maps, world_T_cam: Transform, camera: Camera, max_depth_m: float
) -> float:
    """
    Give the mean relative disagreement of frames at the gaps 1, 5, 10 and 20 (MFC).

    Each pixel's depth is carried into a later frame by the true poses and compared with that
    frame's depth where it lands. Pixels count whose true depth, carried the same way, agrees
    with the true depth within 5 %: visible in both frames and at rest. Mean over a pair's pixels
    (a grid of about 80 columns), a gap's pairs (at most 180), and the gaps; NaN where no pair
    counts.

    Shapes: depth_m and truth_m (frames, height, width); world_T_cam (frames, 4, 4).
    Convention: a plain pinhole on both sides, as in published evaluations; lens distortion is
        left in, and cancels but for the motion between the frames.
    """
    view = View.of(camera, depth_m.dtype, max(1, camera.width // GRID))
    cam_T_world = np.linalg.inv(world_T_cam)
    gaps = []
    for gap in GAPS:
        pairs = [
            _pair(view, (depth_m[i], depth_m[i + gap]), (truth_m[i], truth_m[i + gap]), motion)
            for i in _spread(len(depth_m) - gap)
            if np.isfinite(motion := cam_T_world[i + gap] @ world_T_cam[i]).all()
        ]
        if np.isfinite(pairs).any():
            gaps.append(np.nanmean(pairs))
    return float(np.mean(gaps)) if gaps else float('nan')


def temporal_alignment_error(depth_m: Maps, world_T_cam: Transform, camera: Camera) -> float:
    """
    Give the temporal alignment error (TAE) of neighbouring frames, in percent.

    Source: Video Depth Anything (arXiv:2501.12375), equation of TAE, with the details of its
        published evaluation: both directions, nearest pixel, no visibility test, all pixels. At
        most 180 pairs, spread over the video.
    """
    view = View.of(camera, depth_m.dtype)
    errors = []
    for i in _spread(len(depth_m) - 1):
        later_T_earlier = np.linalg.inv(world_T_cam[i + 1]) @ world_T_cam[i]
        if np.isfinite(later_T_earlier).all():
            errors.append(_carried_error(view, depth_m[i], depth_m[i + 1], later_T_earlier))
            back = np.linalg.inv(later_T_earlier)
            errors.append(_carried_error(view, depth_m[i + 1], depth_m[i], back))
    return 100.0 * float(np.mean(errors)) if errors else float('nan')


def land(view: View, depth: np.ndarray, target_T_source: Transform) -> Landed:
    """
    Carry the grid's pixels into another frame of the same camera.

    Shapes: depth (..., pixels): several depths of the same pixels are carried at once.
    """
    camera = view.camera
    turn = (view.calibration @ target_T_source[:3, :3]).astype(depth.dtype)
    shift = (view.calibration @ target_T_source[:3, 3]).astype(depth.dtype)
    u, v, z = ((turn[i] @ view.directions) * depth + shift[i] for i in range(3))
    with np.errstate(divide='ignore', invalid='ignore'):
        u /= z
        v /= z
        np.rint(u, out=u)
        np.rint(v, out=v)
        columns, rows = u.astype(np.int32), v.astype(np.int32)
    # Taken as unsigned, negative numbers are large: one comparison for both bounds.
    inside = (columns.view(np.uint32) < camera.width) & (rows.view(np.uint32) < camera.height)
    rows *= camera.width
    rows += columns
    return Landed(rows, z, inside)


def _spread(count: int) -> list[int]:
    """
    Choose at most MAX_PAIRS of the first frames of pairs, evenly.

    >>> _spread(3), len(_spread(599)), _spread(599)[-1]
    ([0, 1, 2], 180, 598)
    """
    return [int(i) for i in np.linspace(0, count - 1, min(count, MAX_PAIRS))] if count > 0 else []


def _pair(
    view: View, depths: tuple[Map, Map], truths: tuple[Map, Map], target_T_source: Transform
) -> float:
    """Give the mean disagreement of one pair of frames; NaN where no pixel counts."""
    source = np.stack([view.pick(truths[0]), view.pick(depths[0])])
    landed = land(view, source, target_T_source)
    there = truths[1].ravel().take(landed.index[0], mode='clip')
    counts = landed.inside[0] & landed.inside[1]
    counts &= np.abs(landed.depth[0] - there) < AGREEMENT * there  # false where truth is unknown
    counts &= (there > MIN_DEPTH_M) & (landed.depth > 0.0).all(axis=0)
    if not counts.any():
        return float('nan')
    reference = depths[1].ravel()[landed.index[1][counts]]
    return float((np.abs(landed.depth[1][counts] - reference) / reference).mean())


def _carried_error(view: View, source: Map, target: Map, target_T_source: Transform) -> float:
    """Give the mean error of what lands, relative to the target's depth (positive everywhere)."""
    landed = land(view, source.ravel(), target_T_source)
    carried = np.zeros(target.size, target.dtype)
    carried[landed.index[landed.inside]] = landed.depth[landed.inside]
    error = carried / target.ravel()
    error -= 1.0
    np.abs(error, out=error)
    hit = carried > 0.0
    count = np.count_nonzero(hit)
    return float(error.sum(where=hit, dtype=np.float64)) / count if count else 0.0
