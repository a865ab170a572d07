"""The only file that imports diffusers: its networks, built, filled and run our way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn, Tensor

from depthsync_ros.core.backbone import CHUNK_FRAMES, Conditioning
from depthsync_ros.core.errors import ModelError
from depthsync_ros.core.shapes import DisparityTensor, Latents, RgbTensor
from depthsync_ros.models.folder import Part

try:
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        AutoencoderTiny,
        UNetSpatioTemporalConditionModel,
    )
except ImportError as missing:
    raise ModelError(
        'diffusers is not installed and every model needs it; pip install diffusers'
    ) from missing

VAE_CLASSES = (AutoencoderKLTemporalDecoder, AutoencoderTiny)
# Stable Video Diffusion's constants: frames per second less one, and the motion bucket.
FPS_ID, MOTION_ID = 7, 127


@dataclass(frozen=True, eq=False)
class Unet:
    """Stable Video Diffusion's UNet under our own forward: one token (or more) a frame."""

    network: UNetSpatioTemporalConditionModel
    noise_augmentation: float

    @property
    def latent_channels(self) -> int:
        return int(self.network.config.out_channels)

    @property
    def size_multiple(self) -> int:
        """What rows and columns of the latents must be multiples of."""
        return 2 ** (len(self.network.config.block_out_channels) - 1)

    def __call__(self, scaled: Latents, noise_label: float, given: Conditioning) -> Latents:
        """
        Call the network once on a clip.

        Spatial attention in frame i sees frame i's tokens alone. The temporal attention has one
        context for the clip, its first frame's tokens: so diffusers' blocks are made and so
        DepthCrafter's weights were trained.
        """
        frames = torch.cat([scaled, given.image_latents], dim=1)
        return forward_unet(
            self.network,
            frames[None],
            torch.full((1,), noise_label, device=frames.device),
            given.tokens[None],
            self.noise_augmentation,
        )[0]


def forward_unet(
    network: UNetSpatioTemporalConditionModel,
    sample: Tensor,
    noise_labels: Tensor,
    tokens: Tensor,
    noise_augmentation: float,
) -> Tensor:
    """
    Run the stock network on clips whose frames have tokens of their own.

    diffusers' own forward cannot: it repeats one token sequence for all frames of a clip.

    Shapes: sample (clips, frames, channels, rows, cols); noise_labels (clips,);
        tokens (clips, frames, tokens, width); the result as sample with the output's channels.
    """
    clips, frames = sample.shape[:2]
    dtype, device = network.conv_in.weight.dtype, sample.device
    embedding = network.time_embedding(network.time_proj(noise_labels).to(dtype))
    ids = torch.tensor([FPS_ID, MOTION_ID, noise_augmentation], device=device)
    added = network.add_time_proj(ids).reshape(1, -1).to(dtype)
    embedding = (embedding + network.add_embedding(added)).repeat_interleave(frames, dim=0)
    tokens = tokens.flatten(0, 1).to(dtype)
    still = torch.zeros(clips, frames, dtype=dtype, device=device)

    def run(block: nn.Module, x: Tensor, **more: Any) -> Any:
        if getattr(block, 'has_cross_attention', False):
            more['encoder_hidden_states'] = tokens
        return block(hidden_states=x, temb=embedding, image_only_indicator=still, **more)

    x = network.conv_in(sample.flatten(0, 1).to(dtype))
    skipped = [x]
    for block in network.down_blocks:
        x, outputs = run(block, x)
        skipped += outputs
    x = network.mid_block(
        hidden_states=x,
        temb=embedding,
        encoder_hidden_states=tokens,
        image_only_indicator=still,
    )
    for block in network.up_blocks:
        count = len(block.resnets)
        x = run(block, x, res_hidden_states_tuple=tuple(skipped[-count:]))
        del skipped[-count:]
    x = network.conv_out(network.conv_act(network.conv_norm_out(x)))
    return x.unflatten(0, (clips, frames))


