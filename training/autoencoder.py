"""Train the autoencoder that carries RGB and disparity: python -m training.autoencoder."""

import argparse
import logging
import math
from pathlib import Path
import time

from diffusers import AutoencoderTiny
import numpy as np
import torch
from torch import nn, Tensor
from torch.nn import functional

from training.networks import half_precision, new_autoencoder, PEEK, Peek, save
from training.rendered import load_scene, normalised, Scene, scene_files
from training.start import exported_weights

CROP = (96, 128)
RGB_CROPS, DISPARITY_CROPS = 3, 12
SCENES_IN_MEMORY = 40
# A far wall's depth error is its disparity error over its own small disparity: weigh it so.
FAR_FLOOR = 0.06
LATENT_NOISE = 0.2  # largest deviation of the noise the decoder must bear

logger = logging.getLogger('training.autoencoder')


class Crops:
    """Random crops of the scenes rendered so far; new scenes are picked up as they come."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.scenes: list[Scene] = []

    def draw(self) -> tuple[Tensor, Tensor]:
        """
        Give one batch of RGB crops and one of disparity crops, both in [-1, 1].

        Shapes: (crops, 3, rows, cols); the disparity's three channels are equal.
        """
        if len(self.scenes) < SCENES_IN_MEMORY or self.random.random() < 0.25:
            files = scene_files(self.folder)
            self.scenes.append(load_scene(files[self.random.integers(len(files))]))
            self.scenes = self.scenes[-SCENES_IN_MEMORY:]
        rgb = np.stack([self._rgb() for _ in range(RGB_CROPS)])
        disparity = np.stack([self._disparity() for _ in range(DISPARITY_CROPS)])
        return (
            _channels_first(torch.from_numpy(rgb).float() / 127.5 - 1.0),
            _channels_first(torch.from_numpy(disparity)[..., None].expand(-1, -1, -1, 3) * 2 - 1),
        )

    def _rgb(self) -> np.ndarray:
        scene = self.scenes[self.random.integers(len(self.scenes))]
        return self._crop(scene.rgb[self.random.integers(len(scene.rgb))])

    def _disparity(self) -> np.ndarray:
        scene = self.scenes[self.random.integers(len(self.scenes))]
        path = scene.paths[self.random.integers(len(scene.paths))]
        frames = scene.disparity[path.start : path.stop : 4]
        pick = self.random.integers(len(frames))
        if self.random.random() < 0.3:
            return self._crop(normalised(frames[pick]))
        return self._crop(normalised(frames)[pick])

    def _crop(self, image: np.ndarray) -> np.ndarray:
        row = self.random.integers(image.shape[0] - CROP[0] + 1)
        col = self.random.integers(image.shape[1] - CROP[1] + 1)
        image = image[row : row + CROP[0], col : col + CROP[1]]
        return image[:, ::-1] if self.random.random() < 0.5 else image


def _channels_first(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def losses(network: AutoencoderTiny, peek: Peek, rgb: Tensor, disparity: Tensor) -> Tensor:
    """
    Mean reconstruction error, the disparity's weighed by what it does to depth.

    The latents are blurred by noise so that nearby latents decode to nearby pictures, which is
    what a denoiser's small errors need, and held near unit size.
    """
    with half_precision():
        latents = network.encoder(torch.cat([rgb, disparity])).float()
        noise = LATENT_NOISE * torch.rand(len(latents), 1, 1, 1)
        latents_seen = latents + noise * torch.randn_like(latents)
        decoded = network.decoder(latents_seen).float()
        coarse = peek(latents_seen[len(rgb) :]).float()[:, 0]
    of_rgb, of_disparity = decoded[: len(rgb)], decoded[len(rgb) :]
    difference = of_disparity - disparity
    steps = difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
    plain = (disparity[:, 0] + 1.0) / 2.0
    coarse_truth = functional.avg_pool2d(plain, PEEK)
    return (
        (_far_weight(plain)[:, None] * difference.abs()).mean()
        + 0.5 * steps
        + (_far_weight(coarse_truth) * (coarse - coarse_truth).abs()).mean()
        + 0.3 * functional.l1_loss(of_rgb, rgb)
        + 0.01 * (latents.square().mean() - 1.0).clamp(min=0.0)
    )


def peek_loss(network: AutoencoderTiny, peek: Peek, disparity: Tensor) -> Tensor:
    """Mean error of the peek alone, where the autoencoder is kept; see losses."""
    with torch.no_grad():
        latents = network.encoder(disparity).float()
        latents += LATENT_NOISE * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)
    coarse = peek(latents)[:, 0]
    truth = functional.avg_pool2d((disparity[:, 0] + 1.0) / 2.0, PEEK)
    return (_far_weight(truth) * (coarse - truth).abs()).mean()


def _far_weight(disparity: Tensor) -> Tensor:
    weight = 1.0 / (disparity + FAR_FLOOR)
    return weight / weight.mean()


@torch.no_grad()
def validate(network: AutoencoderTiny, peek: Peek, folder: Path) -> str:
    """Measure whole held-out frames: disparity error of its range, and relative error of depth."""
    files = scene_files(folder, held_out=True)[:8]
    rows = []
    for file in files:
        scene = load_scene(file)
        path = scene.paths[0]
        metric = scene.disparity[path.start : path.stop : 8]
        clip, span = torch.from_numpy(normalised(metric)), float(metric.max() - metric.min())
        latents = network.encoder(_channels_first(clip[..., None].expand(-1, -1, -1, 3) * 2 - 1))
        decoded = (network.decoder(latents).mean(1) + 1.0) / 2.0
        error, truth = (decoded - clip).abs(), torch.from_numpy(metric)
        coarse = (peek(latents)[:, 0] - functional.avg_pool2d(clip, PEEK)).abs()
        rgb = _channels_first(torch.from_numpy(scene.rgb[path.start : path.stop : 8]).float())
        rgb = rgb / 127.5 - 1.0
        colour = (network.decoder(network.encoder(rgb)) - rgb).abs() / 2.0
        relative = error * span / truth
        coarse_relative = coarse * span / functional.avg_pool2d(truth, PEEK)
        values = (error, relative, coarse_relative, colour)
        rows.append([*(float(v.mean()) for v in values), float(latents.std())])
    mean = np.mean(rows, axis=0)
    return (
        f'held-out frames of {len(files)} scenes: disparity error {mean[0]:.4f} of its range, '
        f'relative {mean[1]:.4f}, coarse relative {mean[2]:.4f}, RGB error {mean[3]:.4f}, '
        f'latent deviation {mean[4]:.3f}'
    )


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    network, peek = new_autoencoder(), Peek()
    if arguments.start:
        network.load_state_dict(exported_weights(arguments.start, 'vae'))
        network.requires_grad_(requires_grad=False)
    parameters = [p for p in (*network.parameters(), *peek.parameters()) if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=arguments.rate, weight_decay=1e-4)
    step, seconds = 0, 0.0
    if arguments.checkpoint.exists():
        stored = torch.load(arguments.checkpoint, weights_only=True)
        network.load_state_dict(stored['network'])
        peek.load_state_dict(stored['peek'])
        optimiser.load_state_dict(stored['optimiser'])
        step, seconds = stored['step'], stored['seconds']
    crops = Crops(arguments.scenes, arguments.seed + step)
    before, values = time.monotonic(), []
    while seconds < 60.0 * arguments.minutes:
        part = min(1.0, seconds / (60.0 * arguments.minutes))
        rate = min(1.0, (step + 1) / 100) * (0.02 + 0.98 * math.cos(0.5 * math.pi * part) ** 2)
        for group in optimiser.param_groups:
            group['lr'] = arguments.rate * rate
        rgb, disparity = crops.draw()
        if arguments.start:
            loss = peek_loss(network, peek, disparity)
        else:
            loss = losses(network, peek, rgb, disparity)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        values.append(loss.item())
        now = time.monotonic()
        seconds, before = seconds + now - before, now
        if step % arguments.report_every == 0 or seconds >= 60.0 * arguments.minutes:
            logger.info('step %d, %.0f s, loss %.4f', step, seconds, np.mean(values))
            logger.info(validate(network, peek, arguments.scenes))
            record = {'network': network.state_dict(), 'peek': peek.state_dict()}
            record |= {'optimiser': optimiser.state_dict(), 'step': step, 'seconds': seconds}
            save(arguments.checkpoint, record)
            before, values = time.monotonic(), []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--scenes', type=Path, required=True, help='folder of rendered scenes')
    parser.add_argument('--checkpoint', type=Path, required=True, help='file to write and resume')
    parser.add_argument(
        '--start', type=Path, help='exported model: keep its autoencoder, teach the peek alone'
    )
    parser.add_argument('--minutes', type=float, default=12, help='length of the training')
    parser.add_argument('--rate', type=float, default=1e-3, help='largest learning rate')
    parser.add_argument('--report-every', type=int, default=200, help='steps between reports')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument('--seed', type=int, default=0, help='seed of weights and draws')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(arguments.threads)
    train(arguments)


if __name__ == '__main__':
    main()
