"""Train the autoencoder that carries RGB and disparity: python -m training.autoencoder."""

import argparse
import logging
from pathlib import Path
import time

from diffusers import AutoencoderTiny
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.networks import LATENT_CHANNELS, new_autoencoder, save
from training.rendered import load_scene, normalised, Scene, scene_files

CROP = (64, 80)
RGB_CROPS, DISPARITY_CROPS = 3, 9
SCENES_IN_MEMORY = 40
# A far wall's depth error is its disparity error over its own small disparity: weigh it so.
FAR_FLOOR = 0.15
LATENT_NOISE = 0.3  # largest deviation of the noise the decoder must bear

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
        if len(self.scenes) < SCENES_IN_MEMORY or self.random.random() < 0.1:
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
        frame = scene.rgb[self.random.integers(len(scene.rgb))].copy()
        return self._crop(frame)

    def _disparity(self) -> np.ndarray:
        scene = self.scenes[self.random.integers(len(self.scenes))]
        path = scene.paths[self.random.integers(len(scene.paths))]
        frames = scene.disparity[path.start : path.stop : 4]
        pick = self.random.integers(len(frames))
        if self.random.random() < 0.4:
            return self._crop(normalised(frames[pick]))
        return self._crop(normalised(frames)[pick])

    def _crop(self, image: np.ndarray) -> np.ndarray:
        row = self.random.integers(image.shape[0] - CROP[0] + 1)
        col = self.random.integers(image.shape[1] - CROP[1] + 1)
        image = image[row : row + CROP[0], col : col + CROP[1]]
        return image[:, ::-1] if self.random.random() < 0.5 else image


def _channels_first(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def losses(network: AutoencoderTiny, rgb: Tensor, disparity: Tensor) -> Tensor:
    """
    Mean reconstruction error, the disparity's weighed by what it does to depth.

    The latents are blurred by noise so that nearby latents decode to nearby pictures, which is
    what a denoiser's small errors need, and held near unit size.
    """
    latents = network.encoder(torch.cat([rgb, disparity]))
    noise = LATENT_NOISE * torch.rand(len(latents), 1, 1, 1)
    decoded = network.decoder(latents + noise * torch.randn_like(latents))
    of_rgb, of_disparity = decoded[: len(rgb)], decoded[len(rgb) :]
    weight = 1.0 / ((disparity + 1.0) / 2.0 + FAR_FLOOR)
    weight = weight / weight.mean()
    difference = of_disparity - disparity
    steps = difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
    size = latents.square().mean()
    return (
        (weight * difference.abs()).mean()
        + 0.5 * steps
        + 0.3 * functional.l1_loss(of_rgb, rgb)
        + 0.01 * (size - 1.0).clamp(min=0.0)
    )


@torch.no_grad()
def validate(network: AutoencoderTiny, folder: Path) -> str:
    """Measure whole held-out frames: disparity error of its range, and relative error of depth."""
    files = scene_files(folder, held_out=True)[:8]
    absolute, relative, colour, spread = [], [], [], []
    for file in files:
        scene = load_scene(file)
        path = scene.paths[0]
        metric = scene.disparity[path.start : path.stop : 8]
        clip = torch.from_numpy(normalised(metric))
        images = _channels_first(clip[..., None].expand(-1, -1, -1, 3) * 2 - 1)
        latents = network.encoder(images)
        decoded = (network.decoder(latents).mean(1) + 1.0) / 2.0
        error = (decoded - clip).abs()
        span = float(metric.max() - metric.min())
        absolute.append(float(error.mean()))
        relative.append(float((error * span / torch.from_numpy(metric)).mean()))
        spread.append(float(latents.std()))
        rgb = _channels_first(torch.from_numpy(scene.rgb[path.start : path.stop : 8]).float())
        rgb = rgb / 127.5 - 1.0
        colour.append(float((network.decoder(network.encoder(rgb)) - rgb).abs().mean()) / 2.0)
    return (
        f'held-out frames of {len(files)} scenes: disparity error {np.mean(absolute):.4f} of its '
        f'range, relative {np.mean(relative):.4f}, RGB error {np.mean(colour):.4f}, '
        f'latent deviation {np.mean(spread):.3f}'
    )


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    network = new_autoencoder()
    if arguments.decoder_only:
        network.encoder.requires_grad_(requires_grad=False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=arguments.rate, weight_decay=1e-4)
    step = 0
    if arguments.checkpoint.exists():
        stored = torch.load(arguments.checkpoint, weights_only=True)
        network.load_state_dict(stored['network'])
        optimiser.load_state_dict(stored['optimiser'])
        step = stored['step']
    crops = Crops(arguments.scenes, arguments.seed + step)
    begun, first = time.monotonic(), step
    while step < arguments.steps:
        rate = arguments.rate * min(1.0, (step + 1) / 50, 3.0 * (1 - step / arguments.steps))
        for group in optimiser.param_groups:
            group['lr'] = rate
        loss = losses(network, *crops.draw())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % arguments.report_every == 0 or step == arguments.steps:
            pace = (time.monotonic() - begun) / (step - first)
            logger.info('step %d, loss %.4f, %.2f s a step', step, loss.item(), pace)
            logger.info(validate(network, arguments.scenes))
            record = {'network': network.state_dict(), 'optimiser': optimiser.state_dict()}
            save(arguments.checkpoint, {**record, 'step': step, 'latents': LATENT_CHANNELS})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--scenes', type=Path, required=True, help='folder of rendered scenes')
    parser.add_argument('--checkpoint', type=Path, required=True, help='file to write and resume')
    parser.add_argument('--steps', type=int, default=1500, help='steps in all')
    parser.add_argument('--rate', type=float, default=1e-3, help='largest learning rate')
    parser.add_argument(
        '--decoder-only', action='store_true', help='keep the encoder, and latents made by it'
    )
    parser.add_argument('--report-every', type=int, default=100, help='steps between reports')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument('--seed', type=int, default=0, help='seed of weights and draws')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(arguments.threads)
    train(arguments)


if __name__ == '__main__':
    main()
