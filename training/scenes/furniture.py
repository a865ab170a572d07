"""
Catalogue models made ready to render: sized, turned, simplified, smoothed, cached.

Convention: a model stands on z = 0 with its footprint centred on the origin; x is its width,
its back looks along +y and its front along -y, z is up.
"""

from dataclasses import dataclass
import json
import os
from pathlib import Path
import zipfile

import cv2
import fast_simplification
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.scenes.catalogue import Piece
from training.scenes.wavefront import read_surfaces, Surface

CACHE_VERSION = 2
CACHE_DIR = Path('~/.cache/depthsync/furniture').expanduser()
BIG_FACES, SMALL_FACES = 3500, 1200  # triangles left of a big and of a small model
CREASE_COS = np.cos(np.deg2rad(40.0))
SHELF_CELL_M = 0.03

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Part:
    """
    The triangles of one material, indexed.

    Shapes: vertices, normals (V, 3), uv (V, 2), metric_uv (V, 2), faces (F, 3).
    Units: metric_uv in metres along the side that the face looks at most.
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    metric_uv: np.ndarray
    faces: np.ndarray
    colour: tuple[float, float, float]
    alpha: float
    picture: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """
    A level on which things can stand.

    Shapes: free (rows over y, columns over x) bool, cells of SHELF_CELL_M, from origin_m.
    """

    height_m: float
    clearance_m: float
    origin_m: tuple[float, float]
    free: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Model:
    key: str
    size_m: tuple[float, float, float]
    parts: tuple[Part, ...]
    shelves: tuple[Shelf, ...]


def load_model(piece: Piece, cache_dir: Path = CACHE_DIR) -> Model:
    """Load a prepared model, preparing it on first use."""
    path = cache_dir / f'v{CACHE_VERSION}' / f'{piece.key}.npz'
    if not path.exists():
        save_model(prepare(piece), path)
    return read_model(path)


def prepare(piece: Piece) -> Model:
    with zipfile.ZipFile(piece.archive) as archive:
        surfaces = read_surfaces(archive, piece.model)
    keep_panes = 'Doors' not in piece.category
    surfaces = [s for s in surfaces if s.alpha > 0.05 and (keep_panes or s.alpha > 0.6)]
    placed = place(surfaces, piece)
    total = sum(len(corners) for corners in placed)
    budget = BIG_FACES if max(piece.size_m) > 0.6 else SMALL_FACES
    parts = []
    for surface, corners in zip(surfaces, placed, strict=True):
        target = max(16, int(len(corners) * min(1.0, budget / total)))
        part = index(*simplify(corners, surface.uv, target), surface)
        if len(part.faces):
            parts.append(part)
    shelves = find_shelves(np.concatenate(placed), piece.size_m)
    return Model(key=piece.key, size_m=piece.size_m, parts=tuple(parts), shelves=shelves)


def place(surfaces: list[Surface], piece: Piece) -> list[Floats]:
    """Turn the model upright, fit it to its catalogue size and stand it on the origin."""
    rotation = np.asarray(piece.rotation).reshape(3, 3)
    turned = [surface.corners @ rotation.T for surface in surfaces]
    # OBJ has y up and its front along +z
    upright = [np.stack([c[..., 0], -c[..., 2], c[..., 1]], -1) for c in turned]
    points = np.concatenate([corners.reshape(-1, 3) for corners in upright])
    low, high = points.min(0), points.max(0)
    scale = np.asarray(piece.size_m) / np.maximum(high - low, 1e-9)
    scale[high - low < 1e-9] = 1.0
    base = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    return [(corners - base) * scale for corners in upright]


def simplify(corners: Floats, uv: Floats, target: int) -> tuple[Floats, Floats]:
    """Reduce a surface to about `target` triangles, each vertex keeping one texture position."""
    area = np.linalg.norm(face_normals(corners), axis=1)
    corners, uv = corners[area > 1e-12], uv[area > 1e-12]
    if len(corners) <= target * 1.2 or len(corners) < 32:
        return corners, uv
    # a seam in the texture is a cut in the mesh, so that no triangle straddles it
    keys = np.round(np.concatenate([corners, uv], -1).reshape(-1, 5), 5)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    points, texture = unique[:, :3], unique[:, 3:]
    faces = inverse.reshape(-1, 3).astype(np.int32)
    kept = max(0.01, target / len(corners))
    _, _, collapses = fast_simplification.simplify(
        points.astype(np.float32), faces, target_reduction=1.0 - kept, return_collapses=True
    )
    points, faces, mapping = fast_simplification.replay_simplification(
        points.astype(np.float32), faces, collapses
    )
    first = np.zeros(len(points), np.int64)
    first[mapping[::-1]] = np.arange(len(mapping))[::-1]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2])]
    return points.astype(np.float64)[faces], texture[first][faces]


def face_normals(corners: Floats) -> Floats:
    """Compute normals as long as twice the triangle's area."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def smooth_normals(corners: Floats) -> Floats:
    """
    Give every corner the mean normal of its neighbours, except across creases.

    Shapes: corners (F, 3, 3) -> (F, 3, 3).
    """
    normals = face_normals(corners)
    units = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    _, point = np.unique(np.round(corners.reshape(-1, 3), 4), axis=0, return_inverse=True)
    point = point.ravel()
    order = np.argsort(point, kind='stable')
    face = np.repeat(np.arange(len(corners)), 3)
    result = units[face].copy()
    # compare every corner with its k-th neighbour around the same point, k = 1, 2, ...
    sorted_point, sorted_face = point[order], face[order]
    total = normals[sorted_face].copy()
    longest = int(np.bincount(point).max())
    for shift in range(1, min(longest, 24)):
        same = sorted_point[shift:] == sorted_point[:-shift]
        first, second = sorted_face[:-shift], sorted_face[shift:]
        close = same & (np.einsum('ij,ij->i', units[first], units[second]) > CREASE_COS)
        total[:-shift][close] += normals[second[close]]
        total[shift:][close] += normals[first[close]]
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    result[order] = total
    return result.reshape(-1, 3, 3)