@dataclass(frozen=True, eq=False)
class Vae:
    """Either autoencoder, in the scales that DepthCrafter's kind of model uses."""

    network: AutoencoderKLTemporalDecoder | AutoencoderTiny

    @property
    def pixels_per_latent(self) -> int:
        config = self.network.config
        if isinstance(self.network, AutoencoderTiny):
            return 2 ** (len(config.encoder_block_out_channels) - 1)
        return 2 ** (len(config.block_out_channels) - 1)

    @property
    def scaling_factor(self) -> float:
        return float(self.network.config.scaling_factor)

    def encode_rgb(self, rgb: RgbTensor) -> Latents:
        """Encode images in [-1, 1] to latents that are not multiplied by the scaling factor."""
        chunks = rgb.to(self.network.dtype).split(CHUNK_FRAMES)
        return torch.cat([self._latents(chunk) for chunk in chunks]).float()

    def encode(self, disparity: DisparityTensor) -> Latents:
        """Encode disparity in [0, 1], as three equal channels, to scaled latents."""
        images = (disparity * 2.0 - 1.0)[:, None].expand(-1, 3, -1, -1)
        return self.encode_rgb(images) * self.scaling_factor

    def decode(self, latents: Latents) -> DisparityTensor:
        """Decode scaled latents; three channels are averaged and [-1, 1] becomes [0, 1]."""
        unscaled = (latents / self.scaling_factor).to(self.network.dtype)
        images = torch.cat([self._images(chunk) for chunk in unscaled.split(CHUNK_FRAMES)])
        return (images.float().mean(dim=1) + 1.0) / 2.0

    def _latents(self, images: Tensor) -> Tensor:
        if isinstance(self.network, AutoencoderTiny):
            return self.network.encode(images).latents
        return self.network.encode(images).latent_dist.mode()

    def _images(self, latents: Tensor) -> Tensor:
        if isinstance(self.network, AutoencoderTiny):
            return self.network.decode(latents).sample
        return self.network.decode(latents, num_frames=len(latents)).sample


def load_unet(
    part: Part, device: torch.device, dtype: torch.dtype, noise_augmentation: float
) -> Unet:
    """Build the UNet that a folder describes and fill it."""
    _check_class(part, (UNetSpatioTemporalConditionModel,))
    network = build(part, lambda: UNetSpatioTemporalConditionModel.from_config(part.config))
    return Unet(fill(network, part, device, dtype), noise_augmentation)


def load_vae(part: Part, device: torch.device, dtype: torch.dtype) -> Vae:
    """Build the autoencoder that a folder describes, in float32 where its config asks for it."""
    chosen = _check_class(part, VAE_CLASSES)
    if part.config.get('force_upcast', chosen is AutoencoderKLTemporalDecoder):
        dtype = torch.float32
    network = build(part, lambda: chosen.from_config(part.config))
    return Vae(fill(network, part, device, dtype))


def _check_class(part: Part, known: Sequence[type[nn.Module]]) -> type[nn.Module]:
    # DepthCrafter's config names a class of its own whose weights are the stock UNet's.
    name = str(part.config.get('_class_name', ''))
    for candidate in known:
        if name.startswith(candidate.__name__) or (
            name.startswith('Diffusers') and candidate.__name__ in name
        ):
            return candidate
    raise ModelError(
        f'{part.folder / "config.json"} describes {name or "no class"}; needed is '
        f'{" or ".join(c.__name__ for c in known)}; point model.path at a model of '
        "DepthCrafter's kind"
    )


def build(part: Part, make: Callable[[], nn.Module]) -> nn.Module:
    """
    Make a network without memory for its weights.

    :raises ModelError: the configuration contradicts itself.
    """
    try:
        with torch.device('meta'):
            return make()
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise ModelError(
            f'{part.folder / "config.json"} describes a network that cannot be built ({error}); '
            'restore the file'
        ) from error


def fill(network: nn.Module, part: Part, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """
    Put a folder's weights into a network that was built on the meta device.

    :raises ModelError: a weight is missing, unknown or of another shape.
    """
    weights = part.read_weights()
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    wrong = [
        f'{name} is {list(weights[name].shape)} and must be {list(shape)}'
        for name, shape in wanted.items()
        if name in weights and weights[name].shape != shape
    ]
    wrong += [f'{name} is missing' for name in wanted if name not in weights]
    wrong += [f'{name} is unknown' for name in weights if name not in wanted]
    if wrong:
        raise ModelError(
            f'{part.weights_file} does not fit the network in its config.json: '
            f'{"; ".join(wrong[:3])}{f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""}; '
            'both files must come from the same model'
        )
    moved = {name: tensor.to(device, dtype) for name, tensor in weights.items()}
    network.load_state_dict(moved, assign=True)
    if device.type == 'cpu':
        for module in network.modules():
            if isinstance(module, nn.Conv2d):  # three times faster on a CPU
                module.to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(requires_grad=False)
