"""
Simple solids with texture positions: boxes, turned bodies, bent tubes.

Convention: each stands on z = 0 with its footprint centred on the origin, unless said otherwise;
faces look outwards, counter-clockwise.
"""

from dataclasses import dataclass
import math

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Shapes: vertices, normals (V, 3), uv (V, 2), faces (F, 3)."""

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray


def join(meshes: list[Mesh]) -> Mesh:
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        uv=np.concatenate([mesh.uv for mesh in meshes]),
        faces=np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=True)]),
    )


def moved(mesh: Mesh, offset: tuple[float, float, float], yaw_rad: float = 0.0) -> Mesh:
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return Mesh(
        vertices=mesh.vertices @ turn.T + np.asarray(offset),
        normals=mesh.normals @ turn.T,
        uv=mesh.uv,
        faces=mesh.faces,
    )


def patch(origin: np.ndarray, along: np.ndarray, up: np.ndarray, cell_m: float) -> Mesh:
    """
    Make a flat rectangle, cut into cells so that light given per vertex varies over it.

    The uv positions run from (0, 0) to (1, 1); its front is along x up.
    """
    lengths = math.hypot(*along), math.hypot(*up)
    columns, rows = (min(max(math.ceil(length / cell_m), 1), 24) for length in lengths)
    if columns == rows == 1:
        return single_patch(origin, along, up)
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    u, v = u.ravel(), v.ravel()
    vertices = origin + u[:, None] * along + v[:, None] * up
    normal = np.cross(along, up)
    normal = normal / np.linalg.norm(normal)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    right, above = corner + 1, corner + columns + 1
    faces = np.concatenate(
        [np.stack([corner, right, above + 1], 1), np.stack([corner, above + 1, above], 1)]
    )
    normals = np.broadcast_to(normal, vertices.shape)
    return Mesh(vertices=vertices, normals=normals, uv=np.stack([u, v], 1), faces=faces)


UNIT_UV = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
UNIT_FACES = np.array([[0, 1, 3], [0, 3, 2]])


def single_patch(origin: np.ndarray, along: np.ndarray, up: np.ndarray) -> Mesh:
    vertices = np.stack([origin, origin + along, origin + up, origin + along + up])
    x, y, z = (
        along[1] * up[2] - along[2] * up[1],
        along[2] * up[0] - along[0] * up[2],
        along[0] * up[1] - along[1] * up[0],
    )
    normal = np.array([x, y, z]) / math.hypot(x, y, z)
    return Mesh(vertices=vertices, normals=np.tile(normal, (4, 1)), uv=UNIT_UV, faces=UNIT_FACES)


def box(
    size_m: tuple[float, float, float],
    *,
    cell_m: float = 10.0,
    metric: bool = False,
    only: str = 'all',
) -> Mesh:
    """
    Make a box; `metric` uv count metres, otherwise each face carries the whole picture.

    `only` chooses 'all' faces, the 'top' one, the 'front' one (-y), or all 'but-top', 'but-front'.
    """
    width, depth, _ = size_m
    x, y, z = np.eye(3) * np.asarray(size_m)
    low = np.array([-width / 2, -depth / 2, 0.0])
    faces = {
        'front': (low, x, z),
        'right': (low + x, y, z),
        'back': (low + x + y, -x, z),
        'left': (low + y, -y, z),
        'top': (low + z, x, y),
        'bottom': (low + y, x, -y),
    }
    if only.startswith('but-'):
        faces.pop(only[4:])
    elif only != 'all':
        faces = {only: faces[only]}
    meshes = []
    for origin, along, up in faces.values():
        mesh = patch(origin, along, up, cell_m)
        if metric:
            scale = np.array([np.linalg.norm(along), np.linalg.norm(up)])
            mesh = Mesh(
                vertices=mesh.vertices, normals=mesh.normals, uv=mesh.uv * scale, faces=mesh.faces
            )
        meshes.append(mesh)
    return join(meshes)


def turned(profile_m: list[tuple[float, float]], sides: int = 20) -> Mesh:
    """
    Turn a profile of (radius, height), given from the bottom up along the outside, about z.

    A profile that comes back down inside makes a vessel. u runs around, v along the profile.
    """
    profile = np.asarray(profile_m, float)
    pieces = []
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    for first, second, v0, v1 in zip(
        profile[:-1], profile[1:], lengths[:-1], lengths[1:], strict=True
    ):
        slope = np.array([second[1] - first[1], -(second[0] - first[0])])
        slope = slope / max(np.linalg.norm(slope), 1e-9)
        ring = [
            np.stack([r * np.cos(angle), r * np.sin(angle), np.full_like(angle, z)], 1)
            for r, z in (first, second)
        ]
        normal = np.stack(
            [slope[0] * np.cos(angle), slope[0] * np.sin(angle), np.full_like(angle, slope[1])], 1
        )
        uv = [np.stack([angle / 2 / np.pi, np.full_like(angle, v)], 1) for v in (v0, v1)]
        a = np.arange(sides)
        b = a + sides + 1
        faces = np.concatenate([np.stack([a, a + 1, b + 1], 1), np.stack([a, b + 1, b], 1)])
        pieces.append(
            Mesh(
                vertices=np.concatenate(ring),
                normals=np.concatenate([normal, normal]),
                uv=np.concatenate(uv) / np.array([1, max(lengths[-1], 1e-9)]),
                faces=faces,
            )
        )
    return join(pieces)


def ball(radius_m: float, *, flat: float = 1.0, sides: int = 16) -> Mesh:
    """Make an ellipsoid of revolution, its height `flat` times its width."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    around = np.linspace(0, 2 * np.pi, sides + 1)
    p, a = (grid.ravel() for grid in np.meshgrid(polar, around, indexing='ij'))
    unit = np.stack([np.cos(p) * np.cos(a), np.cos(p) * np.sin(a), np.sin(p)], 1)
    scale = radius_m * np.array([1, 1, flat])
    normals = unit / np.array([1, 1, flat])
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    corner = (np.arange(sides // 2)[:, None] * (sides + 1) + np.arange(sides)).ravel()
    above = corner + sides + 1
    faces = np.concatenate(
        [np.stack([corner, corner + 1, above + 1], 1), np.stack([corner, above + 1, above], 1)]
    )
    vertices = unit * scale + np.array([0, 0, radius_m * flat])
    uv = np.stack([a / 2 / np.pi, p / np.pi + 0.5], 1)
    return Mesh(vertices=vertices, normals=normals, uv=uv, faces=faces)


def tube(points_m: np.ndarray, radius_m: float, sides: int = 6) -> Mesh:
    """Sweep a circle along a line of points; not moved to the origin."""
    tangents = np.gradient(points_m, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    reference = np.where(np.abs(tangents[:, 2:]) > 0.9, [[1.0, 0, 0]], [[0, 0, 1.0]])
    side = np.cross(tangents, reference)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, tangents)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    normals = (
        np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * up[:, None]
    )
    vertices = points_m[:, None] + radius_m * normals
    n = len(points_m)
    i, j = (g.ravel() for g in np.meshgrid(np.arange(n - 1), np.arange(sides), indexing='ij'))
    a, b = i * sides + j, i * sides + (j + 1) % sides
    c, d = b + sides, a + sides
    faces = np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1)])
    return Mesh(
        vertices=vertices.reshape(-1, 3),
        normals=normals.reshape(-1, 3),
        uv=np.zeros((n * sides, 2)),
        faces=faces,
    )
