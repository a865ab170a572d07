"""Small things made on the spot: books, papers, mugs, bottles, monitors, keyboards, cables."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.scenes import textures
from training.scenes.shapes import ball, box, join, Mesh, moved, tube, turned
from training.scenes.world import Look

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Prop:
    """Meshes around the origin, standing on z = 0, with the space they take."""

    parts: tuple[tuple[Mesh, Look], ...]
    size_m: tuple[float, float, float]


def colour(rng: Rng) -> tuple[float, float, float]:
    red, green, blue = textures.random_colour(rng) / 255
    return float(red), float(green), float(blue)


def grey(value: float) -> tuple[float, float, float]:
    return value, value, value


def plain(rng: Rng) -> Look:
    return Look(colour=colour(rng), gloss=float(rng.choice([0.05, 0.3, 0.8])))


def book(rng: Rng) -> Prop:
    size = (
        float(rng.uniform(0.11, 0.24)),
        float(rng.uniform(0.17, 0.32)),
        float(rng.uniform(0.008, 0.05)),
    )
    front = Look(picture=textures.stocked(rng, (textures.cover,)), gloss=0.2)
    pages = Look(colour=grey(0.85))
    return Prop(
        parts=((box(size, only='top'), front), (box(size, only='but-top'), pages)), size_m=size
    )


def book_pile(rng: Rng) -> Prop:
    parts: list[tuple[Mesh, Look]] = []
    height = 0.0
    for _ in range(rng.integers(2, 7)):
        one = book(rng)
        yaw = float(rng.normal(0, 0.25))
        parts += [(moved(mesh, (0, 0, height), yaw), look) for mesh, look in one.parts]
        height += one.size_m[2] + 0.001
    return Prop(parts=tuple(parts), size_m=(0.26, 0.34, height))


def standing_book(rng: Rng) -> Prop:
    """Stand up a book or a card, leaning on nothing, as on a shop's shelf."""
    size = (
        float(rng.uniform(0.1, 0.23)),
        float(rng.uniform(0.01, 0.04)),
        float(rng.uniform(0.15, 0.3)),
    )
    front = Look(
        picture=textures.stocked(rng, (textures.cover,))
        if rng.random() < 0.7
        else textures.stocked(rng, (textures.paper,))
    )
    rest = Look(colour=grey(0.8))
    return Prop(
        parts=((box(size, only='front'), front), (box(size, only='but-front'), rest)), size_m=size
    )


def book_row(rng: Rng) -> Prop:
    size = (
        float(rng.uniform(0.15, 0.6)),
        float(rng.uniform(0.12, 0.2)),
        float(rng.uniform(0.18, 0.28)),
    )
    front = Look(picture=textures.stocked(rng, (textures.spines,)))
    rest = Look(colour=grey(0.75))
    return Prop(
        parts=((box(size, only='front'), front), (box(size, only='but-front'), rest)), size_m=size
    )


def sheet(rng: Rng) -> Prop:
    size = (0.21, 0.297, float(rng.uniform(0.001, 0.004)))
    picture = (
        textures.stocked(rng, (textures.poster,))
        if rng.random() < 0.3
        else textures.stocked(rng, (textures.paper,))
    )
    return Prop(parts=((box(size), Look(picture=picture)),), size_m=size)


def package(rng: Rng) -> Prop:
    size = tuple(float(v) for v in rng.uniform(0.05, 0.28, 3))
    picture = (
        textures.stocked(rng, (textures.poster,))
        if rng.random() < 0.6
        else textures.stocked(rng, textures.ANY)
    )
    return Prop(parts=((box(size), Look(picture=picture, gloss=0.2)),), size_m=size)


