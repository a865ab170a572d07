"""Average the training clips' min-max disparity, for a trivial predictor: training.mean_map."""

import argparse
from pathlib import Path

import numpy as np

from training.rendered import load_scene, normalised, scene_files

CELL = 4  # pixels averaged on each side: 192x256 becomes 48x64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--scenes', type=Path, required=True, help='folder of rendered scenes')
    parser.add_argument('--out', type=Path, required=True, help='.npy to write')
    arguments = parser.parse_args()
    maps = []
    for path in scene_files(arguments.scenes):
        scene = load_scene(path)
        for frames in (path for path in scene.paths if len(path) > 1):
            clip = normalised(scene.disparity[frames.start : frames.stop]).mean(0)
            rows, cols = (size // CELL for size in clip.shape)
            maps.append(clip.reshape(rows, CELL, cols, CELL).mean((1, 3)))
    np.save(arguments.out, np.mean(maps, axis=0).astype(np.float32))


if __name__ == '__main__':
    main()
