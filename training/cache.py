"""
Run the trained image networks once over every scene and keep what they say: training.cache.

Three files a scene: disparity and latents (NNNNNNN.disparity.npy, NNNNNNN.latents.npz), which want
the autoencoder, and features (NNNNNNN.features.npy), which want the tuned feature network. Either
can be kept before the other is there.
"""

import argparse
from collections.abc import Callable
import logging
from pathlib import Path
import time

from diffusers import AutoencoderTiny
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from depthsync_ros.models.efficientnet import FeatureNet, Features, TAPPED_CHANNELS
from training.networks import GRID, half_precision, new_autoencoder, PEEK, published_features
from training.rendered import load_scene, normalised, Scene

NOISE_AUGMENTATION = 0.02
SHORT_CLIP = 12  # frames of a second clip, with its own range, that begins anywhere
CHUNK = 16

logger = logging.getLogger('training.cache')


def feature_shapes() -> list[tuple[int, int, int]]:
    rows, cols = GRID
    return [
        (channels, int(rows * factor), int(cols * factor))
        for channels, factor in zip(TAPPED_CHANNELS, (2, 1, 0.5), strict=True)
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


def images_of(rgb: NDArray[np.uint8]) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))).float()
    return (images / 127.5 - 1.0).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def pack_features(network: FeatureNet, scene: Scene) -> NDArray[np.float16]:
    """Shapes: (frames, all feature maps of a frame flattened behind one another)."""
    rows = []
    for chunk in images_of(scene.rgb).split(CHUNK):
        with half_precision():
            found = network(chunk)
        maps = (found.stride8, found.stride16, found.stride32)
        rows.append(torch.cat([m.contiguous().flatten(1).half() for m in maps], dim=1).numpy())
    packed: NDArray[np.float16] = np.concatenate(rows)
    return packed


def coarse_disparity(scene: Scene) -> NDArray[np.float16]:
    """
    Average the true disparity over cells.

    Shapes: (frames, 48, 64). Units: image widths per metre.
    """
    frames, height, width = scene.disparity.shape
    cells = scene.disparity.reshape(frames, height // PEEK, PEEK, width // PEEK, PEEK)
    coarse: NDArray[np.float16] = (cells.mean((2, 4)) * scene.focal[:, None, None]).astype('f2')
    return coarse


@torch.no_grad()
def encode_scene(
    network: AutoencoderTiny, scene: Scene, number: int
) -> dict[str, NDArray[np.generic]]:
    """
    Encode a scene's frames: rgb, each frame by its own range, and the clips by theirs.

    Shapes: float16 (frames, 12, 12, 16) each; the clips lie behind one another, and `ranges`
    holds each one's least and largest disparity in image widths per metre, `single_ranges` the
    frames'.
    """
    random = np.random.default_rng(number)
    generator = torch.Generator().manual_seed(number)
    starts, lengths, ranges, clips = [], [], [], []
    for path in scene.paths:
        if len(path) == 1:
            continue
        late = int(random.integers(max(len(path) - SHORT_CLIP, 0) + 1))
        for start, length in ((0, len(path)), (late, min(SHORT_CLIP, len(path)))):
            clip = scene.disparity[path.start + start : path.start + start + length]
            starts.append(path.start + start)
            lengths.append(length)
            focal = scene.focal[path.start]
            ranges.append([clip.min() * focal, clip.max() * focal])
            clips.append(normalised(clip))
    rgb = images_of(scene.rgb)
    rgb = rgb + NOISE_AUGMENTATION * torch.randn(rgb.shape, generator=generator)
    singles = np.stack([normalised(frame) for frame in scene.disparity])
    bounds = np.stack([scene.disparity.min((1, 2)), scene.disparity.max((1, 2))], axis=1)
    return {
        'rgb': _encode(network, rgb),
        'singles': _encode(network, _disparity_images(singles)),
        'single_ranges': (bounds * scene.focal[:, None]).astype(np.float32),
        'starts': np.array(starts),
        'lengths': np.array(lengths),
        'ranges': np.array(ranges, np.float32),
        'clips': _encode(network, _disparity_images(np.concatenate(clips))),
    }


def _disparity_images(disparity: NDArray[np.float32]) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(disparity)) * 2.0 - 1.0
    return images[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def _encode(network: AutoencoderTiny, images: Tensor) -> NDArray[np.float16]:
    with half_precision():
        return torch.cat([network.encoder(c) for c in images.split(CHUNK)]).half().numpy()


def _write(target: Path, write: Callable[[Path], None]) -> None:
    partial = target.with_name(f'{target.stem}.partial{target.suffix}')
    write(partial)
    partial.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--scenes', type=Path, required=True, help='folder of rendered scenes')
    parser.add_argument('--cache', type=Path, required=True, help='folder to fill')
    parser.add_argument('--autoencoder', type=Path, help='its checkpoint: keep latents')
    parser.add_argument('--images', type=Path, help="training.images' checkpoint: keep features")
    parser.add_argument('--wait-minutes', type=float, default=0, help='wait for new scenes')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(arguments.threads)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    features, autoencoder = None, None
    if arguments.images:
        features = published_features()
        features.load_state_dict(torch.load(arguments.images, weights_only=True)['features'])
    if arguments.autoencoder:
        autoencoder = new_autoencoder().eval()
        stored = torch.load(arguments.autoencoder, weights_only=True)
        autoencoder.load_state_dict(stored['network'])
    until = time.monotonic() + 60.0 * arguments.wait_minutes
    while True:
        for path in sorted(arguments.scenes.glob('[0-9]*.npz')):
            _fill(path, arguments.cache, features, autoencoder)
        logger.info('%d scenes', len(list(arguments.cache.glob('*.features.npy'))))
        if time.monotonic() > until:
            return
        time.sleep(10.0)


def _fill(
    path: Path, cache: Path, features: FeatureNet | None, autoencoder: AutoencoderTiny | None
) -> None:
    of_disparity = cache / f'{path.stem}.disparity.npy'
    of_features = cache / f'{path.stem}.features.npy'
    of_latents = cache / f'{path.stem}.latents.npz'
    wants_features = features is not None and not of_features.exists()
    wants_latents = autoencoder is not None and not of_latents.exists()
    if not wants_features and not wants_latents:
        return
    scene = load_scene(path)
    if wants_latents:
        _write(of_disparity, lambda partial: np.save(partial, coarse_disparity(scene)))
        record = encode_scene(autoencoder, scene, int(path.stem))
        _write(of_latents, lambda partial: np.savez(partial, **record))
    if wants_features:
        _write(of_features, lambda partial: np.save(partial, pack_features(features, scene)))


if __name__ == '__main__':
    main()
