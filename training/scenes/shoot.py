"""
Film one scene: a number in, frames with depth and poses out, always the same for one number.

The generator's version is part of the seed: a better generator makes other rooms.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.scenes import effects
from training.scenes.catalogue import Piece
from training.scenes.furniture import load_model, Model
from training.scenes.layout import furnish
from training.scenes.paths import long_path, NoPathError, short_path, steady_path, turning_path
from training.scenes.paths import Path as CameraPath
from training.scenes.room import Room
from training.scenes.shadows import lit, look_from, ShadowMap
from training.scenes.stock import Stock
from training.scenes.world import Camera, Screen

GENERATOR_VERSION = 6
FPS = 30.0
FIRST_NUMBER = {'train': 0, 'val': 1_000_000, 'test': 2_000_000}
LAST_COUNT = 1_000_000
PATH_KINDS = {
    'short': short_path,
    'long': long_path,
    'steady': steady_path,
    'turning': turning_path,
}
TRAIN_SIZE, VIDEO_SIZE = (256, 192), (320, 240)
MIN_DEPTH_M = 0.28
SHADOWS_LAST_S = 0.25
EXPOSURE_HASTE = 0.08  # share of the error that automatic exposure corrects in a frame


@dataclass(frozen=True, kw_only=True)
class Shot:
    """
    One clean frame as drawn, at full drawing size, and when and whence it was taken.

    Shapes: rgb (H, W, 3) float32 0..1, depth_m (H, W).
    """

    time_s: float
    world_T_cam: np.ndarray
    rgb: np.ndarray
    depth_m: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Clip:
    """
    Developed frames of one path.

    Shapes: rgb (T, H, W, 3) uint8, depth_m (T, H, W) float32, world_T_cam (T, 4, 4).
    """

    rgb: np.ndarray
    depth_m: np.ndarray
    world_T_cam: np.ndarray
    fov_deg: float


@dataclass(frozen=True, kw_only=True)
class Shade:
    """A lamp that throws shadows; `strength` is the share of the light it gives."""

    position: np.ndarray
    towards: np.ndarray
    strength: float


@dataclass(frozen=True, kw_only=True)
class View:
    """How wide the camera sees, and in how many pixels (width, height) it is drawn and sensed."""

    fov_deg: float
    drawing: tuple[int, int]
    sensor: tuple[int, int]

    @property
    def focal_px(self) -> float:
        return focal_px(self.fov_deg, self.drawing[0])


class Studio:
    """What one process needs to film any scene: the display, the furniture, the cache."""

    def __init__(self, pieces: list[Piece], cache_dir: Path) -> None:
        cv2.setNumThreads(1)
        self.screen = Screen()
        self.cache_dir = cache_dir
        self.models: dict[str, Model] = {}
        self.stocks = {testing: Stock(pieces, testing=testing) for testing in (False, True)}

    def load(self, piece: Piece) -> Model:
        if piece.key not in self.models:
            self.models[piece.key] = load_model(piece, self.cache_dir)
        return self.models[piece.key]

    def scene(self, number: int) -> 'Scene':
        return Scene(self, number)


def split_of(number: int) -> str:
    for split, first in FIRST_NUMBER.items():
        if first <= number < first + LAST_COUNT:
            return split
    raise ValueError(f'scene {number} belongs to no split')


class Scene:
    """One room with a camera in it. Close it to free the graphics memory."""

    def __init__(self, studio: Studio, number: int) -> None:
        self.rng = np.random.default_rng([GENERATOR_VERSION, number])
        stock = studio.stocks[split_of(number) == 'test']
        self.room: Room = furnish(self.rng, stock, studio.load)
        self.camera = Camera(studio.screen, self.room.world)
        self.last_shade: Shade | None = None
        self.last_map_s = 0.0

    def close(self) -> None:
        self.camera.close()

    def choose_fov(self) -> float:
        return float(np.clip(self.rng.normal(62, 9), 40, 90))

    def set_time(self, time_s: float) -> None:
        for mover in self.room.movers:
            self.camera.move(mover.number, *mover.pose(time_s))
        if self.room.movers:
            self.camera.settle()

    def draw(self, path: CameraPath, time_s: float, lens_view: View) -> Shot:
        self.set_time(time_s)
        world_T_cam = path.poses(np.array([time_s]))[0]
        rgb, depth = self.camera.draw(world_T_cam, lens_view.fov_deg, lens_view.drawing)
        return Shot(
            time_s=time_s,
            world_T_cam=world_T_cam,
            rgb=rgb.astype(np.float32) / 255,
            depth_m=depth,
        )

    def shows_something(self, path: CameraPath, times: np.ndarray, fov_deg: float) -> bool:
        """
        Look at a few tiny frames: nothing too near, and things rather than bare walls.

        One dull path in eight may pass: cameras do look at walls.
        """
        patience = self.rng.random() < 1 / 8
        spans, edges = [], []
        for time_s in times:
            self.set_time(float(time_s))
            pose = path.poses(np.array([time_s]))[0]
            _, depth = self.camera.draw(pose, fov_deg, (64, 48))
            if depth.min() < MIN_DEPTH_M:
                return False
            low, high = np.percentile(depth, [5, 95])
            spans.append(high / low)
            edges.append(edge_share(depth))
        if patience:
            return bool(np.median(spans) > 1.2)
        return bool(np.median(spans) > 1.35 and np.median(edges) > 0.07 and min(edges) > 0.02)

    def find_path(self, duration: float, fov_deg: float, kind: str) -> CameraPath:
        for _ in range(60):
            try:
                path = PATH_KINDS[kind](self.rng, self.room, duration)
            except NoPathError:
                continue
            checks = max(3, int(duration / 0.4))
            if self.shows_something(path, np.linspace(0, duration, checks), fov_deg):
                return path
        raise NoPathError('no path shows anything')

    def choose_shade(self) -> Shade:
        """Choose the lamp that throws shadows, often none."""
        lamps = [lamp for lamp in self.room.world.lamps if not lamp.sun]
        lamp = lamps[int(self.rng.integers(len(lamps)))]
        position = np.asarray(lamp.position)
        strength = float(self.rng.choice([0.0, 0.25, 0.4, 0.55, 0.7]))
        towards = position * (0.6, 0.6, 0.0) + self.rng.normal(0, 0.1, 3)
        return Shade(position=position, towards=towards, strength=strength)

    def shadow_map(self, shade: Shade, time_s: float) -> ShadowMap:
        """Draw the lamp's view: once for a room that stands still, else now and then."""
        stale = bool(self.room.movers) and abs(time_s - self.last_map_s) > SHADOWS_LAST_S
        if stale or self.last_shade is not shade:
            self.set_time(time_s)
            self.last_shade = shade
            self.last_map_s = time_s
            self.last_map = look_from(self.camera, shade.position, shade.towards)
        return self.last_map

    def film(
        self,
        path: CameraPath,
        times: np.ndarray,
        lens_view: View,
        lens: effects.Lens | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield (rgb uint8 as the sensor writes it, depth_m as drawn, world_T_cam)."""
        width, height = lens_view.sensor
        film = effects.load_film(self.rng, lens or effects.choose_lens(self.rng), (height, width))
        self.jpeg_quality = film.lens.jpeg_quality
        shade = self.choose_shade()
        gain = 0.0
        for time_s in times:
            shot = self.draw(path, float(time_s), lens_view)
            rgb = self.light(shot, shade, film.lens, lens_view)
            if film.lens.shutter_s > 0:
                rgb = smear(rgb, shot, path, film.lens.shutter_s, lens_view)
            if lens_view.sensor != lens_view.drawing:
                rgb = cv2.resize(rgb, lens_view.sensor, interpolation=cv2.INTER_AREA)
            wanted = effects.brightness_gain(rgb, film.lens)
            gain = wanted if gain == 0.0 else gain + EXPOSURE_HASTE * (wanted - gain)
            yield effects.develop(rgb, film, gain, self.rng), shot.depth_m, shot.world_T_cam

    def light(self, shot: Shot, shade: Shade, lens: effects.Lens, lens_view: View) -> np.ndarray:
        """Add to the drawn colours what mujoco leaves out: creases and shadows."""
        light = effects.occlude(shot.depth_m, lens.occlusion)
        if shade.strength > 0:
            shadow_map = self.shadow_map(shade, shot.time_s)
            reached = lit(shadow_map, shot.depth_m, shot.world_T_cam, lens_view.focal_px)
            if lens.shadow_blur > 0:
                reached = cv2.GaussianBlur(reached, (0, 0), lens.shadow_blur)
            light = light * (1 - shade.strength * (1 - reached))
        return shot.rgb * light[..., None]


def smear(
    rgb: np.ndarray, shot: Shot, path: CameraPath, shutter_s: float, lens_view: View
) -> np.ndarray:
    """Blur by how the camera moves while the shutter is open."""
    opened, closed = path.poses(shot.time_s + shutter_s * np.array([-0.5, 0.5]))
    width, height = lens_view.drawing
    motion = effects.pixel_motion(
        shot.depth_m,
        np.linalg.inv(closed) @ opened,
        lens_view.focal_px,
        ((width - 1) / 2, (height - 1) / 2),
    )
    return effects.motion_blur(rgb, motion)


def edge_share(depth_m: np.ndarray) -> float:
    """Share of the pixels at which disparity is not locally linear: edges of things."""
    disparity = 1.0 / depth_m
    bend = np.abs(cv2.Laplacian(disparity, cv2.CV_32F))
    return float((bend > 0.06 * disparity).mean())


def shrink_depth(depth_m: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """
    Reduce depth so that edges stay clean: of the four nearest samples, the second nearest one.

    On a smooth surface (four samples within 3 %) the mean of the middle two.
    """
    width, height = size
    rows = (np.arange(height) + 0.5) * depth_m.shape[0] / height - 0.5
    columns = (np.arange(width) + 0.5) * depth_m.shape[1] / width - 0.5
    r0, c0 = np.floor(rows).astype(int), np.floor(columns).astype(int)
    r1, c1 = np.minimum(r0 + 1, depth_m.shape[0] - 1), np.minimum(c0 + 1, depth_m.shape[1] - 1)
    four = np.stack([depth_m[np.ix_(r, c)] for r in (r0, r1) for c in (c0, c1)])
    four.sort(axis=0)
    smooth = four[3] < 1.03 * four[0]
    return np.where(smooth, (four[1] + four[2]) / 2, four[1])


def focal_px(fov_deg: float, width: int) -> float:
    return float(width / 2 / np.tan(np.deg2rad(fov_deg) / 2))
