"""Reading the rendered scenes: training/scenes writes them, one .npz a scene."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MOST_DEPTH_M = 10.0
HELD_OUT_EVERY = 20  # scenes whose number it divides are never trained on, only watched


@dataclass(frozen=True, eq=False)
class Scene:
    """
    One rendered scene: some camera paths behind one another, stills among them.

    Shapes: rgb (frames, height, width, 3) uint8; disparity (frames, height, width) float32;
        focal (frames,); paths are ranges of frames.
    Units: disparity in 1/metres; focal lengths in image widths.
    """

    rgb: NDArray[np.uint8]
    disparity: NDArray[np.float32]
    focal: NDArray[np.float32]
    paths: tuple[range, ...]


def load_scene(path: Path) -> Scene:
    with np.load(path) as stored:
        depth = stored['depth'].astype(np.float32)
        starts = [int(start) for start in stored['starts']]
        rgb = stored['rgb']
        focal = stored['intrinsics'][:, 0].astype(np.float32) / rgb.shape[2]
    bounds = [*starts, len(rgb)] if starts[-1] < len(rgb) else starts
    paths = tuple(range(a, b) for a, b in pairwise(bounds))
    focal = np.repeat(focal, [len(path) for path in paths])  # one a path is stored
    return Scene(rgb, 1.0 / np.clip(depth, 0.05, 100.0), focal, paths)


def scored_depth(scene: Scene, frames: slice) -> NDArray[np.float32]:
    """Depth in metres, NaN where it is beyond what is scored."""
    depth: NDArray[np.float32] = 1.0 / scene.disparity[frames]
    return np.where(depth <= MOST_DEPTH_M, depth, np.float32(np.nan))


def scene_files(folder: Path, *, held_out: bool = False) -> list[Path]:
    """List finished scenes; their writer renames a file into place when it is whole."""
    return [
        path
        for path in sorted(folder.glob('[0-9]*.npz'))
        if (int(path.stem) % HELD_OUT_EVERY == 0) == held_out
    ]


def normalised(disparity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map a clip's disparity to [0, 1] by its own least and largest value."""
    low, high = float(disparity.min()), float(disparity.max())
    return (disparity - low) / max(high - low, 1e-6)