def project_uv(corners: Floats) -> Floats:
    """Texture positions in metres: each face is painted from the side it looks at most."""
    axis = np.abs(face_normals(corners)).argmax(1)
    planes = np.array([[1, 2], [0, 2], [0, 1]])[axis]  # (F, 2)
    return np.take_along_axis(corners, planes[:, None, :].repeat(3, 1), axis=2)


def index(corners: Floats, uv: Floats, surface: Surface) -> Part:
    normals = smooth_normals(corners) if len(corners) else corners
    metric = project_uv(corners) if len(corners) else uv
    rows = np.concatenate([corners, normals, uv, metric], -1).reshape(-1, 10)
    _, first, inverse = np.unique(
        np.round(rows, 4), axis=0, return_index=True, return_inverse=True
    )
    rows = rows[first]
    return Part(
        vertices=rows[:, :3].astype(np.float32),
        normals=rows[:, 3:6].astype(np.float32),
        uv=rows[:, 6:8].astype(np.float32),
        metric_uv=rows[:, 8:].astype(np.float32),
        faces=inverse.reshape(-1, 3).astype(np.int32),
        colour=surface.colour,
        alpha=surface.alpha,
        picture=surface.picture,
    )


def find_shelves(corners: Floats, size_m: tuple[float, float, float]) -> tuple[Shelf, ...]:
    """Find level ground: heights with enough upward-facing area, and the room above each."""
    if min(size_m[:2]) < 0.15:
        return ()
    normals = face_normals(corners)
    area = np.linalg.norm(normals, axis=1) / 2
    upward = normals[:, 2] > 1.96 * area  # within about 11 degrees of level
    heights = corners[upward].mean(1)[:, 2]
    areas = area[upward]
    bins = np.round(heights / 0.012).astype(int)
    shelves = []
    footprint = size_m[0] * size_m[1]
    for number in np.unique(bins):
        chosen = np.abs(bins - number) <= 1
        centre = bins == number
        if areas[centre].sum() < 0.22 * footprint or areas[chosen].sum() < 0.25 * footprint:
            continue
        level = float(heights[centre].max())
        free, origin = rasterize(corners[upward][chosen], size_m)
        blocked = rasterize_above(corners, level, size_m)
        free &= ~blocked
        if free.sum() * SHELF_CELL_M**2 < 0.15 * footprint:
            continue
        shelves.append((level, free, origin))
    return with_clearance(merge_levels(shelves))


