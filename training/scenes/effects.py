"""What a cheap camera does to a clean picture: shade, blur, expose, colour, noise, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np

Rng = np.random.Generator
SHUTTER_TAPS = 5
CURVE_END, CURVE_STEPS = 4.0, 2048
GRAIN_MARGIN = 64
CREASE_OFFSETS = ((1, 0), (0, 1), (2, 2), (2, -2), (5, 0), (0, 5), (6, 6), (6, -6))
CREASE_DEPTH_M, CREASE_REACH_M = 0.03, 0.2


@dataclass(frozen=True, kw_only=True)
class Lens:
    """
    One path's camera.

    Units: shutter_s seconds, defocus in pixels of a 320-pixel picture, noise in grey
    levels, shadow_blur in drawn pixels (it hides the steps of a shadow at a grazing angle).
    """

    shutter_s: float
    defocus: float
    vignette: float
    brightness: float
    gains: tuple[float, float, float]
    gamma: float
    contrast: float
    saturation: float
    shot_noise: float
    read_noise: float
    jpeg_quality: int
    occlusion: float
    shadow_blur: float = 0.0


def choose_lens(rng: Rng) -> Lens:
    temperature, tint = rng.normal(0, 0.08), rng.normal(0, 0.03)
    bright = rng.random() < 0.15
    return Lens(
        shutter_s=float(rng.choice([0.0, 0.004, 0.01, 0.02, 0.033])),
        defocus=float(rng.choice([0.0, 0.4, 0.7, 1.1])),
        vignette=float(rng.uniform(0, 0.35)),
        brightness=float(rng.uniform(0.6, 0.75) if bright else rng.uniform(0.35, 0.6)),
        gains=(float(np.exp(temperature)), float(np.exp(tint)), float(np.exp(-temperature))),
        gamma=float(rng.uniform(0.75, 1.15)),
        contrast=float(rng.uniform(0.85, 1.35)),
        saturation=float(rng.uniform(0.55, 1.25)),
        shot_noise=float(rng.uniform(0, 5)),
        read_noise=float(rng.uniform(0, 3)),
        jpeg_quality=int(rng.integers(60, 97)),
        occlusion=float(rng.uniform(0.2, 0.6)),
    )


def plain_lens() -> Lens:
    """Describe a good camera in good light."""
    return Lens(
        shutter_s=0.008,
        defocus=0.3,
        vignette=0.1,
        brightness=0.46,
        gains=(1.0, 1.0, 1.0),
        gamma=0.9,
        contrast=1.05,
        saturation=0.9,
        shot_noise=1.2,
        read_noise=0.4,
        jpeg_quality=88,
        occlusion=0.35,
        shadow_blur=2.5,
    )


def occlude(depth_m: np.ndarray, strength: float) -> np.ndarray:
    """
    Darken creases and the ground beside things.

    A pixel is in a crease when its disparity is below the mean of two opposite neighbours'.
    Pairs across an edge of depth do not count: nothing darkens a wall far behind a thing.
    """
    size = depth_m.shape[::-1]
    depth_m = cv2.resize(depth_m, (160, 120), interpolation=cv2.INTER_NEAREST)
    disparity = 1.0 / depth_m
    crease = np.zeros_like(depth_m)
    for dx, dy in CREASE_OFFSETS:
        one = shifted(disparity, dx, dy)
        two = shifted(disparity, -dx, -dy)
        hollow = depth_m * ((one + two) / 2 * depth_m - 1.0)
        near = np.maximum(one, two) * depth_m < 1.0 + CREASE_REACH_M / depth_m
        crease += np.clip(hollow / CREASE_DEPTH_M, 0, 1) * near
    crease = cv2.resize(crease / len(CREASE_OFFSETS), size, interpolation=cv2.INTER_LINEAR)
    return 1.0 - strength * np.minimum(1.5 * crease, 1.0)


def shifted(values: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Look up every pixel's neighbour, repeating the border."""
    height, width = values.shape
    pad = max(abs(dx), abs(dy))
    padded = np.pad(values, pad, mode='edge')
    return padded[pad + dy : pad + dy + height, pad + dx : pad + dx + width]


