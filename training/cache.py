"""
Run the frozen networks once over every scene and keep what they say: python -m training.cache.

Nine files a scene: features, disparity and latents (NNNNNNN.features.npy, NNNNNNN.disparity.npy,
NNNNNNN.latents.npz), and the same of the scene as two other cameras would show it. Features can be
kept while the autoencoder is still in training.
"""

import argparse
from functools import partial
import logging
from pathlib import Path
import time

import cv2
from diffusers import AutoencoderTiny
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from depthsync_ros.models.efficientnet import FeatureNet, Features, TAPPED_CHANNELS
from training.networks import new_autoencoder, published_features
from training.rendered import load_scene, normalised, Scene

GRID = (16, 20)  # latents of a 128x160 image
REFLECT = cv2.BORDER_REFLECT_101
SINGLES_EVERY = 3  # every third frame is also kept with its own normalisation
NOISE_AUGMENTATION = 0.02
CLIP_LENGTHS, CLIP_SHARES = (24, 16, 8), (0.7, 0.2, 0.1)
CHUNK = 24

logger = logging.getLogger('training.cache')


def feature_shapes() -> list[tuple[int, int, int]]:
    rows, cols = GRID
    return [
        (channels, rows // factor, cols // factor)
        for channels, factor in zip(TAPPED_CHANNELS, (1, 2, 4), strict=True)
    ]


def unpack_features(rows: NDArray[np.float16]) -> Features:
    """Turn flat cached rows, one a frame, into feature maps again."""
    maps, start = [], 0
    for shape in feature_shapes():
        size = int(np.prod(shape))
        part = torch.from_numpy(np.ascontiguousarray(rows[:, start : start + size])).float()
        maps.append(part.reshape(-1, *shape).contiguous(memory_format=torch.channels_last))
        start += size
    return Features(*maps)


def mirrored(scene: Scene, number: int) -> Scene:
    """Mirror every second path (which one depends on the scene's number), for variety."""
    rgb, disparity = scene.rgb.copy(), scene.disparity.copy()
    for index, path in enumerate(scene.paths):
        if (index + number) % 2:
            frames = slice(path.start, path.stop)
            rgb[frames] = rgb[frames, :, ::-1]
            disparity[frames] = disparity[frames, :, ::-1]
    return Scene(rgb, disparity, scene.paths)


def changed(scene: Scene, number: int, change: int = 1) -> Scene:
    """
    Show each path as another camera would: mirrored the other way, zoomed, rolled, recoloured.

    Zoom and roll are one affine map a path; disparity is moved by nearest neighbours, so that no
    depth appears between two things.
    """
    scene = mirrored(scene, number + change)
    random = np.random.default_rng([number, change])
    rgb, disparity = scene.rgb.copy(), scene.disparity.copy()
    height, width = disparity.shape[1:]
    for path in scene.paths:
        angle, zoom = random.uniform(-12.0, 12.0), random.uniform(1.25, 1.9)
        room = 0.5 - 0.62 / zoom  # how far the centre may go without showing what is outside
        centre = (np.array([width, height]) * (0.5 + random.uniform(-room, room, 2))).tolist()
        turn = cv2.getRotationMatrix2D(centre, angle, zoom)
        turn[:, 2] += np.array([width, height]) / 2.0 - centre
        gain, gamma = random.uniform(0.8, 1.2, 3), random.uniform(0.7, 1.4)
        saturation = random.uniform(0.3, 1.2)
        for frame in path:
            moved = cv2.warpAffine(
                rgb[frame], turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=REFLECT
            )
            colour = (moved / 255.0) ** gamma * gain
            grey = colour.mean(2, keepdims=True)
            colour = grey + saturation * (colour - grey)
            rgb[frame] = np.clip(colour * 255.0, 0.0, 255.0).astype(np.uint8)
            disparity[frame] = cv2.warpAffine(
                disparity[frame],
                turn,
                (width, height),
                flags=cv2.INTER_NEAREST,
                borderMode=REFLECT,
            )
    return Scene(rgb, disparity, scene.paths)


def images_of(rgb: NDArray[np.uint8]) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))).float()
    return (images / 127.5 - 1.0).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def write_features(network: FeatureNet, scene: Scene, target: Path) -> None:
    """Shapes: float16 (frames, all feature maps of a frame flattened behind one another)."""
    rows = []
    for chunk in images_of(scene.rgb).split(CHUNK):
        found = network(chunk)
        maps = (found.stride8, found.stride16, found.stride32)
        rows.append(torch.cat([m.contiguous().flatten(1) for m in maps], dim=1).half().numpy())
    partial = target.with_suffix('.partial')
    with partial.open('wb') as file:
        np.save(file, np.concatenate(rows))
    partial.replace(target)


