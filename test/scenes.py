"""Small synthetic scenes whose depth, poses and tracks are known exactly."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from depthsync_ros.core.camera import Camera, project, rays
from depthsync_ros.core.poses import Sightings, sightings
from depthsync_ros.core.rigid import exponential, invert, transform
from depthsync_ros.core.shapes import Points, Transform
from depthsync_ros.core.tracks import WindowTracks

CAMERA = Camera(160, 120, 130.0, 130.0, 79.5, 59.5)
TEXELS = 24.0  # a metre; about three pixels at three metres, so that corners can be followed


@dataclass(frozen=True, eq=False)
class Face:
    """A textured rectangle: corner + s * along + t * up, with s and t in [0, 1]."""

    corner: np.ndarray
    along: np.ndarray
    up: np.ndarray
    texture: np.ndarray


def face(seed: int, corner: tuple, along: tuple, up: tuple) -> Face:
    sides = [max(4, round(TEXELS * float(np.linalg.norm(side)))) for side in (up, along)]
    noise = np.random.default_rng(seed).integers(20, 235, (*sides, 3), dtype=np.uint8)
    return Face(np.array(corner, float), np.array(along, float), np.array(up, float), noise)


# A wall, a floor and two boards before it, in the first camera's optical frame (y down, z on).
ROOM = (
    face(0, (-6.0, -4.0, 5.0), (12.0, 0.0, 0.0), (0.0, 5.2, 0.0)),
    face(1, (-6.0, 1.2, 0.5), (12.0, 0.0, 0.0), (0.0, 0.0, 4.5)),
    face(2, (-1.6, -0.4, 2.2), (1.1, 0.0, 0.3), (0.0, 1.4, 0.0)),
    face(3, (0.5, -0.6, 3.0), (1.0, 0.0, -0.5), (0.0, 1.6, 0.0)),
)


@dataclass(frozen=True, eq=False)
class View:
    """One rendered image and its true z-depth in metres (NaN where nothing is)."""

    rgb: np.ndarray
    depth_m: np.ndarray


def render(world_T_cam: Transform, camera: Camera = CAMERA, faces: tuple = ROOM) -> View:
    """Cast a ray through each pixel; the nearest face wins."""
    v, u = np.mgrid[: camera.height, : camera.width]
    directions = rays(camera, np.stack([u, v], axis=-1)) @ world_T_cam[:3, :3].T
    origin = world_T_cam[:3, 3]
    depth_m = np.full((camera.height, camera.width), np.inf)
    rgb = np.zeros((camera.height, camera.width, 3), np.uint8)
    for one in faces:
        # origin + z * direction = corner + s * along + t * up
        normal = np.cross(one.along, one.up)
        with np.errstate(divide='ignore', invalid='ignore'):
            z = ((one.corner - origin) @ normal) / (directions @ normal)
            offset = origin + z[..., None] * directions - one.corner
        s, t = (offset @ side / (side @ side) for side in (one.along, one.up))
        hit = (z > 0.0) & (z < depth_m) & (s >= 0.0) & (s <= 1.0) & (t >= 0.0) & (t <= 1.0)
        rows, cols = one.texture.shape[:2]
        place = np.nan_to_num([s * (cols - 1), t * (rows - 1)]).astype(np.float32)
        colour = cv2.remap(one.texture, place[0], place[1], cv2.INTER_LINEAR)
        depth_m[hit], rgb[hit] = z[hit], colour[hit]
    depth_m[np.isinf(depth_m)] = np.nan
    return View(rgb, depth_m)


def path(frames: int, step: tuple[float, ...]) -> Transform:
    """
    Give world_T_cam of a camera that starts in the world's origin and moves steadily.

    step is one frame's translation and rotation vector.
    """
    return exponential(np.arange(frames)[:, None] * np.array(step))


def cloud(points: int, seed: int = 3) -> Points:
    """Give points of the world between 1.5 and 5 units before the origin."""
    low, high = (-2.0, -1.5, 1.5), (2.0, 1.5, 5.0)
    return np.random.default_rng(seed).uniform(low, high, (points, 3))


def see_cloud(
    world_T_cam: Transform,
    points_world: Points,
    camera: Camera,
    *,
    noise_px: float = 0.0,
    outliers: float = 0.0,
    depth_noise: float = 0.0,
    seed: int = 5,
) -> Sightings:
    """
    Track points through the video, exactly or with noise.

    outliers is the share of tracks that jump about the image at random; depth_noise is relative.
    """
    generator = np.random.default_rng(seed)
    frames, count = len(world_T_cam), len(points_world)
    points = transform(invert(world_T_cam), np.broadcast_to(points_world, (frames, count, 3)))
    pixels = project(camera, points)
    limits = (camera.width - 1.0, camera.height - 1.0)
    visible = ((pixels >= 0.0) & (pixels <= limits)).all(axis=-1)
    pixels = pixels + noise_px * generator.normal(size=pixels.shape)
    stray = generator.random(count) < outliers
    pixels[:, stray] = generator.uniform((0.0, 0.0), limits, (frames, int(stray.sum()), 2))
    depth = points[..., 2] * (1.0 + depth_noise * generator.normal(size=visible.shape))
    pixels[~visible], depth[~visible] = np.nan, np.nan
    return sightings(WindowTracks(pixels, visible, np.arange(count)), camera, depth)


def without(seen: Sightings, frames: slice | list[int]) -> Sightings:
    """Hide everything from some frames."""
    visible = seen.visible.copy()
    visible[frames] = False
    return replace(seen, visible=visible)
