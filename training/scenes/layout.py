"""Furnishes a room by its kind, from the walls to the things on the shelves."""

from collections.abc import Callable

import numpy as np

from training.scenes.clutter import dress_surface
from training.scenes.decorator import Decorator, Loader
from training.scenes.furniture import SHELF_CELL_M
from training.scenes.groups import desks, dining, lounge, scatter
from training.scenes.kitchen import counter, wall_shelf
from training.scenes.ornaments import light_up, people, pictures, rug
from training.scenes.room import Room, Target
from training.scenes.shell import build_shell, plan_openings
from training.scenes.stock import Stock

Rng = np.random.Generator


def fill(d: Decorator) -> None:
    """Furnish by kind, then add what any room may have."""
    walls = [int(wall) for wall in d.rng.permutation(4)]
    FILLERS[d.room.kind](d, walls)
    for wall in walls:
        if d.chance(0.35):
            hang_shelf(d, wall)
    for _ in range(d.rng.poisson(1.2 + 1.5 * d.clutter)):
        scatter(d, 'floor')
    if d.chance(0.4):
        scatter(d, 'plant_big')


def fill_kitchen(d: Decorator, walls: list[int]) -> None:
    runs = int(d.rng.integers(1, 3)) if d.room.kind == 'kitchen' else 1
    for wall in walls[:runs]:
        if d.chance(0.75):
            counter(d, wall)
        else:
            d.along_walls([('cabinet', 'kitchen', 3), ('appliance', 'kitchen', 1)], [wall], 0.95)
            d.along_walls([('upper', '', 1)], [wall], 0.7)
    dining(d, 'kitchen')
    d.along_walls(BESIDE['kitchen'], walls, 0.35)


def fill_office(d: Decorator, walls: list[int]) -> None:
    desks(d)
    d.along_walls(BESIDE['office'], walls, 0.5)


def fill_living(d: Decorator, walls: list[int]) -> None:
    lounge(d)
    if d.chance(0.4):
        dining(d, 'living')
    d.along_walls(BESIDE['living'], walls, 0.5)


def fill_bedroom(d: Decorator, walls: list[int]) -> None:
    d.along_walls([('bed', '', 1)], walls[:1], 0.6)
    d.along_walls(BESIDE['bedroom'], walls, 0.5)


def fill_bathroom(d: Decorator, walls: list[int]) -> None:
    d.along_walls(BESIDE['bathroom'], walls, 0.7)


def fill_store(d: Decorator, walls: list[int]) -> None:
    d.along_walls(BESIDE['store'], walls, 0.8)
    dining(d, 'office')


def hang_shelf(d: Decorator, wall: int) -> None:
    length, _ = d.wall_frame(wall)
    run = float(d.rng.uniform(0.4, 1.4))
    if run < length - 0.2:
        along = float(d.rng.uniform(-1, 1)) * (length - run) / 2
        wall_shelf(d, wall, along, float(d.rng.uniform(1.1, 1.8)), run, d.room.kind)


FILLERS: dict[str, Callable[[Decorator, list[int]], None]] = {
    'kitchen': fill_kitchen,
    'dining': fill_kitchen,
    'office': fill_office,
    'living': fill_living,
    'bedroom': fill_bedroom,
    'bathroom': fill_bathroom,
    'store': fill_store,
}
# what stands along the walls: (role, what its shelves carry, weight)
BESIDE: dict[str, list[tuple[str, str, float]]] = {
    'kitchen': [
        ('fridge', '', 1), ('appliance', 'kitchen', 1), ('bookcase', 'shelf', 1),
        ('radiator', '', 0.5),
    ],
    'office': [
        ('bookcase', 'shelf', 3), ('tv_stand', 'office', 1), ('radiator', '', 1),
        ('floor', '', 1),
    ],
    'living': [
        ('bookcase', 'shelf', 3), ('tv_stand', 'living', 1), ('plant_big', '', 1),
        ('armchair', '', 1), ('lamp_big', '', 0.5),
    ],
    'bedroom': [
        ('bedside', 'living', 1), ('wardrobe', '', 1), ('desk', 'office', 1),
        ('bookcase', 'shelf', 1), ('chair', '', 0.5),
    ],
    'bathroom': [('bath', 'living', 1)],
    'store': [
        ('bookcase', 'shelf', 2), ('floor', '', 2), ('wardrobe', '', 1),
        ('cabinet', 'kitchen', 1),
    ],
}  # fmt: skip


def aim(d: Decorator) -> None:
    """List what a camera would look at."""
    for surface in d.room.surfaces:
        area = surface.shelf.free.sum() * SHELF_CELL_M**2
        width = surface.shelf.free.shape[1] * SHELF_CELL_M
        depth = surface.shelf.free.shape[0] * SHELF_CELL_M
        level = surface.position[2] + surface.shelf.height_m
        if level < 0.35 or area < 0.04:
            continue
        for _ in range(2):
            u, v = d.rng.uniform(-0.35, 0.35, 2)
            centre = (
                surface.shelf.origin_m[0] + width * (0.5 + u),
                surface.shelf.origin_m[1] + depth * (0.5 + v),
            )
            point = surface.to_world(*centre) + np.array([0, 0, 0.05])
            near = 0.45 if surface.shelf.clearance_m > 0.4 else 0.6
            d.room.targets.append(
                Target(
                    point=tuple(float(p) for p in point),
                    reach_m=(near, 2.2),
                    weight=(min(area, 1.2) + 0.2) * (0.1 + 0.2 * min(surface.things, 10)),
                )
            )
    for block in d.room.blocks:
        volume = block.half_width * block.half_depth
        if volume > 0.02:
            point = block.x, block.y, block.bottom + 0.6 * (block.top - block.bottom)
            d.room.targets.append(
                Target(point=tuple(float(p) for p in point), reach_m=(1.0, 4.0), weight=0.25)
            )


def furnish(rng: Rng, stock: Stock, load: Loader) -> Room:
    """Make the room that a generator's state stands for."""
    decorator = Decorator(rng, stock, load)
    plan_openings(decorator)
    build_shell(decorator)
    fill(decorator)
    for surface in decorator.room.surfaces:
        dress_surface(decorator, surface)
    if decorator.chance(0.45):
        rug(decorator)
    pictures(decorator)
    people(decorator)
    light_up(decorator)
    aim(decorator)
    return decorator.room