def write_disparity(scene: Scene, target: Path) -> None:
    """
    Keep the true disparity at twice the latents' resolution.

    Shapes: float16 (frames, 32, 40). Units: 1/metres.
    """
    frames, height, width = scene.disparity.shape
    rows, cols = 2 * GRID[0], 2 * GRID[1]
    cells = scene.disparity.reshape(frames, rows, height // rows, cols, width // cols)
    partial = target.with_suffix('.partial')
    with partial.open('wb') as file:
        np.save(file, cells.mean((2, 4)).astype(np.float16))
    partial.replace(target)


@torch.no_grad()
def write_latents(network: AutoencoderTiny, scene: Scene, target: Path, number: int) -> None:
    """
    Keep rgb, single-frame and clip latents, unscaled, and where the clips begin.

    Shapes: float16 (frames, 4, 16, 20) each; singles hold every third frame.
    """
    random = np.random.default_rng(number)
    generator = torch.Generator().manual_seed(number)
    starts: list[int] = []
    clips = []
    for path in scene.paths:
        length = min(int(random.choice(CLIP_LENGTHS, p=CLIP_SHARES)), len(path))
        for start in range(path.start, path.stop - length + 1, length):
            starts.append(start)
            clips.append((start, normalised(scene.disparity[start : start + length])))
    rgb = images_of(scene.rgb)
    rgb = rgb + NOISE_AUGMENTATION * torch.randn(rgb.shape, generator=generator)
    singles = np.stack([normalised(frame) for frame in scene.disparity[::SINGLES_EVERY]])
    record = {
        'rgb': _encode(network, rgb),
        'singles': _encode(network, _disparity_images(singles)),
        'starts': np.array(starts),
        'lengths': np.array([len(clip) for _, clip in clips]),
        'clips': _encode(network, _disparity_images(np.concatenate([c for _, c in clips]))),
    }
    partial = target.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez(file, **record)
    partial.replace(target)


def _disparity_images(disparity: NDArray[np.float32]) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(disparity)) * 2.0 - 1.0
    return images[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def _encode(network: AutoencoderTiny, images: Tensor) -> NDArray[np.float16]:
    return torch.cat([network.encoder(c) for c in images.split(CHUNK)]).half().numpy()


VARIANTS = {'': mirrored, '-changed': changed, '-changed2': partial(changed, change=2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--scenes', type=Path, required=True, help='folder of rendered scenes')
    parser.add_argument('--cache', type=Path, required=True, help='folder to fill')
    parser.add_argument('--autoencoder', type=Path, help='its checkpoint; without: features only')
    parser.add_argument('--limit', type=int, default=10**9, help='most scenes to keep')
    parser.add_argument('--wait-minutes', type=float, default=0, help='wait for new scenes')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(arguments.threads)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    features, autoencoder = published_features(), None
    if arguments.autoencoder:
        autoencoder = new_autoencoder().eval()
        autoencoder.load_state_dict(torch.load(arguments.autoencoder)['network'])
    until = time.monotonic() + 60.0 * arguments.wait_minutes
    while True:
        for variant in VARIANTS:
            for path in sorted(arguments.scenes.glob('[0-9]*.npz'))[: arguments.limit]:
                _fill(path, variant, arguments.cache, features, autoencoder)
        if time.monotonic() > until:
            return
        time.sleep(15.0)


def _fill(
    path: Path,
    variant: str,
    cache: Path,
    features: FeatureNet,
    autoencoder: AutoencoderTiny | None,
) -> None:
    name = f'{path.stem}{variant}'
    of_disparity = cache / f'{name}.disparity.npy'
    of_features = cache / f'{name}.features.npy'
    of_latents = cache / f'{name}.latents.npz'
    wants_latents = autoencoder is not None and not of_latents.exists()
    if of_features.exists() and of_disparity.exists() and not wants_latents:
        return
    begun, number = time.monotonic(), int(path.stem)
    scene = VARIANTS[variant](load_scene(path), number)
    if not of_disparity.exists():
        write_disparity(scene, of_disparity)
    if not of_features.exists():
        write_features(features, scene, of_features)
    if wants_latents:
        write_latents(autoencoder, scene, of_latents, number)
    if number % 20 == 0:
        logger.info('scene %d in %.1f s', number, time.monotonic() - begun)


if __name__ == '__main__':
    main()