def mug(rng: Rng) -> Prop:
    radius, height = float(rng.uniform(0.033, 0.045)), float(rng.uniform(0.07, 0.11))
    inner = radius - 0.004
    profile = [(0, 0), (radius, 0), (radius, height), (inner, height), (inner, 0.01), (0, 0.01)]
    angle = np.linspace(-1.3, 1.3, 8)
    handle = np.stack(
        [
            radius - 0.01 + 0.032 * np.cos(angle),
            np.zeros(8),
            height / 2 + height * 0.35 * np.sin(angle),
        ],
        1,
    )
    look = (
        plain(rng)
        if rng.random() < 0.7
        else Look(picture=textures.stocked(rng, (textures.poster,)), gloss=0.5)
    )
    mesh = join([turned(profile, 24), tube(handle, 0.006)])
    return Prop(parts=((mesh, look),), size_m=(2.6 * radius, 2 * radius, height))


def bottle(rng: Rng) -> Prop:
    radius, height = float(rng.uniform(0.025, 0.05)), float(rng.uniform(0.15, 0.33))
    neck, shoulder = radius * float(rng.uniform(0.25, 0.6)), height * float(rng.uniform(0.5, 0.8))
    profile = [
        (0, 0),
        (radius, 0),
        (radius, shoulder),
        (neck, shoulder + (height - shoulder) * 0.4),
    ]
    profile += [(neck, height), (0, height)]
    parts = [(turned(profile), plain(rng))]
    if rng.random() < 0.7:
        label = [(radius * 1.02, shoulder * 0.25), (radius * 1.02, shoulder * 0.85)]
        parts.append((turned(label), Look(picture=textures.stocked(rng, (textures.poster,)))))
    return Prop(parts=tuple(parts), size_m=(2 * radius, 2 * radius, height))


def can(rng: Rng) -> Prop:
    radius, height = float(rng.uniform(0.03, 0.09)), float(rng.uniform(0.05, 0.2))
    profile = [(0, 0), (radius, 0), (radius, height), (0, height)]
    look = Look(picture=textures.stocked(rng, (textures.poster,)), gloss=0.4)
    return Prop(parts=((turned(profile), look),), size_m=(2 * radius, 2 * radius, height))


def bowl(rng: Rng) -> Prop:
    radius, height = float(rng.uniform(0.06, 0.14)), float(rng.uniform(0.03, 0.1))
    angle = np.linspace(0.15, 1.5, 6)
    outside = [(radius * np.sin(a), height * (1 - np.cos(a))) for a in angle]
    inside = [(0.94 * r, z + 0.004) for r, z in reversed(outside)]
    mesh = turned([(0, 0), *outside, *inside, (0, 0.006)], 24)
    return Prop(parts=((mesh, plain(rng)),), size_m=(2 * radius, 2 * radius, height))


def vase(rng: Rng) -> Prop:
    height = float(rng.uniform(0.12, 0.4))
    radii = height * rng.uniform(0.12, 0.4, 6)
    radii = np.convolve(np.pad(radii, 1, mode='edge'), [0.25, 0.5, 0.25], 'valid')
    profile = [(0, 0), *zip(radii, np.linspace(0, height, 6), strict=True), (0, height * 0.98)]
    size = 2 * float(radii.max())
    return Prop(parts=((turned(profile, 24), plain(rng)),), size_m=(size, size, height))


def fruit(rng: Rng) -> Prop:
    radius = float(rng.uniform(0.025, 0.06))
    flat = float(rng.uniform(0.7, 1.2))
    return Prop(
        parts=((ball(radius, flat=flat), plain(rng)),),
        size_m=(2 * radius, 2 * radius, 2 * radius * flat),
    )


def monitor(rng: Rng) -> Prop:
    width = float(rng.uniform(0.38, 0.62))
    height = width * float(rng.choice([0.5625, 0.625, 0.8]))
    frame = Look(colour=grey(float(rng.choice([0.03, 0.06, 0.5, 0.8]))), gloss=0.5)
    lift = float(rng.uniform(0.06, 0.16))
    picture = textures.stocked(rng, (textures.screen,))
    glow = 0.0 if picture.mean() < 30 else float(rng.uniform(0.3, 0.9))
    screen = Look(picture=picture, gloss=0.6, emission=glow)
    shell = moved(box((width, 0.035, height)), (0, 0, lift))
    glass = moved(
        box((width - 0.03, 0.002, height - 0.03), only='front'), (0, -0.0175, lift + 0.015)
    )
    neck = moved(box((0.06, 0.03, lift + 0.1)), (0, 0.035, 0))
    foot = moved(turned([(0, 0), (0.13, 0), (0.12, 0.012), (0, 0.015)], 24), (0, 0.02, 0))
    return Prop(
        parts=((join([shell, neck, foot]), frame), (glass, screen)),
        size_m=(width, 0.26, lift + height),
    )


