"""Drawing batches from what training.cache wrote."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from depthsync_ros.models.efficientnet import Features
from training.cache import unpack_features
from training.rendered import HELD_OUT_EVERY

FULL_CLIP_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class Batch:
    """
    Cached frames as the networks want them.

    Shapes: rgb (clips * frames, 12, 12, 16); disparity (clips, frames, 48, 64), image widths
        per metre; low and high (clips,), the range that the latents were normalised by;
        latents (clips, frames, 12, 12, 16), unscaled clean ones.
    """

    features: Features
    rgb: Tensor
    disparity: Tensor
    low: Tensor
    high: Tensor
    latents: Tensor

    def normalised(self) -> Tensor:
        """Give the true disparity in [0, 1], as the latents hold it."""
        low, span = self.low[:, None, None, None], (self.high - self.low)[:, None, None, None]
        return (self.disparity - low) / span.clamp(min=1e-6)


class Shelf:
    """The cached scenes; it looks for new ones now and then."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.names: list[str] = []
        self.drawn = 0

    def draw_frames(self, scenes: int, frames: int) -> Batch:
        """Draw single frames, a few from each of a few scenes, as clips of one."""
        return _joined([self._frames(self._name(), frames) for _ in range(scenes)])

    def draw_clip(self) -> Batch:
        """Draw the clip of a camera path, or a short piece of it with its own range."""
        name = self._name()
        stored = np.load(self.folder / f'{name}.latents.npz')
        which = int(self.random.random() > FULL_CLIP_SHARE)
        start, length = int(stored['starts'][which]), int(stored['lengths'][which])
        offset = int(stored['lengths'][:which].sum())
        rows = np.arange(start, start + length)
        latents = torch.from_numpy(stored['clips'][offset : offset + length]).float()
        low, high = torch.from_numpy(stored['ranges'][which]).float()
        disparity = self._disparity(name, rows)
        features, rgb = self._features(name, rows), torch.from_numpy(stored['rgb'][rows]).float()
        return Batch(features, rgb, disparity[None], low[None], high[None], latents[None])

    def _frames(self, name: str, count: int) -> Batch:
        stored = np.load(self.folder / f'{name}.latents.npz')
        rows = np.sort(self.random.choice(len(stored['singles']), count, replace=False))
        latents = torch.from_numpy(stored['singles'][rows]).float()[:, None]
        disparity = self._disparity(name, rows)
        low, high = torch.from_numpy(stored['single_ranges'][rows]).float().unbind(1)
        features, rgb = self._features(name, rows), torch.from_numpy(stored['rgb'][rows]).float()
        return Batch(features, rgb, disparity[:, None], low, high, latents)

    def _features(self, name: str, rows: np.ndarray) -> Features:
        return unpack_features(np.load(self.folder / f'{name}.features.npy', mmap_mode='r')[rows])

    def _disparity(self, name: str, rows: np.ndarray) -> Tensor:
        stored = np.load(self.folder / f'{name}.disparity.npy', mmap_mode='r')
        return torch.from_numpy(stored[rows].astype(np.float32))

    def _name(self) -> str:
        if self.drawn % 300 == 0:
            found = (path.name.split('.')[0] for path in self.folder.glob('*[0-9].features.npy'))
            ready = (n for n in found if (self.folder / f'{n}.latents.npz').exists())
            self.names = sorted(n for n in ready if int(n) % HELD_OUT_EVERY)
        self.drawn += 1
        return self.names[self.random.integers(len(self.names))]


def _joined(parts: list[Batch]) -> Batch:
    def together(name: str) -> Tensor:
        return torch.cat([getattr(part, name) for part in parts])

    maps = zip(
        *[(p.features.stride8, p.features.stride16, p.features.stride32) for p in parts],
        strict=True,
    )
    features = Features(*(torch.cat(m) for m in maps))
    names = ('rgb', 'disparity', 'low', 'high', 'latents')
    return Batch(features, *(together(name) for name in names))