def pixel_motion(
    depth_m: np.ndarray, other_T_cam: np.ndarray, fx: float, centre: tuple[float, float]
) -> np.ndarray:
    """
    How far each pixel moves when the camera moves on.

    Shapes: depth (H, W) -> (H, W, 2) pixels.
    """
    height, width = depth_m.shape
    u, v = np.meshgrid(
        np.arange(width, dtype=np.float32) - centre[0],
        np.arange(height, dtype=np.float32) - centre[1],
    )
    rotation, translation = other_T_cam[:3, :3].astype(np.float32), other_T_cam[:3, 3]
    x, y = u / fx * depth_m, v / fx * depth_m
    moved = [
        rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * depth_m + translation[k]
        for k in range(3)
    ]
    z = np.maximum(moved[2], 0.05)
    return np.stack([fx * moved[0] / z - u, fx * moved[1] / z - v], -1).astype(np.float32)


def motion_blur(rgb: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Average the picture along each pixel's motion while the shutter is open."""
    if np.abs(motion).max() < 0.5:
        return rgb
    height, width = motion.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    total = np.zeros_like(rgb)
    for share in np.linspace(-0.5, 0.5, SHUTTER_TAPS):
        at = grid + np.float32(share) * motion
        total += cv2.remap(
            rgb, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return total / SHUTTER_TAPS


def brightness_gain(rgb: np.ndarray, lens: Lens) -> float:
    """Tell what an automatic exposure would multiply by, to a limit."""
    level = sum(cv2.mean(rgb)[:3]) / 3
    return float(np.clip(lens.brightness / max(level, 1e-3), 0.6, 4.0))


def tone_curve(lens: Lens) -> np.ndarray:
    """Gamma, contrast and a soft shoulder above 0.8, tabulated over 0 to CURVE_END."""
    level = np.linspace(0, CURVE_END, CURVE_STEPS)
    level = 0.5 + (level**lens.gamma - 0.5) * lens.contrast
    over = np.maximum(level - 0.8, 0)
    level = np.minimum(level, 0.8) + 0.25 * (1 - np.exp(-over / 0.25))
    return (255 * np.clip(level, 0, 1)).astype(np.float32)


def make_grain(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """Make sensor noise somewhat larger than a picture (height, width), to be cut from."""
    shape = size[0] + GRAIN_MARGIN, size[1] + GRAIN_MARGIN, 3
    grain = rng.standard_normal(shape, dtype=np.float32)
    return cv2.GaussianBlur(grain, (0, 0), 0.6) * 1.7


@dataclass(frozen=True, kw_only=True)
class Film:
    """A lens with what is worth making once for a whole path."""

    lens: Lens
    curve: np.ndarray
    grain: np.ndarray
    fall: np.ndarray


def load_film(rng: Rng, lens: Lens, size: tuple[int, int]) -> Film:
    """Prepare pictures of size (height, width)."""
    height, width = size
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None]
    fall = 1 - lens.vignette * (rows**2 + columns**2) / 2
    return Film(
        lens=lens,
        curve=tone_curve(lens),
        grain=make_grain(rng, size),
        fall=fall[..., None] * np.asarray(lens.gains, np.float32),
    )


def develop(rgb: np.ndarray, film: Film, gain: float, rng: Rng) -> np.ndarray:
    """Turn a clean picture (H, W, 3) of 0..1 floats into what the camera writes, RGB uint8."""
    lens = film.lens
    height, width = rgb.shape[:2]
    picture = rgb
    if lens.defocus > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), lens.defocus * width / 320)
    picture = picture * (film.fall * np.float32(gain))
    picture = cv2.transform(picture, saturation_matrix(lens.saturation))
    steps = np.clip(picture * ((CURVE_STEPS - 1) / CURVE_END), 0, CURVE_STEPS - 1)
    picture = film.curve[steps.astype(np.int16)]
    top, left = rng.integers(GRAIN_MARGIN, size=2)
    grain = film.grain[top : top + height, left : left + width]
    picture += grain * (lens.read_noise + lens.shot_noise / 16 * cv2.sqrt(picture))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def saturation_matrix(saturation: float) -> np.ndarray:
    return (saturation * np.eye(3) + (1 - saturation) / 3).astype(np.float32)


def compress(rgb: np.ndarray, quality: int) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def decompress(data: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