def laptop(rng: Rng) -> Prop:
    width, depth = float(rng.uniform(0.28, 0.38)), float(rng.uniform(0.2, 0.26))
    shell = Look(colour=grey(float(rng.choice([0.05, 0.15, 0.6, 0.8]))), gloss=0.4)
    lid = moved(box((width, 0.01, depth)), (0, depth / 2 + 0.02, 0.0))
    screen = moved(
        box((width - 0.02, 0.002, depth - 0.025), only='front'), (0, depth / 2 + 0.0145, 0.015)
    )
    keys = moved(box((width - 0.04, depth * 0.5, 0.001), only='top'), (0, depth * 0.15, 0.0195))
    base = box((width, depth, 0.02))
    return Prop(
        parts=(
            (join([lid, base]), shell),
            (screen, Look(picture=textures.stocked(rng, (textures.screen,)), emission=0.6)),
            (keys, Look(picture=textures.stocked(rng, (textures.keyboard,)))),
        ),
        size_m=(width, depth + 0.06, depth),
    )


def keyboard(rng: Rng) -> Prop:
    size = float(rng.uniform(0.36, 0.46)), float(rng.uniform(0.13, 0.18)), 0.025
    look = Look(picture=textures.stocked(rng, (textures.keyboard,)), gloss=0.1)
    side = Look(colour=grey(float(look.picture.mean()) / 255))
    return Prop(
        parts=((box(size, only='top'), look), (box(size, only='but-top'), side)), size_m=size
    )


def mouse(rng: Rng) -> Prop:
    look = Look(colour=grey(float(rng.choice([0.05, 0.1, 0.7, 0.9]))), gloss=0.5)
    return Prop(parts=((ball(0.038, flat=0.45), look),), size_m=(0.076, 0.076, 0.034))


def pens(rng: Rng) -> Prop:
    """Fill a pot with a few pens."""
    radius, height = float(rng.uniform(0.03, 0.045)), float(rng.uniform(0.08, 0.11))
    pot = turned([(0, 0), (radius, 0), (radius, height), (radius - 0.003, height), (0, 0.01)])
    parts: list[tuple[Mesh, Look]] = [(pot, plain(rng))]
    for _ in range(rng.integers(2, 8)):
        foot = rng.uniform(-0.5, 0.5, 2) * radius
        top = rng.uniform(-0.9, 0.9, 2) * radius
        line = np.array([[*foot, 0.01], [*top, 0.1], [*(top * 1.5), rng.uniform(0.13, 0.19)]])
        parts.append((tube(line, 0.004), plain(rng)))
    return Prop(parts=tuple(parts), size_m=(2 * radius, 2 * radius, 0.16))


def cable(rng: Rng) -> Prop:
    """Lay a cable in loops."""
    phase = np.linspace(0, rng.uniform(3, 9), 40)
    spread = rng.uniform(0.04, 0.12, 2)
    x = spread[0] * np.sin(phase * rng.uniform(0.6, 1.3)) + 0.02 * phase - 0.08
    y = spread[1] * np.cos(phase * rng.uniform(0.6, 1.3) + 1)
    z = 0.004 + 0.006 * (1 + np.sin(phase * 1.7))
    look = Look(colour=grey(float(rng.choice([0.03, 0.08, 0.85]))))
    line = np.stack([x, y, z], 1)
    size = np.ptp(line, axis=0) + 0.01
    centre = (line.max(0) + line.min(0)) / 2
    line[:, :2] -= centre[:2]
    return Prop(parts=((tube(line, 0.0035), look),), size_m=tuple(float(v) for v in size))


