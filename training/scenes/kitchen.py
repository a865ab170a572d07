"""Fitted kitchens: a run of cupboards with a worktop, and shelves or cupboards above."""

import numpy as np

from training.scenes import props, textures
from training.scenes.decorator import Decorator
from training.scenes.room import full_shelf
from training.scenes.shapes import box, join, moved
from training.scenes.world import Look


def counter(d: Decorator, wall: int) -> None:
    """Build a kitchen's run of cupboards with a worktop, and shelves or cupboards above."""
    rng = d.rng
    length, _ = d.wall_frame(wall)
    run = float(rng.uniform(0.5, 1.0)) * (length - 0.1)
    depth, height = float(rng.uniform(0.5, 0.66)), float(rng.uniform(0.82, 0.95))
    along = float(rng.choice([-1, 1])) * (length - run) / 2
    for start, end, sill, _ in d.openings[wall]:
        if along + run / 2 > start and along - run / 2 < end and sill < height:
            return
    x, y, yaw = d.at_wall(wall, along, depth / 2)
    block = d.block((run, depth, height), x, y, 0.0, yaw)
    if not d.fits(block):
        return
    d.room.blocks.append(block)
    body = cabinet_look(d)
    top = d.paint((textures.stone, textures.wood, textures.plaster))
    world = d.room.world
    world.add(
        moved(box((run, depth - 0.03, height - 0.14), metric=True, cell_m=0.4), (0, 0.015, 0.1)),
        body, (x, y, 0), yaw,
    )  # fmt: skip
    world.add(
        moved(box((run, depth - 0.08, 0.1)), (0, 0.03, 0)),
        Look(colour=props.grey(0.1)),
        (x, y, 0),
        yaw,
    )
    world.add(
        box((run + 0.01, depth, 0.04), metric=True, cell_m=0.3),
        top,
        (x, y, height - 0.04),
        yaw,
    )
    fronts(d, run, depth, 0.1, height - 0.05, (x, y, 0.0), yaw)
    if d.chance(0.7):
        splash = d.paint((textures.tiles, textures.tiles, textures.stone, textures.plaster))
        tall = float(rng.uniform(0.3, 0.6))
        sx, sy, _ = d.at_wall(wall, along, 0.006)
        hole = any(s < along + run / 2 and e > along - run / 2 for s, e, _, _ in d.openings[wall])
        if not hole:
            world.add(
                box((run, 0.012, tall), metric=True, cell_m=0.4), splash, (sx, sy, height), yaw
            )
    surface_shelf = full_shelf(run - 0.04, depth - 0.06, height, 0.45)
    d.add_surface(surface_shelf, np.array([x, y, 0.0]), yaw, 'kitchen')
    above_counter(d, wall, along, run, body)


def cabinet_look(d: Decorator) -> Look:
    if d.chance(0.5):
        return Look(colour=props.colour(d.rng), gloss=float(d.rng.choice([0.1, 0.7])))
    return d.paint((textures.wood, textures.plaster, textures.wood))


def fronts(
    d: Decorator, run: float, depth: float, low: float, high: float, at: tuple, yaw: float
) -> None:
    """Draw the gaps between doors and their handles."""
    rng = d.rng
    step = float(rng.uniform(0.4, 0.65))
    gap = Look(colour=props.grey(0.05))
    handle = Look(colour=props.grey(float(rng.choice([0.15, 0.6, 0.85]))), gloss=0.8)
    front = -depth / 2 + 0.03
    gaps, handles = [], []
    left = -run / 2
    horizontal = d.chance(0.5)
    while left < run / 2 - 0.1:
        gaps.append(moved(box((0.006, 0.004, high - low)), (left, front - 0.001, low)))
        centre = min(left + step / 2, run / 2 - 0.05)
        levels = [high - 0.08] if d.chance(0.5) else [low + 0.2, low + 0.42, high - 0.08]
        for level in levels:
            size = (0.14, 0.02, 0.012) if horizontal else (0.012, 0.02, 0.12)
            handles.append(moved(box(size), (centre, front - 0.02, level - size[2])))
            if len(levels) > 1:
                gaps.append(
                    moved(box((step, 0.004, 0.006)), (centre, front - 0.001, level + 0.04))
                )
        left += step
    d.room.world.add(join(gaps), gap, at, yaw)
    if handles and d.chance(0.85):
        d.room.world.add(join(handles), handle, at, yaw)


def above_counter(d: Decorator, wall: int, along: float, run: float, body: Look) -> None:
    rng = d.rng
    bottom = float(rng.uniform(1.35, 1.55))
    if any(s < along + run / 2 and e > along - run / 2 for s, e, _, _ in d.openings[wall]):
        return
    style = rng.random()
    if style < 0.45:
        size = (run * float(rng.uniform(0.4, 1.0)), float(rng.uniform(0.3, 0.38)), 0.7)
        if bottom + size[2] > d.room.size_m[2]:
            return
        x, y, yaw = d.at_wall(wall, along, size[1] / 2)
        block = d.block(size, x, y, bottom, yaw)
        if d.fits(block):
            d.room.blocks.append(block)
            d.room.world.add(box(size, metric=True, cell_m=0.4), body, (x, y, bottom), yaw)
            fronts(d, size[0], size[1], 0.0, size[2], (x, y, bottom), yaw)
    elif style < 0.85:
        wall_shelf(d, wall, along, bottom, run * float(rng.uniform(0.4, 0.9)), 'kitchen')


def wall_shelf(d: Decorator, wall: int, along: float, height: float, run: float, use: str) -> None:
    depth = float(d.rng.uniform(0.15, 0.3))
    x, y, yaw = d.at_wall(wall, along, depth / 2)
    size = (run, depth, 0.025)
    block = d.block((run, depth, 0.3), x, y, height, yaw)
    if run < 0.25 or height > d.room.size_m[2] - 0.35 or not d.fits(block):
        return
    d.room.blocks.append(block)
    d.room.world.add(box(size, metric=True), d.wood_look, (x, y, height), yaw)
    shelf = full_shelf(run - 0.02, depth - 0.02, 0.025, 0.35)
    d.add_surface(shelf, np.array([x, y, height]), yaw, 'shelf' if use != 'kitchen' else 'kitchen')
