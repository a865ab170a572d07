"""
Teach the image encoder to see depth in one image: python -m training.images.

The conditioner is trained from nothing, the deeper stages of the ImageNet network are tuned with
it, gently. Every picture is cropped, mirrored and recoloured anew each time it is drawn.
"""

import argparse
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
import logging
from pathlib import Path
import time

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn import functional

from depthsync_ros.models.conditioner import Conditioner, estimate_of
from depthsync_ros.models.efficientnet import FeatureNet, Features
from training.losses import cosine, estimate_loss
from training.networks import half_precision, new_conditioner, PEEK, published_features, save
from training.rendered import load_scene, Scene, scene_files, scored_depth
from training.start import start_image_networks
from training.validate import Clip, mean_score, Predictor, sequence_clips

FRAMES = 24  # a step
SCENES_IN_MEMORY, NEW_SCENES = 120, 2
STILL_SHARE = 0.7
MOST_ZOOM = 1.6
FEATURE_DROPOUT = 0.1
FIRST_TUNED_STAGE, TUNED_SHARE = 3, 0.1
AVERAGE_DECAY = 0.995

logger = logging.getLogger('training.images')


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


def follow(averages: Iterable[nn.Module], networks: Iterable[nn.Module], step: int) -> None:
    """Move running averages a little towards the networks."""
    decay = min(AVERAGE_DECAY, (1.0 + step) / (10.0 + step))
    with torch.no_grad():
        for kept, live in zip(averages, networks, strict=True):
            for old, new in zip(kept.parameters(), live.parameters(), strict=True):
                old.lerp_(new, 1.0 - decay)


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


def tune_deeper_stages(features: FeatureNet) -> None:
    """Let the 1x1 convolutions of the deeper stages learn, the rest stay as it is."""
    for module in features.stages[FIRST_TUNED_STAGE:].modules():
        # Gradients of depthwise weights would take most of a step's time.
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            module.requires_grad_(requires_grad=True)


def forget(features: FeatureNet) -> None:
    """Start from random weights, and let all of them learn: to see what ImageNet brings."""
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_in', nonlinearity='relu')
            nn.init.zeros_(module.bias)
    features.requires_grad_(requires_grad=True)


class Trainer:
    """The image encoder, its average, and how far it has come."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.networks = [published_features(), new_conditioner()]
        if arguments.start:
            start_image_networks(arguments.start, *self.networks)
        if arguments.without_imagenet:
            forget(self.networks[0])
        else:
            tune_deeper_stages(self.networks[0])
        tuned = [p for p in self.networks[0].parameters() if p.requires_grad]
        self.averages = deepcopy(self.networks)
        self.optimiser = torch.optim.AdamW(
            [
                {'params': tuned, 'share': 1.0 if arguments.without_imagenet else TUNED_SHARE},
                {'params': list(self.networks[1].parameters()), 'share': 1.0},
            ],
            lr=arguments.rate,
            betas=(0.9, 0.99),
            weight_decay=0.02,
            fused=True,  # several times as fast where layouts differ
        )
        self.seconds, self.step = 0.0, 0
        if arguments.checkpoint.exists():
            stored = torch.load(arguments.checkpoint, weights_only=True)
            names = ('features', 'conditioner')
            for name, live, kept in zip(names, self.networks, self.averages, strict=True):
                live.load_state_dict(stored[f'{name}_live'])
                kept.load_state_dict(stored[name])
            self.optimiser.load_state_dict(stored['optimiser'])
            self.seconds, self.step = stored['seconds'], stored['step']

    @property
    def progress(self) -> float:
        """Share of the stage's minutes that are over."""
        return self.seconds / (60.0 * self.arguments.minutes)

    def train_step(self, pictures: Pictures) -> float:
        rate = self.arguments.rate * min(1.0, (self.step + 1) / 100)
        rate *= 0.02 + 0.98 * cosine(self.progress)
        for group in self.optimiser.param_groups:
            group['lr'] = rate * group['share']
        features, conditioner = self.networks
        with half_precision():
            channels, _ = conditioner(dropped(features(pictures.rgb)))
        ours = estimate_of(channels.float())
        loss = estimate_loss(ours[:, None], pictures.disparity[:, None])
        self.optimiser.zero_grad()
        loss.backward()
        for group in self.optimiser.param_groups:
            nn.utils.clip_grad_norm_(group['params'], 1.0)
        self.optimiser.step()
        self.step += 1
        follow(self.averages, self.networks, self.step)
        return loss.item()

    def save(self) -> None:
        record = {'optimiser': self.optimiser.state_dict()}
        for name, live, kept in zip(
            ('features', 'conditioner'), self.networks, self.averages, strict=True
        ):
            record |= {name: kept.state_dict(), f'{name}_live': live.state_dict()}
        save(self.arguments.checkpoint, {**record, 'seconds': self.seconds, 'step': self.step})


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    trainer = Trainer(arguments)
    torch.manual_seed(arguments.seed + 1000 * trainer.step)
    album = Album(arguments.scenes, arguments.seed + 1000 * trainer.step)
    watched = {'rendered': held_out_stills(arguments.scenes)}
    watched |= {folder.name: sequence_clips(folder, 1, 12) for folder in arguments.monitor}
    losses: list[float] = []
    reported = before = time.monotonic()
    while trainer.progress < 1.0:
        losses.append(trainer.train_step(album.draw()))
        now = time.monotonic()
        trainer.seconds, before = trainer.seconds + now - before, now
        if now - reported > 60.0 * arguments.report_minutes or trainer.progress >= 1.0:
            trainer.save()
            predictor = estimator(*trainer.averages)
            scores = {name: mean_score(clips, predictor) for name, clips in watched.items()}
            text = ', '.join(f'{n} {s.absrel:.4f}/{s.delta1:.3f}' for n, s in scores.items())
            logger.info(
                'step %d, %.0f s, %.2f s a step, %d scenes, loss %.4f; %s',
                trainer.step,
                trainer.seconds,
                (now - reported) / len(losses),
                len(album.files),
                float(np.mean(losses)),
                text,
            )
            losses = []
            reported = before = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--scenes', type=Path, required=True, help='folder of rendered scenes')
    parser.add_argument('--checkpoint', type=Path, required=True, help='file to write and resume')
    parser.add_argument('--start', type=Path, help='exported model to go on from')
    parser.add_argument(
        '--without-imagenet', action='store_true', help='from random weights, to compare'
    )
    parser.add_argument('--monitor', type=Path, nargs='*', default=[], help='sequences to watch')
    parser.add_argument('--minutes', type=float, default=25, help='length of the stage')
    parser.add_argument('--rate', type=float, default=1e-3, help='largest learning rate')
    parser.add_argument('--report-minutes', type=float, default=3, help='between reports')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument('--seed', type=int, default=0, help='seed of weights and draws')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    train(arguments)


if __name__ == '__main__':
    main()
