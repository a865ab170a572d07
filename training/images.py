"""
Teach the image encoder to see depth in one image: python -m training.images.

The conditioner is trained from nothing, the deeper stages of the ImageNet network are tuned with
it, gently. Every picture is cropped, mirrored and recoloured anew each time it is drawn.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn import functional

from depthsync_ros.models.conditioner import Conditioner, estimate_of
from depthsync_ros.models.efficientnet import FeatureNet, Features, InvertedResidual
from training.fitting import add_fitting_options, Fit, fit_for_minutes, prepare, Share
from training.losses import estimate_loss
from training.networks import half_precision, new_conditioner, PEEK, published_features
from training.rendered import load_scene, Scene, scene_files, scored_depth
from training.start import start_image_networks
from training.validate import Clip, mean_score, Predictor, sequence_clips

FRAMES = 24  # a step
SCENES_IN_MEMORY, NEW_SCENES = 120, 2
STILL_SHARE = 0.7
MOST_ZOOM = 1.6
FEATURE_DROPOUT = 0.1
FIRST_TUNED_STAGE, TUNED_SHARE = 3, 0.1
WARM_UP = 100  # steps
BRANCH_START, DEPTHWISE_START = 0.25, 0.7  # of random weights, where branches add up


@dataclass(frozen=True, eq=False)
class Pictures:
    """Shapes: rgb (frames, 3, 192, 256) in [-1, 1]; disparity (frames, 48, 64)."""

    rgb: Tensor
    disparity: Tensor


class Album:
    """Some scenes in memory, exchanged little by little for others."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.files: list[Path] = []
        self.scenes: list[Scene] = []
        self.drawn = 0

    def draw(self) -> Pictures:
        if self.drawn % 100 == 0:
            self.files = scene_files(self.folder)
        self.drawn += 1
        for _ in range(NEW_SCENES if self.scenes else 20):
            self.scenes.append(load_scene(self.files[self.random.integers(len(self.files))]))
        self.scenes = self.scenes[-SCENES_IN_MEMORY:]
        pairs = [self._picture() for _ in range(FRAMES)]
        rgb = torch.from_numpy(np.stack([rgb for rgb, _ in pairs])).permute(0, 3, 1, 2)
        rgb = rgb.float().contiguous(memory_format=torch.channels_last)
        return Pictures(rgb / 127.5 - 1.0, torch.from_numpy(np.stack([d for _, d in pairs])))

    def _picture(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        scene = self.scenes[self.random.integers(len(self.scenes))]
        stills = [path.start for path in scene.paths if len(path) == 1]
        frame = self.random.integers(len(scene.rgb))
        if stills and self.random.random() < STILL_SHARE:
            frame = stills[self.random.integers(len(stills))]
        rgb, disparity = scene.rgb[frame], scene.disparity[frame] * scene.focal[frame]
        rgb, disparity = self._cropped(rgb, disparity)
        if self.random.random() < 0.5:
            rgb, disparity = rgb[:, ::-1], disparity[:, ::-1]
        return recoloured(rgb, self.random), np.ascontiguousarray(disparity)

    def _cropped(
        self, rgb: NDArray[np.uint8], disparity: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        height, width = rgb.shape[:2]
        zoom = self.random.uniform(1.0, MOST_ZOOM) if self.random.random() < 0.7 else 1.0
        rows, cols = round(height / zoom), round(width / zoom)
        top = self.random.integers(height - rows + 1)
        left = self.random.integers(width - cols + 1)
        cut = np.s_[top : top + rows, left : left + cols]
        small = (width // PEEK, height // PEEK)
        coarse = cv2.resize(disparity[cut], small, interpolation=cv2.INTER_AREA)
        if zoom > 1.0:
            rgb = cv2.resize(rgb[cut], (width, height), interpolation=cv2.INTER_LINEAR)
        return rgb, coarse * np.float32(zoom)  # a longer lens brings things nearer


def recoloured(rgb: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Show a picture in other light: gamma, a gain for each colour, saturation."""
    gamma, saturation = np.exp(random.normal(0.0, 0.25)), random.uniform(0.3, 1.2)
    gain = np.exp(random.normal(0.0, 0.15) + random.normal(0.0, 0.08, 3))
    ramp = (np.arange(256) / 255.0) ** gamma
    table = np.clip(255.0 * ramp[:, None] * gain, 0, 255).astype(np.uint8)[None]
    rgb = cv2.LUT(np.ascontiguousarray(rgb), np.ascontiguousarray(table))
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    mixed: NDArray[np.uint8] = cv2.addWeighted(rgb, saturation, grey, 1.0 - saturation, 0.0)
    return mixed


def dropped(features: Features) -> Features:
    """Blank some feature channels of each frame: against learning the scenes by heart."""
    maps = (features.stride8, features.stride16, features.stride32)
    return Features(*(functional.dropout2d(m, FEATURE_DROPOUT) for m in maps))


def estimator(features: FeatureNet, conditioner: Conditioner) -> Predictor:
    """Predict a clip's disparity with the conditioner alone, frame by frame."""

    @torch.no_grad()
    def estimate(clip: Clip) -> NDArray[np.float32]:
        small = [cv2.resize(i, (256, 192), interpolation=cv2.INTER_AREA) for i in clip.rgb]
        rgb = torch.from_numpy(np.stack(small).transpose(0, 3, 1, 2) / np.float32(127.5)) - 1
        with half_precision():
            channels, _ = conditioner(features(rgb.contiguous(memory_format=torch.channels_last)))
        found: NDArray[np.float32] = estimate_of(channels).float().numpy()
        return found

    return estimate


def held_out_stills(folder: Path) -> list[Clip]:
    clips = []
    for path in scene_files(folder, held_out=True)[:8]:
        scene = load_scene(path)
        for start in (0, 12, *(p.start for p in scene.paths if len(p) == 1)):
            frame = slice(start, start + 1)
            clips.append(Clip(scene.rgb[frame], scored_depth(scene, frame)))
    return clips


def learning(parts: nn.Module) -> None:
    """Let convolutions learn, but for depthwise ones: their gradients would take all the time."""
    for module in parts.modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            module.requires_grad_(requires_grad=True)


def forget(features: FeatureNet) -> None:
    """
    Put random weights into the network: to see what ImageNet's bring.

    It has no normalisation of its own, so that branches have to start small: with Kaiming's
    weights throughout it learned nothing in 475 steps.

    Source: Zhang et al. 2019 (arXiv:1901.09321), of whose rules this is a plain form.
    """
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_in', nonlinearity='relu')
            nn.init.zeros_(module.bias)
    for block in features.modules():
        if isinstance(block, InvertedResidual):
            block.depthwise.weight.data.mul_(DEPTHWISE_START)
            if block.residual:
                block.project.weight.data.mul_(BRANCH_START)


def fit_images(arguments: argparse.Namespace) -> Fit:
    """Make the image encoder, or what a model or checkpoint has of it, ready to learn."""
    features, conditioner = published_features(), new_conditioner()
    if arguments.start:
        start_image_networks(arguments.start, features, conditioner)
    if arguments.without_imagenet:
        forget(features)
    learning(features if arguments.without_imagenet else features.stages[FIRST_TUNED_STAGE:])
    tuned = [p for p in features.parameters() if p.requires_grad]
    shares = (
        Share(tuned, 1.0 if arguments.without_imagenet else TUNED_SHARE),
        Share(list(conditioner.parameters())),
    )
    return Fit({'features': features, 'conditioner': conditioner}, shares, arguments, WARM_UP)


def loss_of(fit: Fit, pictures: Pictures) -> Tensor:
    features, conditioner = fit.networks.values()
    with half_precision():
        channels, _ = conditioner(dropped(features(pictures.rgb)))
    ours = estimate_of(channels.float())
    return estimate_loss(ours[:, None], pictures.disparity[:, None])


def train(arguments: argparse.Namespace) -> None:
    fit = fit_images(arguments)
    torch.manual_seed(arguments.seed + 1000 * fit.step)
    album = Album(arguments.scenes, arguments.seed + 1000 * fit.step)
    watched = {'rendered': held_out_stills(arguments.scenes)}
    watched |= {folder.name: sequence_clips(folder, 1, 12) for folder in arguments.monitor}

    def report() -> str:
        predictor = estimator(*fit.averages.values())
        scores = {name: mean_score(clips, predictor) for name, clips in watched.items()}
        text = ', '.join(f'{n} {s.absrel:.4f}/{s.delta1:.3f}' for n, s in scores.items())
        return f'{len(album.files)} scenes; {text}'

    fit_for_minutes(fit, lambda: fit.learn(loss_of(fit, album.draw())), fit.save, report)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--scenes', type=Path, required=True, help='folder of rendered scenes')
    parser.add_argument('--start', type=Path, help='exported model to go on from')
    parser.add_argument(
        '--without-imagenet', action='store_true', help='from random weights, to compare'
    )
    add_fitting_options(parser, minutes=25, rate=1e-3)
    arguments = parser.parse_args()
    prepare(arguments)
    train(arguments)


if __name__ == '__main__':
    main()
