"""
The geometry loss of the poster, differentiable: depth reprojection, tracking and normals.

Used by exact guidance, which descends it through the decoder. The fast way (`bend`) solves its
depth part in closed form.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from depthsync_ros.core.camera import Camera, rays
from depthsync_ros.core.geometry import Geometry
from depthsync_ros.core.rigid import invert
from depthsync_ros.core.scale import Gauge
from depthsync_ros.core.shapes import DisparityTensor
from depthsync_ros.core.shift import Shift

FLOOR = 1e-3
GAP = 4  # frames between the two that a track is followed over
HUBER_PX = 1.0
TRACKING, NORMALS = 0.1, 0.2  # weights beside the reprojection term's one


@dataclass(frozen=True, eq=False)
class GeometryLoss:
    """
    How far a window's depth is from where its tracks say it should be.

        reprojection  mean w (max(Z^/Z, Z/Z^) - 1)        Z^ of the points that tracks place
        tracking      mean w Huber(|pi(j_T_i pi^-1(x_i, Z_i)) - x_j|)
        normals       mean (1 - <n, n0>)                   n0 of the depth that is corrected

    Shapes: places (frames, points, 2) in grid_sample's units; directions (frames, points, 3);
        depth, weight (frames, points), zero weight where nothing is known; motion (frames - gap,
        4, 4) takes a frame into the one GAP later; normals (frames, 3, rows, cols).
    """

    gauge: Gauge
    shift: Shift
    places: Tensor
    directions: Tensor
    depth: Tensor
    weight: Tensor
    motion: Tensor
    normals: Tensor
    focal: Tensor  # of the network's pixels, (fx, fy, cx, cy)
    focal_px: float

    @classmethod
    def of(
        cls, geometry: Geometry, own: DisparityTensor, gauge: Gauge, shift: Shift, camera: Camera
    ) -> 'GeometryLoss':
        """Bind the loss to a window's geometry; own is the disparity that is to be corrected."""
        bundle, pixels = geometry.bundle, geometry.tracks.pixels
        if bundle is None:
            raise ValueError('a geometry without points has no loss')
        seen = np.isfinite(bundle.depth)
        trust = bundle.point_belief / (NETWORK + bundle.deviation**2)
        weight = np.where(seen, np.nan_to_num(trust), 0.0) * NETWORK
        size = np.array([camera.width, camera.height], np.float64)
        places = np.nan_to_num((pixels + 0.5) / size * 2.0 - 1.0)
        directions = np.zeros((*seen.shape, 3))
        known = geometry.tracks.visible
        directions[known] = rays(camera, pixels[known])
        world_T_cam = bundle.poses.window_T_cam
        motion = np.nan_to_num(invert(world_T_cam[GAP:]) @ world_T_cam[:-GAP])
        height, width = own.shape[1:]
        ratio = width / camera.width, height / camera.height
        focal = camera.fx * ratio[0], camera.fy * ratio[1]
        centre = (camera.cx + 0.5) * ratio[0] - 0.5, (camera.cy + 0.5) * ratio[1] - 0.5

        def tensor(values: np.ndarray | tuple[float, ...]) -> Tensor:
            return torch.as_tensor(np.asarray(values, np.float32), device=own.device)

        inner = tensor((*focal, *centre))
        total = gauge.scale * own + gauge.shift + shift.value
        return cls(
            gauge,
            shift,
            tensor(places),
            tensor(directions),
            tensor(np.nan_to_num(bundle.depth, nan=1.0)),
            tensor(weight),
            tensor(motion),
            plane_normals(total, inner).detach(),
            inner,
            (camera.fx + camera.fy) / 2.0,
        )

    def __call__(self, own: DisparityTensor) -> Tensor:
        """Give the loss of the window's own disparity, (frames, height, width)."""
        total = (self.gauge.scale * own + self.gauge.shift + self.shift.value).clamp(min=FLOOR)
        sampled = functional.grid_sample(
            total[:, None], self.places[:, None], align_corners=False, padding_mode='border'
        )[:, 0, 0]
        depth = 1.0 / sampled
        apart = (depth / self.depth).log().abs().clamp(max=1.0)
        reprojection = _mean(torch.expm1(apart), self.weight)
        normals = (1.0 - (plane_normals(total, self.focal) * self.normals).sum(1)).mean()
        return reprojection + TRACKING * self._tracking(depth) + NORMALS * normals

    def _tracking(self, depth: Tensor) -> Tensor:
        points = self.directions * depth[..., None]
        moved = (
            points[:-GAP] @ self.motion[:, :3, :3].transpose(1, 2) + self.motion[:, None, :3, 3]
        )
        image = moved[..., :2] / moved[..., 2:].clamp(min=FLOOR)
        away = (image - self.directions[GAP:, :, :2]).norm(dim=-1) * self.focal_px
        weight = self.weight[:-GAP] * (self.weight[GAP:] > 0.0)
        huber = functional.huber_loss(
            away, torch.zeros_like(away), reduction='none', delta=HUBER_PX
        )
        return _mean(huber.clamp(max=10.0), weight)


NETWORK = 0.05**2


def plane_normals(total: DisparityTensor, inner: Tensor) -> Tensor:
    """
    Give each pixel's surface normal, (frames, 3, height - 1, width - 1).

    On a plane n . X = 1 inverse depth is n . r for the ray r: its slopes over the image are the
    normal's first two components.
    """
    fx, fy, cx, cy = inner
    height, width = total.shape[1:]
    core = total[:, :-1, :-1]
    across = (total[:, :-1, 1:] - core) * fx
    down = (total[:, 1:, :-1] - core) * fy
    x = (torch.arange(width - 1, device=total.device) - cx) / fx
    y = (torch.arange(height - 1, device=total.device) - cy)[:, None] / fy
    normals = torch.stack([across, down, core - x * across - y * down], dim=1)
    return functional.normalize(normals, dim=1)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)
