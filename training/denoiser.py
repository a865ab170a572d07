"""
Train what turns noise into depth: python -m training.denoiser --stage images|noise|clips.

Three stages, each starting from the one before it:

images  the conditioner learns to see depth in one image's features (the top of the noise range,
        where only the image can tell the depth);
noise   the UNet learns the noise levels that a few-step sampler visits, on single frames;
clips   its temporal layers join in, and the target becomes a clip's own min-max disparity.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
import logging
import math
from pathlib import Path
import time
from typing import Any

import cv2
from diffusers import UNetSpatioTemporalConditionModel
from diffusers.models.resnet import AlphaBlender, TemporalResnetBlock
from diffusers.models.transformers.transformer_temporal import TemporalBasicTransformerBlock
import numpy as np
import torch
from torch import nn, Tensor
from torch.nn import functional

from depthsync_ros.core.backbone import NoiseRange, Preferences
from depthsync_ros.models.conditioner import Conditioner
from depthsync_ros.models.diffusers_parts import forward_unet, Unet, Vae
from depthsync_ros.models.efficientnet import Features
from depthsync_ros.models.image_encoders import FeatureEncoder
from depthsync_ros.models.load import LatentBackbone
from training.cache import GRID, NOISE_AUGMENTATION, SINGLES_EVERY, unpack_features
from training.networks import (
    CONDITIONER,
    LATENT_CHANNELS,
    new_autoencoder,
    new_conditioner,
    new_unet,
    published_features,
    save,
)
from training.rendered import HELD_OUT_EVERY, load_scene
from training.validate import Clip, mean_score, predict, Predictor, sequence_clips

NOISE_RANGE = (0.002, 80.0)
# Where the five-level sampler's first call stands; this share of the draws goes there.
TOP_SIGMA, TOP_SHARE = 40.0, 0.35
LEAST_TRAINED_SIGMA = 0.05
LARGEST_WEIGHT = 4.0
FAR_FLOOR = 0.1
FEATURE_DROPOUT = 0.2
DECODED_FRAMES = 3
ESTIMATE_WEIGHT = 0.3
SINGLES_IN = 3  # every third step of the last stage is still on single frames
AVERAGE_DECAY = 0.995

logger = logging.getLogger('training.denoiser')


@dataclass(frozen=True, eq=False)
class Batch:
    """
    Cached frames as the networks want them.

    Shapes: rgb (clips * frames, 4, 16, 20); disparity (clips * frames, 32, 40), 1/metres;
        latents (clips, frames, 4, 16, 20), unscaled clean ones.
    """

    features: Features
    rgb: Tensor
    disparity: Tensor
    latents: Tensor


class Shelf:
    """The cached scenes; it looks for new ones now and then."""

    def __init__(self, folder: Path, seed: int, *, needs_latents: bool) -> None:
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.suffix = '.latents.npz' if needs_latents else '.features.npy'
        self.needs_latents = needs_latents
        self.names: list[str] = []
        self.drawn = 0

    def draw_frames(self, scenes: int, frames: int) -> Batch:
        """Draw single frames, a few from each of a few scenes."""
        return self._joined([self._frames(self._name(), frames) for _ in range(scenes)])

    def draw_clip(self) -> Batch:
        """Draw the clips of one camera path: one of 24 frames, or shorter ones."""
        name = self._name()
        stored = np.load(self.folder / f'{name}.latents.npz')
        starts, lengths = stored['starts'], stored['lengths']
        which = int(self.random.integers(len(starts)))
        start, length = int(starts[which]), int(lengths[which])
        offset = int(lengths[:which].sum())
        rows = np.arange(start, start + length)
        latents = torch.from_numpy(stored['clips'][offset : offset + length]).float()
        return self._batch(name, rows, stored['rgb'][rows], latents[None])

    def _frames(self, name: str, count: int) -> Batch:
        total = len(np.load(self.folder / f'{name}.features.npy', mmap_mode='r'))
        picks = self.random.choice(-(-total // SINGLES_EVERY), count, replace=False)
        rows = picks * SINGLES_EVERY
        if not self.needs_latents:
            blank = np.zeros((count, LATENT_CHANNELS, *GRID), np.float16)
            return self._batch(name, rows, blank, torch.from_numpy(blank).float()[:, None])
        stored = np.load(self.folder / f'{name}.latents.npz')
        latents = torch.from_numpy(stored['singles'][picks]).float()[:, None]
        return self._batch(name, rows, stored['rgb'][rows], latents)

    def _batch(self, name: str, rows: np.ndarray, rgb: np.ndarray, latents: Tensor) -> Batch:
        features = np.load(self.folder / f'{name}.features.npy', mmap_mode='r')
        disparity = np.load(self.folder / f'{name}.disparity.npy', mmap_mode='r')
        return Batch(
            unpack_features(features[rows]),
            torch.from_numpy(rgb).float(),
            torch.from_numpy(disparity[rows].astype(np.float32)),
            latents,
        )

    def _name(self) -> str:
        if self.drawn % 500 == 0:
            found = (path.name.split('.')[0] for path in self.folder.glob(f'*{self.suffix}'))
            self.names = sorted(n for n in found if int(n.split('-')[0]) % HELD_OUT_EVERY)
        self.drawn += 1
        return self.names[self.random.integers(len(self.names))]

    @staticmethod
    def _joined(parts: list[Batch]) -> Batch:
        maps = zip(
            *[(p.features.stride8, p.features.stride16, p.features.stride32) for p in parts],
            strict=True,
        )
        return Batch(
            Features(*(torch.cat(m) for m in maps)),
            torch.cat([p.rgb for p in parts]),
            torch.cat([p.disparity for p in parts]),
            torch.cat([p.latents for p in parts]),
        )


def estimate_loss(estimate: Tensor, disparity: Tensor) -> Tensor:
    """
    Compare the conditioner's first channels with each frame's true disparity.

    Half of it is the mean relative error of disparity after the best affine (what AbsRel
    measures), half the error of the frame's min-max disparity itself.

    Shapes: estimate (frames, 4, 16, 20); disparity (frames, 32, 40).
    """
    ours = functional.pixel_shuffle(estimate, 2).flatten(1)
    true = disparity.flatten(1)
    weight = 1.0 / true.square()
    total = weight.sum(1, keepdim=True)
    mean_ours = (weight * ours).sum(1, keepdim=True) / total
    mean_true = (weight * true).sum(1, keepdim=True) / total
    spread = (weight * (ours - mean_ours).square()).sum(1, keepdim=True) / total
    common = (weight * (ours - mean_ours) * (true - mean_true)).sum(1, keepdim=True) / total
    fitted = mean_true + common / (spread + 1e-4) * (ours - mean_ours)
    affine = ((fitted - true).abs() / true).clamp(max=2.0).mean()
    low, high = true.amin(1, keepdim=True), true.amax(1, keepdim=True)
    target = (true - low) / (high - low).clamp(min=1e-6)
    weight = 1.0 / (target + FAR_FLOOR)
    plain = (weight / weight.mean() * (ours - target).abs()).mean()
    return 0.5 * affine + 0.5 * plain


def dropped(features: Features) -> Features:
    """Blank some feature channels of each frame: against learning the few scenes by heart."""
    maps = (features.stride8, features.stride16, features.stride32)
    return Features(*(functional.dropout2d(m, FEATURE_DROPOUT) for m in maps))


def draw_sigmas(count: int) -> Tensor:
    """Draw noise levels: a fixed share at the top, the rest log-uniform below it."""
    top = torch.rand(count) < TOP_SHARE
    low = torch.where(top, math.log(TOP_SIGMA), math.log(LEAST_TRAINED_SIGMA))
    return torch.exp(low + (math.log(NOISE_RANGE[1]) - low) * torch.rand(count))


def denoising_loss(
    unet: nn.Module,
    clean: Tensor,
    given: Tensor,
    tokens: Tensor,
    decode: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """
    Noise clean latents, let the network predict v, and compare the clean sample it implies.

    The weight (sigma^2 + 1) / sigma^2 would make it v's own error; it is capped, because what
    is left below the last sampled level is never seen. Where decode is given, a few frames are
    compared as disparity too: latents do not say how much of depth hangs on an error.

    Shapes: clean (clips, frames, 4, rows, cols); given and tokens as forward_unet wants them.
    """
    sigma = draw_sigmas(len(clean))
    wide = sigma[:, None, None, None, None]
    variance = wide.square() + 1.0
    noisy = clean + wide * torch.randn_like(clean)
    sample = torch.cat([noisy / variance.sqrt(), given], dim=2)
    predicted = forward_unet(unet, sample, sigma.log() / 4.0, tokens, NOISE_AUGMENTATION)
    x0 = noisy / variance - wide / variance.sqrt() * predicted
    weight = (variance / wide.square()).clamp(max=LARGEST_WEIGHT)
    loss = (weight * (x0 - clean).square()).mean()
    if decode is None:
        return loss
    ours, true = x0.flatten(0, 1), clean.flatten(0, 1)
    picks = torch.randperm(len(ours))[:DECODED_FRAMES]
    with torch.no_grad():
        wanted = decode(true[picks])
    return loss + decoded_loss(decode(ours[picks]), wanted)


def decoded_loss(ours: Tensor, wanted: Tensor) -> Tensor:
    """
    Mean error of disparity in [0, 1], weighed by what it does to depth, and of its steps.

    Shapes: (frames, height, width) both.
    """
    weight = 1.0 / (wanted.clamp(0.0, 1.0) + FAR_FLOOR)
    difference = ours - wanted
    steps = difference.diff(dim=1).abs().mean() + difference.diff(dim=2).abs().mean()
    return (weight / weight.mean() * difference.abs()).mean() + steps


class PassThrough(nn.Module):
    """Stands in for a temporal layer while frames are single."""

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        return x


class SpatialOnly(nn.Module):
    """Stands in for the mixer of spatial and temporal results while frames are single."""

    def forward(self, x_spatial: Tensor, **_: Any) -> Tensor:
        return x_spatial


@contextmanager
def frames_alone(unet: nn.Module) -> Iterator[None]:
    """Switch the temporal layers off, which also saves their time."""
    swapped = []
    for parent in unet.modules():
        for name, child in parent.named_children():
            if isinstance(child, TemporalResnetBlock | TemporalBasicTransformerBlock):
                swapped.append((parent, name, child, PassThrough()))
            elif isinstance(child, AlphaBlender):
                swapped.append((parent, name, child, SpatialOnly()))
    for parent, name, _, stand_in in swapped:
        setattr(parent, name, stand_in)
    try:
        yield
    finally:
        for parent, name, child, _ in swapped:
            setattr(parent, name, child)


class Trainer:
    """The networks of one stage, their averages, and how far the stage has come."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.unet, self.conditioner = new_unet(), new_conditioner()
        self.autoencoder = new_autoencoder().requires_grad_(requires_grad=False)
        if arguments.autoencoder:
            known = torch.load(arguments.autoencoder, weights_only=True)
            self.autoencoder.load_state_dict(known['network'])
        self.latent_scale = 1.0
        self.seconds, self.step = 0.0, 0
        checkpoint = arguments.checkpoint
        stored = None
        if checkpoint.exists():
            stored = torch.load(checkpoint, weights_only=True)
        elif arguments.start:
            stored = torch.load(arguments.start, weights_only=True)
            stored['unet'] = stored['unet_average']
            stored['conditioner'] = stored['conditioner_average']
            if arguments.conditioner:
                seen = torch.load(arguments.conditioner, weights_only=True)
                stored['conditioner'] = seen['conditioner_average']
        if stored:
            self.unet.load_state_dict(stored['unet'])
            self.conditioner.load_state_dict(stored['conditioner'])
            self.latent_scale = stored['latent_scale']
        self.averages = deepcopy(self.unet), deepcopy(self.conditioner)
        slow = arguments.stage != 'images'
        self.optimiser = torch.optim.AdamW(
            [
                {'params': list(self.unet.parameters()), 'share': 1.0},
                {'params': list(self.conditioner.parameters()), 'share': 0.3 if slow else 1.0},
            ],
            lr=arguments.rate,
            betas=(0.9, 0.99),
            weight_decay=0.05,
        )
        if checkpoint.exists():
            self.averages[0].load_state_dict(stored['unet_average'])
            self.averages[1].load_state_dict(stored['conditioner_average'])
            self.optimiser.load_state_dict(stored['optimiser'])
            self.seconds, self.step = stored['seconds'], stored['step']

    @property
    def progress(self) -> float:
        """Share of the stage's minutes that are over."""
        return self.seconds / (60.0 * self.arguments.minutes)

    def save(self) -> None:
        save(
            self.arguments.checkpoint,
            {
                'unet': self.unet.state_dict(),
                'conditioner': self.conditioner.state_dict(),
                'unet_average': self.averages[0].state_dict(),
                'conditioner_average': self.averages[1].state_dict(),
                'optimiser': self.optimiser.state_dict(),
                'latent_scale': self.latent_scale,
                'noise_range': NOISE_RANGE,
                'seconds': self.seconds,
                'step': self.step,
            },
        )

    def train_step(self, loss: Tensor) -> None:
        warm = min(1.0, (self.step + 1) / 100)
        rate = self.arguments.rate * warm * (0.02 + 0.98 * _cosine(self.progress))
        for group in self.optimiser.param_groups:
            group['lr'] = rate * group['share']
        self.optimiser.zero_grad()
        loss.backward()
        for group in self.optimiser.param_groups:
            torch.nn.utils.clip_grad_norm_(group['params'], 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(AVERAGE_DECAY, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            for ours, average in zip((self.unet, self.conditioner), self.averages, strict=True):
                for live, kept in zip(ours.parameters(), average.parameters(), strict=True):
                    kept.lerp_(live, 1.0 - decay)

    def loss(self, shelf: Shelf) -> Tensor:
        """Draw a batch for the stage and compute its loss."""
        stage = self.arguments.stage
        if stage == 'images':
            batch = shelf.draw_frames(24, 2)
            channels, _ = self.conditioner(dropped(batch.features), batch.rgb)
            return estimate_loss(channels[:, :4], batch.disparity)
        if stage == 'noise' or self.step % SINGLES_IN == 0:
            batch = shelf.draw_frames(12, 2)
            with frames_alone(self.unet):
                return self._denoising_loss(batch)
        return self._denoising_loss(shelf.draw_clip())

    def _decode(self, latents: Tensor) -> Tensor:
        unscaled = (latents / self.latent_scale).contiguous(memory_format=torch.channels_last)
        return (self.autoencoder.decoder(unscaled).mean(1) + 1.0) / 2.0

    def _denoising_loss(self, batch: Batch) -> Tensor:
        shape = batch.latents.shape[:2]
        channels, tokens = self.conditioner(dropped(batch.features), batch.rgb)
        given = torch.cat([batch.rgb, channels], dim=1).unflatten(0, shape)
        clean = batch.latents * self.latent_scale
        loss = denoising_loss(self.unet, clean, given, tokens.unflatten(0, shape), self._decode)
        return loss + ESTIMATE_WEIGHT * estimate_loss(channels[:, :4], batch.disparity)


def _cosine(progress: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))


def measure_latent_scale(folder: Path) -> float:
    """Find the factor that gives clean depth latents unit deviation."""
    files = sorted(folder.glob('*.latents.npz'))[:60]
    values = np.concatenate([np.load(f)['clips'].ravel()[::7] for f in files])
    return 1.0 / float(values.astype(np.float64).std())


class Monitor:
    """The figures that a progress line shows: held-out rendered scenes, and real video."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        single = arguments.stage == 'images'
        length, count = (1, 12) if single else (24, 3)
        self.sets = {'rendered': _held_out_clips(arguments.scenes, single=single)}
        for folder in arguments.monitor:
            self.sets[folder.name] = sequence_clips(folder, length, count)
        self.features = published_features()
        self.sees_latents = arguments.autoencoder is not None
        self.autoencoder = new_autoencoder().eval().requires_grad_(requires_grad=False)
        if arguments.autoencoder:
            stored = torch.load(arguments.autoencoder, weights_only=True)
            self.autoencoder.load_state_dict(stored['network'])

    def report(self, trainer: Trainer) -> str:
        unet, conditioner = (network.eval() for network in trainer.averages)
        if trainer.arguments.stage == 'images':
            scores = {n: mean_score(c, self._estimator(conditioner)) for n, c in self.sets.items()}
        else:
            backbone = self._backbone(unet, conditioner, trainer.latent_scale)
            alone = trainer.arguments.stage == 'noise'
            sets = {n: _single(c) if alone else c for n, c in self.sets.items()}
            with frames_alone(unet) if alone else torch.no_grad():
                scores = {
                    n: mean_score(c, lambda clip: predict(backbone, clip)) for n, c in sets.items()
                }
        return ', '.join(f'{n} {s.absrel:.4f}/{s.delta1:.3f}' for n, s in scores.items())

    def _estimator(self, conditioner: Conditioner) -> Predictor:
        @torch.no_grad()
        def estimate(clip: Clip) -> np.ndarray:
            small = [cv2.resize(i, (160, 128), interpolation=cv2.INTER_AREA) for i in clip.rgb]
            rgb = torch.from_numpy(np.stack(small).transpose(0, 3, 1, 2) / np.float32(127.5)) - 1
            latents = torch.zeros(len(rgb), LATENT_CHANNELS, *GRID)
            if self.sees_latents:
                latents = self.autoencoder.encoder(rgb)
            channels, _ = conditioner(self.features(rgb), latents)
            return functional.pixel_shuffle(channels[:, :4], 2)[:, 0].numpy()

        return estimate

    def _backbone(
        self, unet: UNetSpatioTemporalConditionModel, conditioner: Conditioner, scale: float
    ) -> LatentBackbone:
        self.autoencoder.register_to_config(scaling_factor=scale)
        encoder = FeatureEncoder(**CONDITIONER)
        encoder.features, encoder.conditioner = self.features, conditioner
        return LatentBackbone(
            'in training',
            torch.device('cpu'),
            Unet(unet, NOISE_AUGMENTATION),
            Vae(self.autoencoder),
            encoder.eval(),
            NoiseRange(*NOISE_RANGE),
            Preferences(24, 8, 160),
        )


def _held_out_clips(folder: Path, *, single: bool) -> list[Clip]:
    paths = sorted(p for p in folder.glob('[0-9]*.npz') if int(p.stem) % HELD_OUT_EVERY == 0)
    clips = []
    for path in paths[:6]:
        scene = load_scene(path)
        for frames in scene.paths:
            picks = [frames.start, frames.start + 12] if single else [frames.start]
            for start in picks:
                stop = start + 1 if single else frames.stop
                clips.append(Clip(scene.rgb[start:stop], 1.0 / scene.disparity[start:stop]))
    return clips


def _single(clips: list[Clip]) -> list[Clip]:
    return [Clip(c.rgb[i : i + 1], c.depth_m[i : i + 1]) for c in clips for i in (0, 12)]


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    trainer = Trainer(arguments)
    seed = arguments.seed + 1000 * trainer.step
    torch.manual_seed(seed)
    # The first stage can begin before there is an autoencoder, blind to RGB latents.
    needs_latents = arguments.autoencoder is not None
    if needs_latents and trainer.latent_scale == 1.0:
        trainer.latent_scale = measure_latent_scale(arguments.cache)
        logger.info('latents are scaled by %.4f', trainer.latent_scale)
    shelf = Shelf(arguments.cache, seed, needs_latents=needs_latents)
    monitor = Monitor(arguments)
    losses: list[float] = []
    reported = before = time.monotonic()
    while trainer.progress < 1.0:
        loss = trainer.loss(shelf)
        trainer.train_step(loss)
        losses.append(loss.item())
        now = time.monotonic()
        trainer.seconds += now - before
        before = now
        if now - reported > 60.0 * arguments.report_minutes or trainer.progress >= 1.0:
            trainer.save()
            pace = (now - reported) / len(losses)
            logger.info(
                'step %d, %.0f s, %.2f s a step, %d scenes, loss %.4f; %s',
                trainer.step,
                trainer.seconds,
                pace,
                len(shelf.names),
                float(np.mean(losses)),
                monitor.report(trainer),
            )
            losses = []
            reported = before = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--stage', choices=('images', 'noise', 'clips'), required=True)
    parser.add_argument('--scenes', type=Path, required=True, help='rendered scenes, to watch')
    parser.add_argument('--cache', type=Path, required=True, help='what training.cache wrote')
    parser.add_argument('--autoencoder', type=Path, help="its checkpoint (not for 'images')")
    parser.add_argument('--checkpoint', type=Path, required=True, help='file to write and resume')
    parser.add_argument('--start', type=Path, help='checkpoint of the stage before')
    parser.add_argument('--conditioner', type=Path, help='take the conditioner from this one')
    parser.add_argument('--monitor', type=Path, nargs='*', default=[], help='sequences to watch')
    parser.add_argument('--minutes', type=float, default=15, help='length of the stage')
    parser.add_argument('--rate', type=float, default=5e-4, help='largest learning rate')
    parser.add_argument('--report-minutes', type=float, default=3, help='between reports')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument('--seed', type=int, default=0, help='seed of weights and draws')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(arguments.threads)
    train(arguments)


if __name__ == '__main__':
    main()
