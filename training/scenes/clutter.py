"""Puts small things on tables, shelves and desks."""

import numpy as np

from training.scenes import props
from training.scenes.decorator import Decorator
from training.scenes.furniture import SHELF_CELL_M
from training.scenes.props import Prop
from training.scenes.room import Surface


def spot(d: Decorator, surface: Surface, size: tuple, yaw: float) -> tuple[float, float] | None:
    """Find free level ground for a footprint; flat things may lie on anything flat."""
    flat = size[2] < 0.006
    ground = surface.shelf.free if flat else surface.free
    rows, columns = np.nonzero(ground)
    if not len(rows):
        return None
    cos, sin = np.cos(yaw), np.sin(yaw)
    grid = np.linspace(-0.5, 0.5, 5)
    gx, gy = (g.ravel() for g in np.meshgrid(grid * size[0], grid * size[1]))
    for _ in range(8):
        choice = int(d.rng.integers(len(rows)))
        x = surface.shelf.origin_m[0] + (columns[choice] + 0.5) * SHELF_CELL_M
        y = surface.shelf.origin_m[1] + (rows[choice] + 0.5) * SHELF_CELL_M
        column = np.floor((x + cos * gx - sin * gy - surface.shelf.origin_m[0]) / SHELF_CELL_M)
        row = np.floor((y + sin * gx + cos * gy - surface.shelf.origin_m[1]) / SHELF_CELL_M)
        row, column = row.astype(int), column.astype(int)
        shape = ground.shape
        inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        if not inside.all() or not ground[row, column].all():
            continue
        if not flat:
            surface.free[row.min() : row.max() + 1, column.min() : column.max() + 1] = False
        return float(x), float(y)
    return None


def place_on(d: Decorator, surface: Surface, prop: Prop, yaw: float) -> bool:
    if prop.size_m[2] > surface.shelf.clearance_m:
        return False
    found = spot(d, surface, prop.size_m, yaw)
    if found is None:
        return False
    point = surface.to_world(*found)
    lift = 0.0
    if prop.size_m[2] < 0.006:
        surface.papers += 1
        lift = 0.0012 * surface.papers
    d.put_prop(prop, point[0], point[1], point[2] + lift, surface.yaw_rad + yaw)
    surface.things += 1
    return True


def model_prop(d: Decorator) -> Prop:
    piece = d.stock.pick(d.rng, 'small')
    _, parts = d.looks(piece)
    return Prop(parts=tuple(parts), size_m=piece.size_m)


def dress_surface(d: Decorator, surface: Surface) -> None:
    """Put things on a surface, as many as the room's clutter asks for."""
    rng = d.rng
    area = surface.free.sum() * SHELF_CELL_M**2
    makers = {
        'office': props.OFFICE,
        'kitchen': props.KITCHEN,
        'shelf': props.SHELF,
    }.get(surface.use, props.LIVING)
    dense = {'shelf': 45, 'office': 40, 'kitchen': 30}.get(surface.use, 22)
    number = int(min(rng.poisson(area * dense * d.clutter) + 1, 36))
    for _ in range(number):
        prop = model_prop(d) if d.chance(0.35) else props.make(rng, makers)
        facing = surface.use == 'shelf' or prop.size_m[2] > 0.25
        yaw = float(rng.normal(0, 0.15 if facing else 0.6))
        place_on(d, surface, prop, yaw)


def dress_desk(d: Decorator, surface: Surface) -> None:
    """Monitor, keyboard and mouse where a person would have them; front is local -y."""
    rng = d.rng
    shelf = surface.shelf
    if shelf.free.sum() * SHELF_CELL_M**2 < 0.4 or shelf.clearance_m < 0.7:
        return
    depth = shelf.free.shape[0] * SHELF_CELL_M
    width = shelf.free.shape[1] * SHELF_CELL_M
    centre_y = shelf.origin_m[1] + depth / 2
    count = int(rng.choice([1, 1, 2])) if width > 1.1 else 1
    side = float(rng.choice([-1, 1]))
    for number in range(count):
        screen = props.monitor(rng)
        x = (number - (count - 1) / 2) * 0.62 + float(rng.normal(0, 0.06))
        force(d, surface, screen, x, centre_y + depth * 0.22, float(rng.normal(0, 0.2)) - x * 0.4)
    force(
        d,
        surface,
        props.keyboard(rng),
        float(rng.normal(0, 0.08)),
        centre_y - depth * 0.2,
        float(rng.normal(0, 0.08)),
    )
    force(d, surface, props.mouse(rng), side * 0.33, centre_y - depth * 0.2, 0.0)


def force(d: Decorator, surface: Surface, prop: Prop, x: float, y: float, yaw: float) -> None:
    """Put a thing at a chosen place and take the ground under it."""
    point = surface.to_world(x, y)
    d.put_prop(prop, point[0], point[1], point[2], surface.yaw_rad + yaw)
    surface.things += 1
    rows, columns = surface.free.shape
    low_x, low_y = surface.shelf.origin_m
    c0 = int((x - prop.size_m[0] / 2 - low_x) / SHELF_CELL_M)
    c1 = int((x + prop.size_m[0] / 2 - low_x) / SHELF_CELL_M) + 1
    r0 = int((y - prop.size_m[1] / 2 - low_y) / SHELF_CELL_M)
    r1 = int((y + prop.size_m[1] / 2 - low_y) / SHELF_CELL_M) + 1
    surface.free[max(r0, 0) : min(r1, rows), max(c0, 0) : min(c1, columns)] = False
