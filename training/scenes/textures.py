"""
Procedural pictures: what walls, floors, cloth, books, papers and screens look like.

Every function takes the scene's random generator and returns RGB uint8 (H, W, 3); those that
are laid out as a repeating pattern join at their edges.
"""

from collections.abc import Callable
import colorsys
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Rng = np.random.Generator
SIDE = 256
BANK = 16  # noise fields of each kind
STOCK = 32  # ready-made pictures of each kind

WOODS = (
    (181, 134, 84),
    (139, 94, 52),
    (92, 58, 34),
    (206, 170, 120),
    (222, 196, 158),
    (64, 42, 30),
)
PAINTS = (
    (236, 232, 222), (225, 225, 225), (240, 236, 200), (205, 215, 205), (196, 210, 224),
    (228, 205, 190), (180, 190, 170), (205, 190, 160), (170, 185, 200), (245, 245, 245),
)  # fmt: skip


def to_picture(values: np.ndarray) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)


def random_colour(rng: Rng, *, saturation: tuple[float, float] = (0.05, 0.9)) -> np.ndarray:
    hue, light = rng.random(), rng.uniform(0.15, 0.95)
    low, high = saturation
    return 255 * np.asarray(colorsys.hsv_to_rgb(hue, low + (high - low) * rng.beta(1, 1.6), light))


def paint_colour(rng: Rng) -> np.ndarray:
    if rng.random() < 0.15:
        return random_colour(rng, saturation=(0.1, 0.5))
    return np.asarray(PAINTS[rng.integers(len(PAINTS))]) * rng.uniform(0.8, 1.02)


def noise(rng: Rng, *, slope: float = 1.0, stretch: float = 1.0) -> np.ndarray:
    """
    Make periodic noise whose amplitude falls as 1 / frequency**slope; mean 0, variance 1.

    A few fields of each kind are made once and then shifted and mirrored.
    """
    rough = round(slope * 5) / 5
    field = noise_field(rough, round(stretch, 2), int(rng.integers(BANK)))
    shift = rng.integers(SIDE, size=2)
    field = np.roll(field, (int(shift[0]), int(shift[1])), (0, 1))
    return field[:, ::-1] if rng.random() < 0.5 else field


@cache
def noise_field(slope: float, stretch: float, number: int) -> np.ndarray:
    rng = np.random.default_rng([number, round(slope * 100), round(stretch * 100)])
    rows = np.fft.fftfreq(SIDE)[:, None] * SIDE * stretch
    columns = np.fft.rfftfreq(SIDE)[None, :] * SIDE
    frequency = np.maximum(np.hypot(rows, columns), 1.0)
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) / frequency**slope
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, s=(SIDE, SIDE))
    return (field / field.std()).astype(np.float32)


def plaster(rng: Rng) -> Picture:
    base = paint_colour(rng)
    field = noise(rng, slope=rng.uniform(0.4, 1.4)) * rng.uniform(0.5, 5)
    return to_picture(base + field[..., None])


def cloud(rng: Rng) -> Picture:
    """Coloured 1/f noise, as natural images have."""
    slope = rng.uniform(0.8, 1.6)
    fields = np.stack([noise(rng, slope=slope) for _ in range(3)], -1)
    mixing = np.eye(3) * rng.uniform(0.1, 0.6) + 0.7
    return to_picture(random_colour(rng) + fields @ mixing * rng.uniform(8, 40))


def wood(rng: Rng) -> Picture:
    base = np.asarray(WOODS[rng.integers(len(WOODS))]) * rng.uniform(0.8, 1.15)
    across = np.arange(SIDE)[None, :] / SIDE
    warp = noise(rng, slope=2.0, stretch=0.3) * rng.uniform(0.02, 0.12)
    rings = np.sin(2 * np.pi * (across * rng.integers(3, 14) + warp * 8))
    grain = noise(rng, slope=0.7, stretch=0.06)
    value = 1 + rings * rng.uniform(0.01, 0.1) + grain * rng.uniform(0.02, 0.09)
    picture = base * value[..., None]
    planks = int(rng.choice([0, 0, 2, 3, 4, 6]))
    if planks:
        width = SIDE // planks
        for plank in range(planks):
            part = slice(plank * width, (plank + 1) * width)
            picture[:, part] = np.roll(picture[:, part], rng.integers(SIDE), 0)
            picture[:, part] *= rng.uniform(0.85, 1.12)
            picture[:, plank * width : plank * width + 1] *= 0.6
            end = rng.integers(SIDE)
            picture[end : end + 1, part] *= 0.6
    return to_picture(picture)


