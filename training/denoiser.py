"""
Train what turns noise into depth: python -m training.denoiser.

The UNet learns, on clips, the noise levels that a few-step sampler visits; every third or so step
is on single frames, which vary more. What training.images has taught stays as it is, but for the
conditioner's free channels and tokens. The target is a clip's plain min-max disparity.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
import logging
from pathlib import Path
from typing import Any

from diffusers import UNetSpatioTemporalConditionModel
from diffusers.models.resnet import AlphaBlender, TemporalResnetBlock
from diffusers.models.transformers.transformer_temporal import TemporalBasicTransformerBlock
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor

from depthsync_ros.core.backbone import NoiseRange, Preferences
from depthsync_ros.models.conditioner import Conditioner
from depthsync_ros.models.diffusers_parts import forward_unet, Unet, Vae
from depthsync_ros.models.image_encoders import FeatureEncoder
from depthsync_ros.models.load import LatentBackbone
from training.cache import NOISE_AUGMENTATION
from training.fitting import add_fitting_options, Fit, fit_for_minutes, prepare, Share
from training.losses import (
    affine_error,
    clean_loss,
    clip_loss,
    draw_sigmas,
    NOISE_RANGE,
)
from training.networks import (
    CONDITIONER,
    half_precision,
    new_autoencoder,
    new_conditioner,
    new_unet,
    Peek,
    published_features,
)
from training.rendered import load_scene, scene_files, scored_depth
from training.shelf import Batch, Shelf
from training.start import exported_latent_scale, exported_weights
from training.validate import Clip, mean_score, predict, sequence_clips

AFFINE_WEIGHT, CLIP_WEIGHT = 1.0, 0.5
SINGLES_EARLY, SINGLES_LATE = 0.6, 0.25  # share of steps on single frames
EARLY = 0.15  # of the training
WARM_UP = 200  # steps
KNOWN_SHARE = 0.3  # of the steps on the network's own belief, with a known beginning

logger = logging.getLogger('training.denoiser')


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


def implied_clean(
    unet: nn.Module, noisy: Tensor, sigma: Tensor, given: Tensor, tokens: Tensor
) -> Tensor:
    """
    Let the network predict v, and give the clean sample that this implies.

    Shapes: noisy (clips, frames, channels, rows, cols); sigma (clips,).
    """
    wide = sigma[:, None, None, None, None]
    variance = wide.square() + 1.0
    sample = torch.cat([noisy / variance.sqrt(), given], dim=2)
    predicted = forward_unet(unet, sample, sigma.log() / 4.0, tokens, NOISE_AUGMENTATION)
    return noisy / variance - wide / variance.sqrt() * predicted.float()


@torch.no_grad()
def own_belief(unet: nn.Module, clean: Tensor, given: Tensor, tokens: Tensor) -> Tensor:
    """
    Give what the sampler believes after its first step: the network's own answer to plain noise.

    Training on it besides the truth, with the truth as target, teaches the network not to take
    its own errors for knowledge, so that more steps do no harm. Sometimes the clip's beginning is
    known, as a window's overlap is.

    Shapes: as in implied_clean.
    """
    top = NOISE_RANGE[1]
    start = top * torch.randn_like(clean)
    believed = implied_clean(unet, start, torch.full((len(clean),), top), given, tokens)
    if float(torch.rand(())) < KNOWN_SHARE:
        known = clean.shape[1] // 3
        believed[:, :known] = clean[:, :known]
    return believed


def free_parts(conditioner: Conditioner) -> list[nn.Parameter]:
    """
    Let the channels and tokens learn that the UNet alone gives a meaning, and nothing else.

    What tells depth has seen many more pictures; tuned on the cached scenes it learns these by
    heart, and held-out depth gets worse.
    """
    conditioner.requires_grad_(requires_grad=False)
    free = [*conditioner.free.parameters(), *conditioner.token.parameters()]
    for parameter in free:
        parameter.requires_grad_(requires_grad=True)
    return free


class Trainer:
    """The networks that learn, and what stays as it is."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        unet, conditioner = new_unet(), new_conditioner()
        self.peek = Peek().requires_grad_(requires_grad=False)
        self.peek.load_state_dict(torch.load(arguments.autoencoder, weights_only=True)['peek'])
        images = torch.load(arguments.images, weights_only=True)
        self.features = images['features']
        conditioner.load_state_dict(images['conditioner'])
        if arguments.start:
            unet.load_state_dict(exported_weights(arguments.start, 'unet'))
        shares = Share(list(unet.parameters())), Share(free_parts(conditioner))
        self.fit = Fit({'unet': unet, 'conditioner': conditioner}, shares, arguments, WARM_UP)
        self.own_share = arguments.own_share
        self.latent_scale = self._latent_scale(arguments)

    def _latent_scale(self, arguments: argparse.Namespace) -> float:
        if self.fit.stored:
            return float(self.fit.stored['latent_scale'])
        if arguments.start:
            return exported_latent_scale(arguments.start)
        found = measure_latent_scale(arguments.cache)
        logger.info('latents are scaled by %.4f', found)
        return found

    def save(self) -> None:
        """Keep everything that training.export and a later run want."""
        self.fit.save(
            features=self.features, latent_scale=self.latent_scale, noise_range=NOISE_RANGE
        )

    def train_step(self, shelf: Shelf) -> float:
        alone = SINGLES_EARLY if self.fit.progress < EARLY else SINGLES_LATE
        single = shelf.random.random() < alone
        batch = shelf.draw_frames(12, 2) if single else shelf.draw_clip()
        with frames_alone(self.fit.networks['unet']) if single else nullcontext():
            loss = self._loss(batch)
        return self.fit.learn(loss)

    def _loss(self, batch: Batch) -> Tensor:
        unet, conditioner = self.fit.networks.values()
        shape = batch.latents.shape[:2]
        clean, sigma = batch.latents * self.latent_scale, draw_sigmas(shape[0])
        with half_precision():
            channels, tokens = conditioner(batch.features)
            given = torch.cat([batch.rgb, channels], dim=1).unflatten(0, shape)
            tokens = tokens.unflatten(0, shape)
            believed = clean
            if float(torch.rand(())) < self.own_share:
                believed = own_belief(unet, clean, given, tokens)
            noisy = believed + sigma[:, None, None, None, None] * torch.randn_like(clean)
            ours = implied_clean(unet, noisy, sigma, given, tokens)
            decoded = self.peek((ours / self.latent_scale).flatten(0, 1))[:, 0]
        decoded = decoded.float().unflatten(0, shape)
        return (
            clean_loss(ours, clean, sigma)
            + AFFINE_WEIGHT * affine_error(decoded, batch.disparity)
            + CLIP_WEIGHT * clip_loss(decoded, batch.normalised())
        )


