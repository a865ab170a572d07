"""A room's shell: floor, ceiling, walls with doors and windows, and what windows show."""

import numpy as np

from training.scenes import props, textures
from training.scenes.decorator import Decorator
from training.scenes.room import Block
from training.scenes.shapes import box, join, Mesh, patch
from training.scenes.world import Look

FAR_WALL_M = 20.0


def build_shell(d: Decorator) -> None:
    width, depth, height = d.room.size_m
    world, rng = d.room.world, d.rng
    floor = d.paint(textures.FLOORS)
    world.add(
        box((width + 0.4, depth + 0.4, 0.1), metric=True, cell_m=0.4, only='top'),
        floor,
        (0, 0, -0.1),
    )
    tint = float(rng.uniform(0.75, 1.0))
    ceiling = Look(colour=(tint, tint, tint * float(rng.uniform(0.92, 1))))
    if d.chance(0.3):
        ceiling = d.paint((textures.plaster, textures.tiles))
    lid = patch(
        np.array([-width / 2, -depth / 2, height]),
        np.array([0, depth, 0.0]),
        np.array([width, 0, 0.0]),
        0.4,
    )
    lid = Mesh(
        vertices=lid.vertices, normals=lid.normals, uv=lid.uv * (depth, width), faces=lid.faces
    )
    world.add(lid, ceiling)
    build_outdoors(d)
    accent = d.paint(textures.WALLS) if d.chance(0.3) else d.wall_look
    accent_wall = int(rng.integers(4))
    for wall in range(4):
        build_wall(d, wall, accent if wall == accent_wall else d.wall_look)


def build_outdoors(d: Decorator) -> None:
    """Close the world: whatever a window leaves open ends at a far wall."""
    span = 2 * FAR_WALL_M
    light = float(d.rng.uniform(0.6, 1.0))
    far = Look(colour=(0.85 * light, 0.92 * light, light), emission=1.0)
    shell = box((span, span, span))
    inside = Mesh(
        vertices=shell.vertices,
        normals=-shell.normals,
        uv=shell.uv,
        faces=shell.faces[:, ::-1],
    )
    d.room.world.add(inside, far, (0, 0, -span / 2))


def build_wall(d: Decorator, wall: int, look: Look) -> None:
    """Fill the wall around its windows with flat pieces."""
    length, _ = d.wall_frame(wall)
    height = d.room.size_m[2]
    holes = sorted(hole for hole in d.openings[wall] if hole[2] > 0.0)
    pieces = []
    left = -length / 2
    for start, end, sill, head in holes:
        pieces += [
            (left, start, 0.0, height),
            (start, end, 0.0, sill),
            (start, end, head, height),
        ]
        left = end
    pieces.append((left, length / 2, 0.0, height))
    meshes = []
    for start, end, bottom, top in pieces:
        if end - start < 0.01 or top - bottom < 0.01:
            continue
        mesh = patch(
            np.array([start, 0, bottom]),
            np.array([end - start, 0, 0]),
            np.array([0, 0, top - bottom]),
            0.4,
        )
        uv = mesh.uv * (end - start, top - bottom) + (start, bottom)
        meshes.append(Mesh(vertices=mesh.vertices, normals=mesh.normals, uv=uv, faces=mesh.faces))
    x, y, yaw = d.at_wall(wall, 0.0, 0.0)
    d.room.world.add(join(meshes), look, (x, y, 0), yaw)
    skirting = Look(colour=props.grey(float(d.rng.uniform(0.3, 0.95))))
    x, y, yaw = d.at_wall(wall, 0.0, 0.008)
    d.room.world.add(box((length, 0.016, 0.08)), skirting, (x, y, 0), yaw)


def plan_openings(d: Decorator) -> None:
    rng = d.rng
    door_wall = int(rng.integers(4))
    place_door(d, door_wall)
    for wall in rng.permutation(4)[: int(rng.choice([0, 1, 1, 2]))]:
        place_window(d, int(wall))


def find_gap(d: Decorator, wall: int, width: float) -> float | None:
    length, _ = d.wall_frame(wall)
    for _ in range(10):
        along = float(d.rng.uniform(-length / 2 + width / 2, length / 2 - width / 2))
        ends = along - width / 2 - 0.1, along + width / 2 + 0.1
        if all(ends[1] < start or ends[0] > end for start, end, _, _ in d.openings[wall]):
            return along
    return None


def place_door(d: Decorator, wall: int) -> None:
    piece = d.stock.pick(d.rng, 'door')
    length, _ = d.wall_frame(wall)
    if piece.size_m[0] > length - 0.3 or piece.size_m[2] > d.room.size_m[2]:
        return
    along = find_gap(d, wall, piece.size_m[0])
    if along is None:
        return
    half = piece.size_m[0] / 2
    d.openings[wall].append((along - half, along + half, 0.0, piece.size_m[2]))
    x, y, yaw = d.at_wall(wall, along, 0.0)
    d.put(piece, x, y, 0.0, yaw, solid=False)
    # keep the way in free, for people and for the camera
    x, y, yaw = d.at_wall(wall, along, 0.4)
    d.reserved = Block(x=x, y=y, yaw_rad=yaw, half_width=half, half_depth=0.4, bottom=0.0, top=2.0)


def place_window(d: Decorator, wall: int) -> None:
    piece = d.stock.pick(d.rng, 'window')
    width, _, tall = piece.size_m
    length, _ = d.wall_frame(wall)
    sill = max(0.08, min(piece.elevation_m, d.room.size_m[2] - tall - 0.1))
    if width > length - 0.4 or sill + tall > d.room.size_m[2] - 0.05:
        return
    along = find_gap(d, wall, width)
    if along is None:
        return
    d.openings[wall].append((along - width / 2, along + width / 2, sill, sill + tall))
    x, y, yaw = d.at_wall(wall, along, -piece.size_m[1] / 2 + 0.05)
    d.put(piece, x, y, sill, yaw, solid=False)
    away = float(d.rng.uniform(1.5, 12))
    x, y, yaw = d.at_wall(wall, along, -away)
    span = 3 * away + 4
    view = Look(
        picture=textures.landscape(d.rng),
        emission=float(d.rng.uniform(0.7, 1.3)),
    )
    d.room.world.add(box((span, 0.1, span), only='front'), view, (x, y, -span / 3), yaw)
