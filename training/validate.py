"""Score a backbone window by window: python -m training.validate SEQUENCE ... (what it knows)."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
import torch

from depthsync_ros.core.backbone import Backbone
from depthsync_ros.core.denoiser import v_denoiser
from depthsync_ros.core.resolution import network_size, to_network
from depthsync_ros.core.sampler import karras_sigmas, sample_euler
from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.models.load import load_backbone
from training.rendered import MOST_DEPTH_M

Maps: TypeAlias = NDArray[np.float32]
LEAST_DISPARITY = 1e-3

logger = logging.getLogger('training.validate')


@dataclass(frozen=True, eq=False)
class Clip:
    """
    Some frames with their true depth.

    Shapes: rgb (frames, height, width, 3) uint8; depth_m (frames, height, width), NaN unknown.
    """

    rgb: NDArray[np.uint8]
    depth_m: Maps


@dataclass(frozen=True)
class Score:
    """AbsRel and delta1 after one affine fit in disparity for the clip."""

    absrel: float
    delta1: float


Predictor: TypeAlias = Callable[[Clip], Maps]


def read_clip(folder: Path, start: int, length: int) -> Clip:
    """Read frames of a sequence: rgb/%06d.jpg (or .png), depth/%06d.png in millimetres."""
    rgb, depth = [], []
    for path in sorted((folder / 'rgb').iterdir())[start : start + length]:
        rgb.append(cv2.imread(str(path))[..., ::-1])
        stored = cv2.imread(str(folder / 'depth' / f'{path.stem}.png'), cv2.IMREAD_UNCHANGED)
        metres = stored.astype(np.float32) / 1000.0
        depth.append(np.where((metres > 0.0) & (metres <= MOST_DEPTH_M), metres, np.nan))
    return Clip(np.stack(rgb), np.stack(depth).astype(np.float32))


def sequence_clips(folder: Path, length: int, count: int) -> list[Clip]:
    """Read `count` windows spread evenly over a sequence (all that fit, where fewer do)."""
    total = len(list((folder / 'rgb').iterdir()))
    count = min(count, total // length)
    starts = np.linspace(0, total - length, count).round().astype(int)
    return [read_clip(folder, int(start), length) for start in starts]


def predict(backbone: Backbone, clip: Clip, *, steps: int = 5, seed: int = 0) -> Maps:
    """Sample a clip's disparity at the network's own size."""
    height, width = clip.rgb.shape[1:3]
    multiple, side = backbone.size_multiple, backbone.preferences.max_side
    size = network_size(width, height, side, multiple)
    generator = torch.Generator().manual_seed(seed)
    rgb = to_network(list(clip.rgb), size).to(backbone.device)
    noise = torch.randn(rgb.shape, generator=generator).to(backbone.device)
    given = backbone.encode_rgb(rgb, noise)
    sigmas = karras_sigmas(backbone.noise_range, steps)[:-1]  # the last call is skipped
    grid = (size[1] // backbone.pixels_per_latent, size[0] // backbone.pixels_per_latent)
    start = torch.randn((len(rgb), backbone.latent_channels, *grid), generator=generator)
    start = start.to(backbone.device) * sigmas[0]
    with torch.no_grad():
        disparity = backbone.decode(sample_euler(v_denoiser(backbone, given), start, sigmas))
    return disparity.cpu().numpy()


def fit(disparity: Maps, depth_m: Maps) -> Maps:
    """Put a clip's disparity on the truth by one affine; 1/metres, as large as the truth."""
    height, width = depth_m.shape[1:]
    large = np.stack([cv2.resize(d, (width, height)) for d in disparity])
    known = np.isfinite(depth_m)
    x, y = large[known].astype(np.float64), 1.0 / depth_m[known].astype(np.float64)
    design = np.stack([x, np.ones_like(x)], axis=1)
    scale, shift = np.linalg.lstsq(design, y, rcond=None)[0]
    fitted: Maps = (scale * large + shift).astype(np.float32)
    return fitted


def score(disparity: Maps, depth_m: Maps) -> Score:
    """Fit one affine in disparity for the clip and measure depth, frame by frame."""
    fitted = 1.0 / np.maximum(fit(disparity, depth_m), LEAST_DISPARITY)
    depth = np.clip(fitted, None, MOST_DEPTH_M)
    absrel, delta1 = [], []
    for predicted, truth in zip(depth, depth_m, strict=True):
        valid = np.isfinite(truth)
        if not valid.any():
            continue
        ours, true = predicted[valid], truth[valid]
        absrel.append(np.mean(np.abs(ours - true) / true))
        delta1.append(np.mean(np.maximum(ours / true, true / ours) < 1.25))
    return Score(float(np.mean(absrel)), float(np.mean(delta1)))


def mean_score(clips: Sequence[Clip], predictor: Predictor) -> Score:
    scores = [score(predictor(clip), clip.depth_m) for clip in clips]
    return Score(
        float(np.mean([s.absrel for s in scores])), float(np.mean([s.delta1 for s in scores]))
    )


def constant(clip: Clip) -> Maps:
    """Predict the same disparity everywhere: the fit's shift does the rest."""
    return np.zeros((len(clip.rgb), 16, 20), np.float32)


def vertical_ramp(clip: Clip) -> Maps:
    """Predict that what is lower in the image is nearer."""
    ramp = np.linspace(0.0, 1.0, 16, dtype=np.float32)[None, :, None]
    return np.broadcast_to(ramp, (len(clip.rgb), 16, 20)).copy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('sequences', type=Path, nargs='+', help='folders with rgb/ and depth/')
    parser.add_argument('--model', default='embedded', help='model folder')
    parser.add_argument('--windows', type=int, default=5, help='most windows of a sequence')
    parser.add_argument('--length', type=int, default=24, help='frames of a window')
    parser.add_argument('--steps', type=int, default=5, help='noise levels of the sampler')
    parser.add_argument('--seed', type=int, default=0, help='seed of the noise')
    parser.add_argument('--mean-map', type=Path, help='.npy of the mean training disparity')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    logger.setLevel(logging.INFO)
    torch.set_num_threads(arguments.threads)
    _compare(arguments)


def _compare(arguments: argparse.Namespace) -> None:
    backbone = load_backbone(ModelSettings(path=arguments.model))

    def ours(clip: Clip) -> Maps:
        return predict(backbone, clip, steps=arguments.steps, seed=arguments.seed)

    predictors = {'model': ours, 'constant': constant, 'vertical ramp': vertical_ramp}
    if arguments.mean_map:
        mean = np.load(arguments.mean_map)
        predictors['mean training map'] = lambda clip: np.repeat(mean[None], len(clip.rgb), 0)
    clips = [
        clip
        for folder in arguments.sequences
        for clip in sequence_clips(folder, arguments.length, arguments.windows)
    ]
    logger.info('%d windows of %d frames', len(clips), arguments.length)
    for name, predictor in predictors.items():
        result = mean_score(clips, predictor)
        logger.info('%-18s AbsRel %.4f  delta1 %.4f', name, result.absrel, result.delta1)


if __name__ == '__main__':
    main()