def tray(rng: Rng) -> Prop:
    """Make an open container with a rim: a tray, a drawer box, a letter basket."""
    width, depth, height = (float(v) for v in rng.uniform([0.15, 0.12, 0.04], [0.38, 0.3, 0.14]))
    wall = 0.006
    sides = [
        moved(box((width, wall, height)), (0, depth / 2, 0)),
        moved(box((width, wall, height)), (0, -depth / 2, 0)),
        moved(box((wall, depth, height)), (width / 2, 0, 0)),
        moved(box((wall, depth, height)), (-width / 2, 0, 0)),
        box((width, depth, wall)),
    ]
    parts: list[tuple[Mesh, Look]] = [(join(sides), plain(rng))]
    for _ in range(rng.integers(0, 4)):
        inner = package(rng)
        scale = 0.35
        offset = rng.uniform(-0.25, 0.25, 2) * (width, depth)
        mesh, look = inner.parts[0]
        small = Mesh(
            vertices=mesh.vertices * scale, normals=mesh.normals, uv=mesh.uv, faces=mesh.faces
        )
        parts.append((moved(small, (float(offset[0]), float(offset[1]), wall)), look))
    return Prop(parts=tuple(parts), size_m=(width, depth, height))


def lamp(rng: Rng) -> Prop:
    height, radius = float(rng.uniform(0.3, 0.55)), float(rng.uniform(0.1, 0.18))
    stand = turned([(0, 0), (0.08, 0), (0.08, 0.015), (0.012, 0.02), (0.012, height * 0.7)])
    shade = turned([(radius, height * 0.6), (radius * 0.6, height), (0, height)])
    warm = Look(colour=(1.0, 0.93, 0.78), emission=float(rng.uniform(0.1, 0.8)))
    return Prop(
        parts=((stand, plain(rng)), (shade, warm)), size_m=(2 * radius, 2 * radius, height)
    )


def frame(rng: Rng) -> Prop:
    width, height = (float(v) for v in rng.uniform(0.12, 0.3, 2))
    border = box((width, 0.02, height))
    inside = moved(box((width - 0.04, 0.002, height - 0.04), only='front'), (0, -0.0105, 0.02))
    picture = Look(picture=textures.stocked(rng, (textures.photo,)))
    return Prop(parts=((border, plain(rng)), (inside, picture)), size_m=(width, 0.03, height))


def cushion(rng: Rng) -> Prop:
    radius = float(rng.uniform(0.17, 0.26))
    look = Look(picture=textures.stocked(rng, (textures.fabric,)))
    return Prop(
        parts=((ball(radius, flat=0.4), look),), size_m=(2 * radius, 2 * radius, 0.8 * radius)
    )


Maker = Callable[[Rng], Prop]
OFFICE: tuple[Maker, ...] = (
    book, book, book_pile, standing_book, sheet, sheet, sheet, sheet, package, package, mug,
    bottle, mouse, pens, cable, cable, tray, can, frame, lamp, keyboard, laptop, vase,
)  # fmt: skip
KITCHEN: tuple[Maker, ...] = (
    mug, mug, bottle, bottle, can, can, bowl, bowl, vase, fruit, fruit, package, package, tray,
    sheet, book, standing_book,
)  # fmt: skip
LIVING: tuple[Maker, ...] = (
    book, book_pile, sheet, mug, bottle, bowl, vase, frame, lamp, package, tray, can, fruit,
    standing_book, cable,
)  # fmt: skip
SHELF: tuple[Maker, ...] = (
    book_row, book_row, book_row, standing_book, package, package, vase, frame, can, bottle, tray,
    book_pile,
)  # fmt: skip


def make(rng: Rng, makers: tuple[Maker, ...]) -> Prop:
    return makers[int(rng.integers(len(makers)))](rng)
