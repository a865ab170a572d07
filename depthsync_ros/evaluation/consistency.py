"""How well the frames of a video agree with each other when the true poses place them."""

from dataclasses import dataclass

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.shapes import Map, Maps, Points, Transform
from depthsync_ros.evaluation.metrics import MIN_DEPTH_M

GAPS = (1, 5, 10, 20)  # frames between the two that are compared
AGREEMENT = 0.05  # of the true depth: beyond it a pixel is hidden, moving or mismeasured
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
    """Where a frame's pixels fall in another: flat pixel index (0 outside), depth, inside."""

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
    with the true depth within 5 %: visible in both frames and at rest. Mean over a pair's
    pixels (a grid of about 80 columns), a gap's pairs, and the gaps; NaN where no pair counts.

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
            for i in range(len(depth_m) - gap)
            if np.isfinite(motion := cam_T_world[i + gap] @ world_T_cam[i]).all()
        ]
        if np.isfinite(pairs).any():
            gaps.append(np.nanmean(pairs))
    return float(np.mean(gaps)) if gaps else float('nan')


def temporal_alignment_error(depth_m: Maps, world_T_cam: Transform, camera: Camera) -> float:
    """
    Give the temporal alignment error (TAE) of neighbouring frames, in percent.

    Source: Video Depth Anything (arXiv:2501.12375), equation of TAE, with the details of its
        published evaluation: both directions, nearest pixel, no visibility test, all pixels.
    """
    view = View.of(camera, depth_m.dtype)
    errors = []
    for i in range(len(depth_m) - 1):
        later_T_earlier = np.linalg.inv(world_T_cam[i + 1]) @ world_T_cam[i]
        if np.isfinite(later_T_earlier).all():
            errors.append(_carried_error(view, depth_m[i], depth_m[i + 1], later_T_earlier))
            back = np.linalg.inv(later_T_earlier)
            errors.append(_carried_error(view, depth_m[i + 1], depth_m[i], back))
    return 100.0 * float(np.mean(errors)) if errors else float('nan')


def land(view: View, depth: np.ndarray, target_T_source: Transform) -> Landed:
    """Carry the grid's pixels into another frame of the same camera."""
    camera = view.camera
    turn = (view.calibration @ target_T_source[:3, :3]).astype(depth.dtype)
    shift = (view.calibration @ target_T_source[:3, 3]).astype(depth.dtype)
    u, v, z = (turn @ view.directions) * depth + shift[:, None]
    with np.errstate(divide='ignore', invalid='ignore'):
        u, v = np.rint(np.divide(u, z, out=u), out=u), np.rint(np.divide(v, z, out=v), out=v)
        inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
        flat = (np.where(inside, v, 0) * camera.width + np.where(inside, u, 0)).astype(np.int32)
    return Landed(flat, z, inside)


def _pair(
    view: View, depths: tuple[Map, Map], truths: tuple[Map, Map], target_T_source: Transform
) -> float:
    """Give the mean disagreement of one pair of frames; NaN where no pixel counts."""
    true_source, true_target = view.pick(truths[0]), truths[1].ravel()
    true = land(view, true_source, target_T_source)
    there = true_target[true.index]
    counts = true.inside & (true_source > MIN_DEPTH_M) & (there > MIN_DEPTH_M)
    counts &= np.abs(true.depth - there) < AGREEMENT * there
    ours = land(view, view.pick(depths[0]), target_T_source)
    counts &= ours.inside & (ours.depth > 0.0)
    if not counts.any():
        return float('nan')
    reference = depths[1].ravel()[ours.index[counts]]
    return float((np.abs(ours.depth[counts] - reference) / reference).mean())


def _carried_error(view: View, source: Map, target: Map, target_T_source: Transform) -> float:
    landed = land(view, source.ravel(), target_T_source)
    carried = np.zeros(target.size, target.dtype)
    carried[landed.index[landed.inside]] = landed.depth[landed.inside]
    target = target.ravel()
    counts = (carried > 0.0) & (target > 0.0)
    if not counts.any():
        return 0.0
    return float((np.abs(target[counts] - carried[counts]) / target[counts]).mean())