def measure_latent_scale(folder: Path) -> float:
    """Find the factor that gives clean depth latents unit deviation."""
    files = sorted(folder.glob('*[0-9].latents.npz'))[:60]
    values = np.concatenate([np.load(f)['clips'].ravel()[::7] for f in files])
    return 1.0 / float(values.astype(np.float64).std())


class Monitor:
    """The figures that a progress line shows: held-out rendered scenes, and real video."""

    def __init__(self, arguments: argparse.Namespace, features: dict[str, Tensor]) -> None:
        self.sets = {'rendered': held_out_clips(arguments.scenes)}
        self.sets |= {folder.name: sequence_clips(folder, 24, 2) for folder in arguments.monitor}
        self.features = published_features()
        self.features.load_state_dict(features)
        self.autoencoder = new_autoencoder().eval().requires_grad_(requires_grad=False)
        stored = torch.load(arguments.autoencoder, weights_only=True)
        self.autoencoder.load_state_dict(stored['network'])

    def report(self, trainer: Trainer, steps: int = 5) -> str:
        unet, conditioner = (network.eval() for network in trainer.fit.averages.values())
        backbone = self._backbone(unet, conditioner, trainer.latent_scale)

        def predictor(clip: Clip) -> NDArray[np.float32]:
            with half_precision():
                found: NDArray[np.float32] = predict(backbone, clip, steps=steps)
            return found

        scores = {name: mean_score(clips, predictor) for name, clips in self.sets.items()}
        return ', '.join(f'{n} {s.absrel:.4f}/{s.delta1:.3f}' for n, s in scores.items())

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
            Preferences(24, 8, 256),
        )


def held_out_clips(folder: Path) -> list[Clip]:
    clips = []
    for path in scene_files(folder, held_out=True)[:6]:
        scene = load_scene(path)
        frames = slice(scene.paths[0].start, scene.paths[0].stop)
        clips.append(Clip(scene.rgb[frames], scored_depth(scene, frames)))
    return clips


def train(arguments: argparse.Namespace) -> None:
    trainer = Trainer(arguments)
    fit = trainer.fit
    torch.manual_seed(arguments.seed + 1000 * fit.step)
    shelf = Shelf(arguments.cache, arguments.seed + 1000 * fit.step)
    monitor = Monitor(arguments, trainer.features)

    def report() -> str:
        return f'{len(shelf.names)} scenes; {monitor.report(trainer)}'

    fit_for_minutes(fit, lambda: trainer.train_step(shelf), trainer.save, report)
    logger.info('with 25 steps: %s', monitor.report(trainer, steps=25))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--scenes', type=Path, required=True, help='rendered scenes, to watch')
    parser.add_argument('--cache', type=Path, required=True, help='what training.cache wrote')
    parser.add_argument('--autoencoder', type=Path, required=True, help='its checkpoint')
    parser.add_argument('--images', type=Path, required=True, help="training.images' checkpoint")
    parser.add_argument('--start', type=Path, help='exported model whose UNet to go on from')
    parser.add_argument(
        '--own-share', type=float, default=0.0, help="of steps, on the network's own belief [0]"
    )
    add_fitting_options(parser, minutes=50, rate=6e-4)
    arguments = parser.parse_args()
    prepare(arguments)
    train(arguments)


if __name__ == '__main__':
    main()
