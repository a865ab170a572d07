"""What makes a furnished room lived in: rugs, pictures, lamps, people."""

import numpy as np

from training.scenes import props, textures
from training.scenes.catalogue import Piece
from training.scenes.decorator import Decorator
from training.scenes.room import Mover
from training.scenes.shapes import box, moved
from training.scenes.world import Lamp, Look


def rug(d: Decorator) -> None:
    width, depth, _ = d.room.size_m
    size = (
        float(d.rng.uniform(0.3, 0.7)) * width,
        float(d.rng.uniform(0.3, 0.7)) * depth,
        0.012,
    )
    x, y = (float(v) for v in d.rng.uniform(-0.15, 0.15, 2) * (width, depth))
    look = Look(picture=textures.pick(d.rng, textures.RUGS))
    d.room.world.add(box(size, cell_m=0.3), look, (x, y, 0), float(d.rng.normal(0, 0.05)))


def pictures(d: Decorator) -> None:
    rng = d.rng
    for wall in range(4):
        length, _ = d.wall_frame(wall)
        for _ in range(rng.poisson(1.6)):
            size = (float(rng.uniform(0.2, 1.0)), 0.03, float(rng.uniform(0.2, 0.9)))
            if size[0] > length - 0.2:
                continue
            along = float(rng.uniform(-1, 1)) * (length - size[0]) / 2
            bottom = float(rng.uniform(1.0, 1.7))
            x, y, yaw = d.at_wall(wall, along, 0.015)
            block = d.block(size, x, y, bottom, yaw)
            covered = any(
                along + size[0] / 2 > s and along - size[0] / 2 < e
                for s, e, _, _ in d.openings[wall]
            )
            if covered or bottom + size[2] > d.room.size_m[2] or not d.fits(block):
                continue
            d.room.blocks.append(block)
            hang(d, size, x, y, bottom, yaw)


def hang(d: Decorator, size: tuple, x: float, y: float, bottom: float, yaw: float) -> None:
    rng, world = d.rng, d.room.world
    picture = textures.pick(rng, (textures.poster, textures.photo, textures.paper, textures.cloud))
    inner = size[0] - 0.05, size[2] - 0.05
    world.add(box(size), props.plain(rng), (x, y, bottom), yaw)
    canvas = moved(
        box((inner[0], 0.002, inner[1]), only='front'), (0, -size[1] / 2 - 0.001, 0.025)
    )
    world.add(canvas, Look(picture=picture, gloss=0.3), (x, y, bottom), yaw)


def light_up(d: Decorator) -> None:
    rng = d.rng
    width, depth, height = d.room.size_m
    warmth = rng.uniform(-0.12, 0.2)
    strength = float(rng.uniform(0.35, 0.75))
    ambient = float(rng.uniform(0.16, 0.42))
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    d.room.world.ambient = tuple(float(v) for v in ambient * np.clip(tint, 0, 1.2))
    lamps = d.room.world.lamps
    number = int(rng.integers(1, 4))
    for _ in range(number):
        x, y = rng.uniform(-0.4, 0.4, 2) * (width, depth)
        colour = strength / number**0.6 * tint * rng.uniform(0.85, 1.15, 3)
        lamps.append(
            Lamp(
                position=(float(x), float(y), height - 0.08),
                direction=(float(rng.normal(0, 0.2)), float(rng.normal(0, 0.2)), -1.0),
                colour=tuple(float(v) for v in colour),
                cutoff_deg=80.0,
                falloff=float(rng.uniform(0.0, 0.06)),
            )
        )
    for wall in range(4):
        for start, end, sill, head in d.openings[wall]:
            if sill > 0:
                x, y, yaw = d.at_wall(wall, (start + end) / 2, 0.1)
                inward = float(np.sin(yaw)), float(-np.cos(yaw)), -0.5
                daylight = float(rng.uniform(0.1, 0.5)) * np.array([0.92, 0.97, 1.05])
                lamps.append(
                    Lamp(
                        position=(x, y, (sill + head) / 2),
                        direction=inward,
                        colour=tuple(float(v) for v in daylight),
                        cutoff_deg=85.0,
                        falloff=0.03,
                    )
                )
    # light that comes back from the floor and the walls
    lamps.append(
        Lamp(
            position=(0.0, 0.0, 1.0),
            direction=(*(float(v) for v in rng.normal(0, 1, 2)), 0.8),
            colour=tuple(float(v) for v in 0.22 * strength * tint),
            sun=True,
        )
    )
    if d.chance(0.5):
        lamp = d.stock.pick(rng, 'lamp_ceiling')
        if height - lamp.size_m[2] > 1.9:
            d.put(lamp, lamps[0].position[0], lamps[0].position[1], height - lamp.size_m[2], 0.0)


def people(d: Decorator) -> None:
    """Stand or walk a few people and pets about; some things roll or swing."""
    rng = d.rng
    for _ in range(int(rng.choice([0, 0, 0, 1, 1, 2]))):
        piece = d.stock.pick(rng, 'person' if d.chance(0.85) else 'pet')
        width, depth, _ = d.room.size_m
        for _ in range(8):
            x, y = (float(v) for v in rng.uniform(-0.42, 0.42, 2) * (width, depth))
            swing = rng.normal(0, 0.35, 2) * (rng.random() < 0.6)
            reach = 0.25 + np.abs(swing).max()
            block = d.block((2 * reach, 2 * reach, piece.size_m[2]), x, y, 0.0, 0.0)
            if d.fits(block):
                walk(d, piece, x, y, swing)
                d.room.blocks.append(block)
                break


def walk(d: Decorator, piece: Piece, x: float, y: float, swing: np.ndarray) -> None:
    rng = d.rng
    number = len(d.room.movers) + 1
    _, parts = d.looks(piece)
    facing = float(rng.uniform(-np.pi, np.pi))
    for mesh, look in parts:
        d.room.world.add(mesh, look, (0, 0, 0), facing, number)
    d.room.movers.append(
        Mover(
            number=number,
            start=(x, y, 0.0),
            swing_m=(float(swing[0]), float(swing[1]), 0.0),
            turn_rad=float(rng.normal(0, 0.3)),
            period_s=float(rng.uniform(2.5, 7)),
            phase_rad=float(rng.uniform(0, 6.28)),
        )
    )
