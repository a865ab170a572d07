"""Furniture that belongs together: tables with chairs, desks, a sofa before the television."""

import numpy as np

from training.scenes import props, textures
from training.scenes.clutter import dress_desk
from training.scenes.decorator import Decorator
from training.scenes.room import Block, full_shelf
from training.scenes.shapes import box, join, moved
from training.scenes.world import Look


def plain_table(
    d: Decorator, size: tuple[float, float, float], x: float, y: float, yaw: float, use: str
) -> bool:
    block = d.block(size, x, y, 0.0, yaw)
    if not d.fits(block):
        return False
    width, depth, height = size
    thick, leg = float(d.rng.uniform(0.018, 0.05)), float(d.rng.uniform(0.03, 0.08))
    top = moved(box((width, depth, thick), metric=True, cell_m=0.2), (0, 0, height - thick))
    post = box((leg, leg, height - thick), metric=True)
    legs = [
        moved(post, (sx * (width - leg - 0.04) / 2, sy * (depth - leg - 0.04) / 2, 0))
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    look = d.paint(textures.TOPS)
    leg_look = look if d.chance(0.5) else Look(colour=props.grey(float(d.rng.uniform(0.05, 0.8))))
    d.room.world.add(top, look, (x, y, 0), yaw)
    d.room.world.add(join(legs), leg_look, (x, y, 0), yaw)
    d.room.blocks.append(block)
    d.add_surface(full_shelf(width, depth, height), np.array([x, y, 0.0]), yaw, use)
    return True


def free_place(d: Decorator, size: tuple[float, float]) -> tuple[float, float] | None:
    """Look for open floor for a group of this size."""
    width, depth, _ = d.room.size_m
    for _ in range(30):
        room = np.array([width - size[0], depth - size[1]]) / 2
        if (room < 0).any():
            return None
        x, y = (float(v) for v in d.rng.uniform(-room, room))
        if d.fits(d.block((*size, 1.0), x, y, 0.0, 0.0)):
            return x, y
    return None


def dining(d: Decorator, use: str) -> None:
    rng = d.rng
    size = (
        float(rng.uniform(0.8, 1.9)),
        float(rng.uniform(0.7, 1.0)),
        float(rng.uniform(0.7, 0.78)),
    )
    piece = d.stock.pick(rng, 'table') if d.chance(0.5) else None
    if piece is not None:
        size = piece.size_m
    place = free_place(d, (size[0] + 0.4, size[1] + 0.4))
    if place is None:
        return
    x, y = place
    yaw = float(rng.choice([0, np.pi / 2])) + float(rng.normal(0, 0.1))
    if piece is None:
        done = plain_table(d, size, x, y, yaw, use)
    else:
        done = d.try_put(piece, x, y, 0.0, yaw, use)
    if done:
        chairs(d, d.room.blocks[-1], 'chair')


def chairs(d: Decorator, table: Block, role: str) -> None:
    """Chairs face the table, some of them pushed in."""
    rng = d.rng
    piece = d.stock.pick(rng, role)
    places = []
    for side in range(4):
        half, other = (
            (table.half_width, table.half_depth)
            if side % 2 == 0
            else (table.half_depth, table.half_width)
        )
        count = max(1, int(2 * half / 0.65))
        offsets = (np.arange(count) - (count - 1) / 2) * (2 * half / count)
        places += [(side, float(offset), other) for offset in offsets]
    for side, offset, other in places:
        if not d.chance(0.65):
            continue
        tucked = float(rng.uniform(-0.2, 0.35))
        yaw = table.yaw_rad + side * np.pi / 2
        away = other + piece.size_m[1] / 2 + tucked
        x = table.x + np.cos(yaw) * offset - np.sin(yaw) * away
        y = table.y + np.sin(yaw) * offset + np.cos(yaw) * away
        turned_by = float(rng.normal(0, 0.15))
        block = d.block(piece.size_m, float(x), float(y), 0.0, yaw + turned_by)
        if d.fits(block, ignore=(table,)):
            # the seat's back is away from the table: the model faces -y, the table is there
            d.put(piece, float(x), float(y), 0.0, yaw + turned_by)


def desks(d: Decorator) -> None:
    rng = d.rng
    for _ in range(rng.integers(1, 4)):
        piece = d.stock.pick(rng, 'desk') if d.chance(0.5) else None
        size = (
            float(rng.uniform(1.1, 1.9)),
            float(rng.uniform(0.65, 0.9)),
            float(rng.uniform(0.7, 0.76)),
        )
        if piece is not None:
            size = piece.size_m
        wall = int(rng.integers(4))
        length, _ = d.wall_frame(wall)
        if length < size[0] + 0.1:
            continue
        if d.chance(0.75):
            along = float(rng.uniform(-1, 1)) * (length - size[0]) / 2
            x, y, yaw = d.at_wall(wall, along, size[1] / 2 + 0.03)
        else:
            place = free_place(d, (size[0] + 0.2, size[1] + 0.2))
            if place is None:
                continue
            x, y, yaw = *place, wall * np.pi / 2
        before = len(d.room.surfaces)
        if piece is None:
            done = plain_table(d, size, x, y, yaw, 'office')
        else:
            done = d.try_put(piece, x, y, 0.0, yaw, 'office')
        if not done:
            continue
        for surface in d.room.surfaces[before:]:
            if d.chance(0.85):
                dress_desk(d, surface)
        desk_chair(d, x, y, yaw, size[1])


def desk_chair(d: Decorator, x: float, y: float, yaw: float, depth: float) -> None:
    chair = d.stock.pick(d.rng, 'office_chair' if d.chance(0.7) else 'chair')
    away = depth / 2 + chair.size_m[1] / 2 + float(d.rng.uniform(-0.1, 0.5))
    cx, cy = x + np.sin(yaw) * away, y - np.cos(yaw) * away
    table = d.room.blocks[-1]
    turn = yaw + np.pi + float(d.rng.normal(0, 0.5))
    block = d.block(chair.size_m, float(cx), float(cy), 0.0, turn)
    if d.fits(block, ignore=(table,)):
        d.put(chair, float(cx), float(cy), 0.0, turn)


def lounge(d: Decorator) -> None:
    """Sofa at a wall, a low table before it, the television across."""
    rng = d.rng
    wall = int(rng.integers(4))
    length, _ = d.wall_frame(wall)
    sofa = d.stock.pick(rng, 'sofa')
    along = float(rng.uniform(-0.5, 0.5)) * max(length - sofa.size_m[0], 0)
    if d.against_wall(sofa, wall, along):
        cushions(d, d.room.blocks[-1])
        table = d.stock.pick(rng, 'coffee_table')
        x, y, yaw = d.at_wall(wall, along, sofa.size_m[1] + 0.35 + table.size_m[1] / 2)
        d.try_put(table, x, y, 0.0, yaw, 'living')
    other = (wall + 2) % 4
    stand = d.stock.pick(rng, 'tv_stand')
    if d.against_wall(stand, other, along * 0.5):
        television = d.stock.pick(rng, 'tv')
        block = d.room.blocks[-1]
        if stand.size_m[2] < 0.9 and television.size_m[0] > 0.4:
            d.put(television, block.x, block.y, stand.size_m[2], block.yaw_rad, solid=False)
    for _ in range(rng.integers(0, 3)):
        scatter(d, 'armchair')


def cushions(d: Decorator, sofa: Block) -> None:
    for _ in range(d.rng.integers(0, 4)):
        prop = props.cushion(d.rng)
        x = float(d.rng.uniform(-0.7, 0.7)) * sofa.half_width
        cos, sin = np.cos(sofa.yaw_rad), np.sin(sofa.yaw_rad)
        d.put_prop(prop, sofa.x + cos * x, sofa.y + sin * x, 0.42, sofa.yaw_rad)


def scatter(d: Decorator, role: str, use: str = '') -> None:
    piece = d.stock.pick(d.rng, role)
    width, depth, _ = d.room.size_m
    for _ in range(6):
        x, y = d.rng.uniform(-0.5, 0.5, 2) * (width - 0.6, depth - 0.6)
        yaw = float(d.rng.uniform(-np.pi, np.pi))
        if d.try_put(piece, float(x), float(y), 0.0, yaw, use):
            return
