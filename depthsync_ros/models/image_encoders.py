"""What tells the network about the RGB frames beside their latents: CLIP, or our features."""

from dataclasses import dataclass
from typing import Any, Protocol

from safetensors import SafetensorError
import torch
from torch import nn, Tensor
from torch.nn import functional

from depthsync_ros.core.backbone import CHUNK_FRAMES, Conditioning
from depthsync_ros.core.errors import ModelError
from depthsync_ros.core.shapes import Latents, RgbTensor
from depthsync_ros.models.conditioner import Conditioner
from depthsync_ros.models.diffusers_parts import build, fill
from depthsync_ros.models.efficientnet import FeatureNet
from depthsync_ros.models.folder import Part

FEATURE_ENCODER = 'FeatureEncoder'
# CLIP's own normalisation (openai/clip-vit-large-patch14, preprocessor_config.json).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class ImageEncoder(Protocol):
    """Turns frames and their latents into the network's conditioning."""

    def __call__(self, rgb: RgbTensor, rgb_latents: Latents) -> Conditioning:
        """Prepare frames in [-1, 1], each by itself."""
        ...


class FeatureEncoder(nn.Module):
    """ImageNet features, brought onto the latent grid: stands where DepthCrafter has CLIP."""

    def __init__(self, channels: int, token_width: int) -> None:
        super().__init__()
        self.features = FeatureNet()
        self.conditioner = Conditioner(channels, token_width)

    def forward(self, rgb: RgbTensor, rgb_latents: Latents) -> Conditioning:
        """Append the conditioner's channels to the RGB latents."""
        weight = self.features.stem.weight
        rgb = rgb.to(weight.dtype).contiguous(memory_format=torch.channels_last)
        channels, tokens = self.conditioner(self.features(rgb))
        return Conditioning(torch.cat([rgb_latents, channels.float()], dim=1), tokens.float())


@dataclass(frozen=True, eq=False)
class ClipEncoder:
    """One CLIP image embedding a frame, and nothing beside the RGB latents."""

    network: Any  # transformers' CLIPVisionModelWithProjection

    def __call__(self, rgb: RgbTensor, rgb_latents: Latents) -> Conditioning:
        size = int(self.network.config.image_size)
        images = clip_input(rgb, size).to(self.network.dtype)
        chunks = [self.network(chunk).image_embeds for chunk in images.split(CHUNK_FRAMES)]
        return Conditioning(rgb_latents, torch.cat(chunks).float()[:, None])


def clip_input(rgb: RgbTensor, size: int) -> Tensor:
    """
    Shrink frames in [-1, 1] without aliasing and normalise them for CLIP.

    Source: the published weights were trained with this filter, a Gaussian of half the
        shrinking factor less one half, then bicubic with aligned corners (diffusers' Stable
        Video Diffusion pipeline, `_resize_with_antialiasing`).
    """
    for axis in (2, 3):
        rgb = _blurred(rgb, axis, max((rgb.shape[axis] / size - 1.0) / 2.0, 0.001))
    small = functional.interpolate(rgb, (size, size), mode='bicubic', align_corners=True)
    mean, std = (rgb.new_tensor(v)[:, None, None] for v in (CLIP_MEAN, CLIP_STD))
    return ((small + 1.0) / 2.0 - mean) / std


def _blurred(images: Tensor, axis: int, sigma: float) -> Tensor:
    taps = max(int(4.0 * sigma), 3) | 1
    offsets = torch.arange(taps, device=images.device, dtype=images.dtype) - taps // 2
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    margin = [taps // 2 if side // 2 == 3 - axis else 0 for side in range(4)]
    padded = functional.pad(images, margin, mode='reflect')
    shape = [1, 1, 1, 1]
    shape[axis] = taps
    weight = kernel.reshape(shape).expand(images.shape[1], 1, -1, -1)
    return functional.conv2d(padded, weight, groups=images.shape[1])


def load_image_encoder(part: Part, device: torch.device, dtype: torch.dtype) -> ImageEncoder:
    """
    Build the image encoder that a folder describes and fill it.

    :raises ModelError: it is of a kind that we do not know.
    """
    config = part.config
    if config.get('_class_name') == FEATURE_ENCODER:
        sizes = {k: config.get(k) for k in ('channels', 'token_width')}
        encoder = build(part, lambda: FeatureEncoder(**sizes))
        return fill(encoder, part, device, dtype)
    kinds = config.get('architectures') or [config.get('_class_name', 'no class')]
    if 'CLIPVisionModelWithProjection' not in kinds:
        raise ModelError(
            f'{part.folder / "config.json"} describes {", ".join(map(str, kinds))}; needed is '
            f'CLIPVisionModelWithProjection or {FEATURE_ENCODER}; point model.path, or '
            "model.base, at a model of DepthCrafter's kind"
        )
    return ClipEncoder(_load_clip(part, device, dtype))


def _load_clip(part: Part, device: torch.device, dtype: torch.dtype) -> nn.Module:
    try:
        # Slow to import, and our own models do not need it.
        from transformers import CLIPVisionModelWithProjection  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            f'{part.folder} is a CLIP encoder and transformers is not installed; '
            'pip install transformers'
        ) from error
    variant = 'fp16' if '.fp16.' in part.weights_file.name else None
    try:
        network, told = CLIPVisionModelWithProjection.from_pretrained(
            part.folder,
            local_files_only=True,
            variant=variant,
            dtype=dtype,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f'{part.weights_file} cannot be read into the CLIP encoder in its config.json '
            f'({error}); both files must come from the same model'
        ) from error
    if told['missing_keys'] or told.get('mismatched_keys'):
        raise ModelError(
            f'{part.weights_file} does not fit the CLIP encoder in its config.json: missing '
            f'{sorted(told["missing_keys"])[:3]}, of another shape '
            f'{sorted(map(str, told.get("mismatched_keys") or ()))[:3]}; both files must come '
            'from the same model'
        )
    return network.to(device).eval().requires_grad_(requires_grad=False)