def tiles(rng: Rng) -> Picture:
    count = int(rng.choice([2, 4, 8]))
    step = SIDE // count
    aspect = int(rng.choice([1, 1, 2]))
    shift = step if (aspect == 2 and rng.random() < 0.6) else 0
    base = random_colour(rng, saturation=(0.0, 0.5)) if rng.random() < 0.6 else paint_colour(rng)
    picture = np.empty((SIDE, SIDE, 3))
    picture[:] = base
    second = base * rng.uniform(0.3, 1.0) if rng.random() < 0.25 else base
    spread = rng.uniform(0.0, 0.12)
    for row in range(count):
        for column in range(-1, count // aspect + 1):
            left = column * step * aspect + (shift if row % 2 else 0)
            colour = (second if (row + column) % 2 else base) * (
                1 + spread * rng.standard_normal()
            )
            cells = np.s_[
                row * step : (row + 1) * step, max(left, 0) : max(left + step * aspect, 0)
            ]
            picture[cells] = colour
    picture += noise(rng, slope=1.0)[..., None] * rng.uniform(0, 6)
    grout = random_colour(rng, saturation=(0, 0.1))
    width = int(rng.integers(1, 4))
    for row in range(count):
        picture[row * step : row * step + width] = grout
        offset = shift if row % 2 else 0
        for left in range(offset, SIDE, step * aspect):
            picture[row * step : (row + 1) * step, left : left + width] = grout
    return to_picture(picture)


def stripes(rng: Rng) -> Picture:
    position = np.arange(SIDE) / SIDE
    value = np.zeros(SIDE)
    for _ in range(rng.integers(1, 5)):
        value += np.sign(np.sin(2 * np.pi * (position * rng.integers(2, 40) + rng.random())))
    value = (value - value.min()) / max(np.ptp(value), 1e-9)
    first, second = random_colour(rng), random_colour(rng)
    picture = first + (second - first) * value[None, :, None]
    picture = np.broadcast_to(picture, (SIDE, SIDE, 3)) + noise(rng, slope=0.6)[..., None] * 6
    return to_picture(picture if rng.random() < 0.5 else picture.transpose(1, 0, 2))


def carpet(rng: Rng) -> Picture:
    base = random_colour(rng, saturation=(0.0, 0.6)) * rng.uniform(0.5, 1)
    field = noise(rng, slope=rng.uniform(0.0, 0.8)) * rng.uniform(6, 28)
    lines = noise(rng, slope=0.4, stretch=0.02) * rng.uniform(0, 30) * (rng.random() < 0.4)
    return to_picture(base + (field + lines)[..., None])


def fabric(rng: Rng) -> Picture:
    base = random_colour(rng, saturation=(0.05, 0.7))
    row, column = np.mgrid[:SIDE, :SIDE]
    count = rng.integers(20, 64)
    weave = np.sin(2 * np.pi * count * row / SIDE) * np.sin(2 * np.pi * count * column / SIDE)
    value = weave * rng.uniform(2, 14) + noise(rng, slope=1.0) * rng.uniform(2, 10)
    if rng.random() < 0.3:  # a check
        bands = np.sin(2 * np.pi * rng.integers(2, 8) * np.arange(SIDE) / SIDE) > rng.uniform(
            -0.5, 0.8
        )
        value = value + (bands[:, None].astype(float) + bands[None, :]) * rng.uniform(10, 40)
    return to_picture(base + value[..., None])


def stone(rng: Rng) -> Picture:
    base = random_colour(rng, saturation=(0.0, 0.25))
    fine = noise(rng, slope=rng.uniform(0.2, 0.8)) * rng.uniform(4, 26)
    veins = -np.exp(-np.abs(noise(rng, slope=1.8)) * 14) * rng.uniform(0, 60)
    return to_picture(base + (fine + veins)[..., None])


def scribble(rng: Rng, picture: Picture, box: tuple[int, int, int, int], ink: tuple) -> None:
    """Fill a box (x0, y0, x1, y1) with what reads as lines of text from afar."""
    left, top, right, bottom = box
    pitch = int(rng.integers(5, 12))
    for row in range(top, bottom - pitch, pitch):
        column = left
        end = right - (
            int(rng.integers(0, max(1, (right - left) // 2))) if rng.random() < 0.2 else 0
        )
        while column < end:
            word = int(rng.integers(4, 22))
            cv2.rectangle(
                picture,
                (column, row),
                (min(column + word, end), row + max(1, pitch // 2)),
                ink,
                -1,
            )
            column += word + int(rng.integers(3, 6))


def shapes(rng: Rng, picture: Picture, number: int) -> None:
    height, width = picture.shape[:2]
    for _ in range(number):
        colour = tuple(float(c) for c in random_colour(rng))
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        if rng.random() < 0.5:
            cv2.circle(picture, centre, int(rng.integers(6, 90)), colour, -1)
        else:
            corner = (int(rng.integers(width)), int(rng.integers(height)))
            cv2.rectangle(picture, centre, corner, colour, -1 if rng.random() < 0.7 else 4)


def photo(rng: Rng) -> Picture:
    """Something with the statistics of a photograph: noise, a horizon, a few blobs."""
    picture = cloud(rng).astype(np.float64)
    if rng.random() < 0.6:
        horizon = int(rng.integers(60, 200))
        picture[horizon:] = picture[horizon:] * 0.4 + 0.6 * random_colour(rng)
    picture = to_picture(picture)
    if rng.random() < 0.6:
        shapes(rng, picture, int(rng.integers(1, 5)))
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 4))
    return picture


def poster(rng: Rng) -> Picture:
    picture = np.empty((SIDE, SIDE, 3), np.uint8)
    picture[:] = to_picture(random_colour(rng))
    if rng.random() < 0.5:
        picture = photo(rng)
    shapes(rng, picture, int(rng.integers(0, 6)))
    for _ in range(rng.integers(0, 4)):
        left, top = (int(v) for v in rng.integers(8, 150, 2))
        box = (left, top, left + int(rng.integers(40, 100)), top + int(rng.integers(12, 90)))
        scribble(rng, picture, box, tuple(float(c) for c in random_colour(rng)))
    if rng.random() < 0.3:
        cv2.rectangle(
            picture, (0, 0), (SIDE - 1, SIDE - 1), (250, 250, 250), int(rng.integers(4, 40))
        )
    return picture


def paper(rng: Rng) -> Picture:
    picture = np.full((SIDE, SIDE, 3), int(rng.integers(225, 256)), np.uint8)
    ink = tuple(float(v) for v in [rng.integers(20, 110)] * 3)
    margin = int(rng.integers(14, 40))
    scribble(rng, picture, (margin, margin + 20, SIDE - margin, SIDE - margin), ink)
    if rng.random() < 0.5:
        left, top = (int(v) for v in rng.integers(20, 130, 2))
        patch = cv2.resize(photo(rng), (100, 80))
        picture[top : top + 80, left : left + 100] = patch
    return picture


def cover(rng: Rng) -> Picture:
    if rng.random() < 0.5:
        picture = poster(rng)
    else:
        picture = np.empty((SIDE, SIDE, 3), np.uint8)
        picture[:] = to_picture(random_colour(rng))
    ink = tuple(float(c) for c in random_colour(rng))
    top = int(rng.integers(20, 120))
    cv2.rectangle(picture, (30, top), (220, top + int(rng.integers(10, 40))), ink, -1)
    scribble(rng, picture, (40, 190, 210, 240), ink)
    return picture


def spines(rng: Rng) -> Picture:
    """Draw a row of book spines."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    column = 0
    while column < SIDE:
        width = int(rng.integers(6, 34))
        picture[:, column : column + width] = to_picture(random_colour(rng))
        ink = tuple(float(c) for c in random_colour(rng))
        top = int(rng.integers(20, 100))
        cv2.rectangle(picture, (column + 2, top), (column + width - 3, top + 80), ink, -1)
        picture[:, column : column + 1] = 15
        if rng.random() < 0.5:
            picture[: int(rng.integers(0, 40)), column : column + width] = 20
        column += width
    return picture


def screen(rng: Rng) -> Picture:
    """Draw a monitor's picture: off, a desktop with windows, or a film."""
    kind = rng.random()
    if kind < 0.45:
        dark = to_picture(np.full((SIDE, SIDE, 1), 16.0) + noise(rng, slope=2.0)[..., None] * 3)
        return np.repeat(dark, 3, 2)
    picture = photo(rng)
    if kind < 0.85:
        for _ in range(rng.integers(1, 4)):
            left, top = (int(v) for v in rng.integers(0, 140, 2))
            right, bottom = left + int(rng.integers(70, 160)), top + int(rng.integers(60, 150))
            back = float(rng.choice([30, 240, 250]))
            cv2.rectangle(picture, (left, top), (right, bottom), (back,) * 3, -1)
            cv2.rectangle(picture, (left, top), (right, top + 8), (120.0, 130.0, 150.0), -1)
            scribble(rng, picture, (left + 6, top + 14, right - 6, bottom), (255 - back,) * 3)
    return picture


def keyboard(rng: Rng) -> Picture:
    dark = rng.random() < 0.6
    plate, key = (30, 60) if dark else (200, 235)
    picture = np.full((96, SIDE, 3), plate, np.uint8)
    for row in range(6):
        column = 4 + int(rng.integers(0, 6))
        while column < SIDE - 8:
            width = 10 if row < 5 or not 60 < column < 150 else 70
            cell = (column, 5 + row * 15), (column + width, 5 + row * 15 + 11)
            cv2.rectangle(picture, *cell, (key,) * 3, -1)
            column += width + 3
    return picture


def landscape(rng: Rng) -> Picture:
    """Draw what a window shows: sky, far trees or houses, some ground."""
    rows = np.linspace(0, 1, SIDE)[:, None, None]
    sky = np.array([200, 220, 245]) * rng.uniform(0.8, 1.05)
    picture = sky * (1 - 0.15 * rows) + noise(rng, slope=1.8)[..., None] * 10
    horizon = int(rng.integers(90, 180))
    picture[horizon:] = random_colour(rng, saturation=(0.1, 0.5)) * 0.8
    picture = to_picture(picture)
    for _ in range(rng.integers(2, 12)):
        left = int(rng.integers(-20, SIDE))
        width, height = int(rng.integers(20, 90)), int(rng.integers(20, 110))
        colour = tuple(float(c) for c in random_colour(rng, saturation=(0.05, 0.5)))
        if rng.random() < 0.5:
            cv2.rectangle(
                picture, (left, horizon - height), (left + width, horizon + 30), colour, -1
            )
        else:
            cv2.circle(picture, (left, horizon - height // 2), width // 2, colour, -1)
    texture = noise(rng, slope=0.9)[..., None] * rng.uniform(5, 18)
    return to_picture(picture + texture)


Maker = Callable[[Rng], Picture]
WALLS: tuple[Maker, ...] = (
    plaster, plaster, plaster, plaster, plaster, plaster, plaster, stripes, tiles, wood, fabric,
)  # fmt: skip
FLOORS: tuple[Maker, ...] = (wood, wood, wood, tiles, tiles, carpet, carpet, stone, stripes)
TOPS: tuple[Maker, ...] = (wood, wood, wood, plaster, stone, fabric)
RUGS: tuple[Maker, ...] = (carpet, stripes, fabric, poster, cloud)
ANY: tuple[Maker, ...] = (cloud, wood, tiles, stripes, fabric, stone, plaster, carpet, photo)


def pick(rng: Rng, makers: tuple[Maker, ...]) -> Picture:
    return makers[int(rng.integers(len(makers)))](rng)


def stocked(rng: Rng, makers: tuple[Maker, ...]) -> Picture:
    """
    Take a ready-made picture, mirrored and in other colours, for things that need many.

    Making one takes some milliseconds; a desk shows thirty.
    """
    maker = makers[int(rng.integers(len(makers)))]
    picture = stock_picture(maker, int(rng.integers(STOCK)))
    if maker in PRINTED:
        picture = picture[..., rng.permutation(3)]
    else:
        picture = picture[:, :: 1 if rng.random() < 0.5 else -1]
    gain = rng.uniform(0.75, 1.15)
    return cv2.convertScaleAbs(np.ascontiguousarray(picture), alpha=gain)


@cache
def stock_picture(maker: Maker, number: int) -> Picture:
    digits = [ord(letter) for letter in maker.__name__]
    return maker(np.random.default_rng([number, *digits]))


PRINTED: tuple[Maker, ...] = (poster, cover, photo, spines, cloud, fabric, stripes, carpet)
