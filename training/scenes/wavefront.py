"""Read an OBJ model and its MTL materials out of a catalogue's archive."""

from dataclasses import dataclass, field
from itertools import pairwise
import posixpath
import zipfile

import cv2
import numpy as np

TEXTURE_SIZE = 256


@dataclass(frozen=True, kw_only=True)
class Surface:
    """
    The triangles of one material, every corner on its own.

    Shapes: corners (F, 3, 3) metres, uv (F, 3, 2) with (0, 0) at the picture's lower left.
    """

    corners: np.ndarray
    uv: np.ndarray
    colour: tuple[float, float, float]
    alpha: float
    picture: np.ndarray | None


@dataclass
class Material:
    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)
    alpha: float = 1.0
    picture: str = ''


@dataclass
class Triangles:
    vertices: list[tuple[int, int, int]] = field(default_factory=list)
    uv: list[tuple[int, int, int]] = field(default_factory=list)


def read_materials(text: str) -> dict[str, Material]:
    materials: dict[str, Material] = {}
    current = Material()
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        if words[0] == 'newmtl':
            current = materials.setdefault(words[1], Material())
        elif words[0] == 'Kd':
            red, green, blue = (float(word) for word in words[1:4])
            current.colour = (red, green, blue)
        elif words[0] == 'd':
            current.alpha = float(words[-1])
        elif words[0] == 'map_Kd':
            current.picture = line.split(maxsplit=1)[1].split()[-1]
    return materials


def read_picture(archive: zipfile.ZipFile, path: str) -> np.ndarray | None:
    """Decode a texture as RGB, at most TEXTURE_SIZE on a side; None when the archive lacks it."""
    if path not in archive.namelist():
        return None
    picture = cv2.imdecode(np.frombuffer(archive.read(path), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return None
    height, width = (min(side, TEXTURE_SIZE) for side in picture.shape[:2])
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)


def read_surfaces(archive: zipfile.ZipFile, model: str) -> list[Surface]:
    """Read one model, split by material, polygons cut into fans of triangles."""
    vertices: list[list[float]] = []
    uv: list[list[float]] = [[0.0, 0.0]]
    groups: dict[str, Triangles] = {}
    current = groups.setdefault('', Triangles())
    materials: dict[str, Material] = {}
    folder = posixpath.dirname(model)
    for line in archive.read(model).decode('latin-1').replace('\\\n', ' ').splitlines():
        words = line.split()
        if not words:
            continue
        tag = words[0]
        if tag == 'v':
            vertices.append([float(words[1]), float(words[2]), float(words[3])])
        elif tag == 'vt':
            uv.append([float(words[1]), float(words[2])])
        elif tag == 'f':
            add_polygon(current, words[1:], len(vertices), len(uv) - 1)
        elif tag == 'usemtl' and len(words) > 1:
            current = groups.setdefault(words[1], Triangles())
        elif tag == 'mtllib':
            path = posixpath.join(folder, line.split(maxsplit=1)[1].strip())
            if path in archive.namelist():
                materials |= read_materials(archive.read(path).decode('latin-1'))
    points = np.asarray(vertices, np.float64)
    coordinates = np.asarray(uv, np.float64)
    surfaces = []
    for name, triangles in groups.items():
        if not triangles.vertices:
            continue
        material = materials.get(name, Material())
        picture = None
        if material.picture:
            picture = read_picture(archive, posixpath.join(folder, material.picture))
        surfaces.append(
            Surface(
                corners=points[np.asarray(triangles.vertices)],
                uv=coordinates[np.asarray(triangles.uv)],
                colour=material.colour,
                alpha=material.alpha,
                picture=picture,
            )
        )
    return surfaces


def add_polygon(triangles: Triangles, words: list[str], n_vertices: int, n_uv: int) -> None:
    """Append a polygon; OBJ counts from 1, negative numbers count from the end."""
    points = []
    for word in words:
        parts = word.split('/')
        vertex = int(parts[0])
        texture = int(parts[1]) if len(parts) > 1 and parts[1] else 0
        points.append(
            (
                vertex - 1 if vertex > 0 else n_vertices + vertex,
                texture if texture >= 0 else n_uv + 1 + texture,
            )
        )
    for second, third in pairwise(points[1:]):
        first = points[0]
        triangles.vertices.append((first[0], second[0], third[0]))
        triangles.uv.append((first[1], second[1], third[1]))
