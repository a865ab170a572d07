"""A furnished room as data: what is drawn, what is in the way, what is worth looking at."""

from dataclasses import dataclass, field

import numpy as np

from training.scenes.furniture import Shelf, SHELF_CELL_M
from training.scenes.world import World


@dataclass(frozen=True, kw_only=True)
class Block:
    """The upright box around a piece: where neither another piece nor the camera may be."""

    x: float
    y: float
    yaw_rad: float
    half_width: float
    half_depth: float
    bottom: float
    top: float

    def corners(self) -> np.ndarray:
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        local = signs * (self.half_width, self.half_depth)
        return local @ np.array([[cos, sin], [-sin, cos]]) + (self.x, self.y)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distance of points (..., 3) to the box, 0 inside."""
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        offset = points[..., :2] - (self.x, self.y)
        local = offset @ np.array([[cos, -sin], [sin, cos]])
        outside_xy = np.maximum(np.abs(local) - (self.half_width, self.half_depth), 0)
        middle, half = (self.bottom + self.top) / 2, (self.top - self.bottom) / 2
        outside_z = np.maximum(np.abs(points[..., 2] - middle) - half, 0)
        return np.sqrt((outside_xy**2).sum(-1) + outside_z**2)


def overlap(first: Block, second: Block, slack: float = 0.01) -> bool:
    """Whether two upright boxes intersect (separating axes in the plane, then heights)."""
    if first.bottom >= second.top - slack or second.bottom >= first.top - slack:
        return False
    corners = first.corners(), second.corners()
    for yaw in (
        first.yaw_rad,
        first.yaw_rad + np.pi / 2,
        second.yaw_rad,
        second.yaw_rad + np.pi / 2,
    ):
        axis = np.array([np.cos(yaw), np.sin(yaw)])
        one, two = (c @ axis for c in corners)
        if one.max() <= two.min() + slack or two.max() <= one.min() + slack:
            return False
    return True


@dataclass(kw_only=True)
class Surface:
    """A shelf of a piece at its place in the room; `free` is used up as things are put on it."""

    shelf: Shelf
    free: np.ndarray
    position: np.ndarray
    yaw_rad: float
    use: str
    papers: int = 0
    things: int = 0

    def to_world(self, x: float, y: float) -> np.ndarray:
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        height = self.position[2] + self.shelf.height_m
        return np.array(
            [self.position[0] + cos * x - sin * y, self.position[1] + sin * x + cos * y, height]
        )


@dataclass(frozen=True, kw_only=True)
class Target:
    """A point worth looking at, from `reach_m` (nearest, farthest) away."""

    point: tuple[float, float, float]
    reach_m: tuple[float, float]
    weight: float


@dataclass(frozen=True, kw_only=True)
class Mover:
    number: int
    start: tuple[float, float, float]
    swing_m: tuple[float, float, float]
    turn_rad: float
    period_s: float
    phase_rad: float

    def pose(self, time_s: float) -> tuple[np.ndarray, float]:
        swing = np.sin(2 * np.pi * time_s / self.period_s + self.phase_rad)
        return np.asarray(self.start) + swing * np.asarray(self.swing_m), swing * self.turn_rad


@dataclass
class Room:
    """A furnished room: what mujoco draws, and what the camera must know to move in it."""

    kind: str
    size_m: tuple[float, float, float]
    world: World = field(default_factory=World)
    blocks: list[Block] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    movers: list[Mover] = field(default_factory=list)

    def clearance(self, points: np.ndarray) -> np.ndarray:
        """Distance of points (..., 3) to the nearest wall or piece, in metres."""
        half = np.array([self.size_m[0] / 2, self.size_m[1] / 2])
        walls = (half - np.abs(points[..., :2])).min(-1)
        nearest = np.minimum(walls, np.minimum(points[..., 2], self.size_m[2] - points[..., 2]))
        for block in self.blocks:
            nearest = np.minimum(nearest, block.distance(points))
        return nearest


def full_shelf(width: float, depth: float, height: float, clearance: float = 10.0) -> Shelf:
    shape = max(1, int(depth / SHELF_CELL_M)), max(1, int(width / SHELF_CELL_M))
    return Shelf(
        height_m=height,
        clearance_m=clearance,
        origin_m=(-width / 2, -depth / 2),
        free=np.ones(shape, bool),
    )