def merge_levels(levels: list) -> list:
    """Keep the upper of two levels that lie closer together than a book is thick."""
    kept: list = []
    for level in levels:
        if kept and level[0] - kept[-1][0] < 0.04:
            kept.pop()
        kept.append(level)
    return kept


def with_clearance(levels: list) -> tuple[Shelf, ...]:
    shelves = []
    for position, (height, free, origin) in enumerate(levels):
        above = levels[position + 1][0] if position + 1 < len(levels) else height + 10.0
        shelves.append(
            Shelf(height_m=height, clearance_m=above - height - 0.04, origin_m=origin, free=free)
        )
    return tuple(shelves)


def rasterize(corners: Floats, size_m: tuple[float, float, float]) -> tuple[np.ndarray, tuple]:
    """Mark the shelf cells that triangles cover, seen from above; small gaps are closed."""
    shape = tuple(max(1, int(np.ceil(side / SHELF_CELL_M))) for side in (size_m[1], size_m[0]))
    origin = (-size_m[0] / 2, -size_m[1] / 2)
    grid = np.zeros(shape, np.uint8)
    # cells are centred on pixels; the polygon filler takes 1/16 pixel steps
    pixels = (corners[..., :2] - origin) / SHELF_CELL_M - 0.5
    for triangle in np.round(pixels * 16).astype(np.int32):
        cv2.fillConvexPoly(grid, triangle, 1, shift=4)
    covered = grid.astype(bool)
    return ndimage.binary_closing(covered) | covered, origin


def rasterize_above(corners: Floats, level: float, size_m: tuple) -> np.ndarray:
    """Mark the cells where the model itself stands in the 12 cm above a level."""
    low, high = corners[..., 2].min(1), corners[..., 2].max(1)
    normals = face_normals(corners)
    steep = np.abs(normals[:, 2]) < 0.9 * np.linalg.norm(normals, axis=1)
    inside = (high > level + 0.03) & (low < level + 0.12) & steep
    if not inside.any():
        shape = tuple(max(1, int(np.ceil(side / SHELF_CELL_M))) for side in (size_m[1], size_m[0]))
        return np.zeros(shape, bool)
    return rasterize(corners[inside], size_m)[0]


def save_model(model: Model, path: Path) -> None:
    arrays: dict[str, np.ndarray] = {}
    for number, part in enumerate(model.parts):
        for name in ('vertices', 'normals', 'uv', 'metric_uv', 'faces'):
            arrays[f'{name}{number}'] = getattr(part, name)
        if part.picture is not None:
            arrays[f'picture{number}'] = part.picture
    for number, shelf in enumerate(model.shelves):
        arrays[f'free{number}'] = shelf.free
    head = {
        'key': model.key,
        'size_m': model.size_m,
        'parts': [[part.colour, part.alpha] for part in model.parts],
        'shelves': [[s.height_m, s.clearance_m, s.origin_m] for s in model.shelves],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'{path.stem}.{os.getpid()}.tmp')
    with temporary.open('wb') as file:
        np.savez(file, head=np.array(json.dumps(head)), **arrays)
    temporary.replace(path)


def read_model(path: Path) -> Model:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    head = json.loads(str(arrays['head']))
    parts = tuple(
        Part(
            **{
                name: arrays[f'{name}{number}']
                for name in ('vertices', 'normals', 'uv', 'metric_uv', 'faces')
            },
            colour=tuple(colour),
            alpha=alpha,
            picture=arrays.get(f'picture{number}'),
        )
        for number, (colour, alpha) in enumerate(head['parts'])
    )
    shelves = tuple(
        Shelf(
            height_m=height,
            clearance_m=clearance,
            origin_m=tuple(origin),
            free=arrays[f'free{number}'],
        )
        for number, (height, clearance, origin) in enumerate(head['shelves'])
    )
    return Model(key=head['key'], size_m=tuple(head['size_m']), parts=parts, shelves=shelves)
