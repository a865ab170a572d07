"""From settings to a backbone that the pipeline can run."""

from dataclasses import dataclass
import logging
from pathlib import Path

import torch

from depthsync_ros.core.backbone import Conditioning, NoiseRange, Preferences
from depthsync_ros.core.errors import ModelError
from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.core.shapes import DisparityTensor, Latents, RgbTensor
from depthsync_ros.models import folder as folders
from depthsync_ros.models.allocator import keep_freed_memory
from depthsync_ros.models.diffusers_parts import load_unet, load_vae, Unet, Vae
from depthsync_ros.models.image_encoders import ImageEncoder, load_image_encoder

ACADEMIC = 'tencent/depthcrafter'

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LatentBackbone:
    """The core's Backbone, made of a UNet, an autoencoder and an image encoder."""

    name: str
    device: torch.device
    unet: Unet
    vae: Vae
    image_encoder: ImageEncoder
    noise_range: NoiseRange
    preferences: Preferences

    @property
    def latent_channels(self) -> int:
        return self.unet.latent_channels

    @property
    def pixels_per_latent(self) -> int:
        return self.vae.pixels_per_latent

    @property
    def size_multiple(self) -> int:
        return self.pixels_per_latent * self.unet.size_multiple

    @torch.no_grad()
    def encode_rgb(self, rgb: RgbTensor, noise: RgbTensor) -> Conditioning:
        """Encode frames; the noise goes to the autoencoder, the image encoder sees none."""
        latents = self.vae.encode_rgb(rgb + self.unet.noise_augmentation * noise)
        return self.image_encoder(rgb, latents)

    def predict(self, scaled: Latents, noise_label: float, conditioning: Conditioning) -> Latents:
        return self.unet(scaled, noise_label, conditioning).float()

    def decode(self, latents: Latents) -> DisparityTensor:
        return self.vae.decode(latents)

    def encode(self, disparity: DisparityTensor) -> Latents:
        return self.vae.encode(disparity)


def load_backbone(settings: ModelSettings) -> LatentBackbone:
    """
    Load the model that the settings name; on a CPU, set the process's allocator for it.

    A folder that holds a UNet alone (tencent/DepthCrafter) is completed from settings.base.

    :raises ModelError: the device is absent, files are missing, or weights do not fit.
    """
    device, dtype = find_device(settings.device), getattr(torch, settings.dtype)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if device.type == 'cpu':
        keep_freed_memory()
    own, rest = _find_folders(settings)
    extras = folders.read_extras(own)
    unet = load_unet(folders.read_unet_part(own), device, dtype, extras.noise_augmentation)
    backbone = LatentBackbone(
        settings.path,
        device,
        unet,
        load_vae(folders.read_part(rest, 'vae'), device, dtype),
        load_image_encoder(folders.read_part(rest, 'image_encoder'), device, dtype),
        folders.read_noise_range(rest),
        extras.preferences,
    )
    if settings.path.lower().rstrip('/').endswith(ACADEMIC):
        logger.warning(
            '%s is licensed by Tencent for academic use only; read its licence before you use '
            'its depth for anything else',
            settings.path,
        )
    return backbone


def _find_folders(settings: ModelSettings) -> tuple[Path, Path]:
    fetch = settings.allow_download
    own = folders.locate(settings.path, allow_download=fetch, files=folders.UNET_FILES)
    if folders.is_complete(own):
        return own, own
    rest = folders.locate(settings.base, allow_download=fetch, files=folders.REST_FILES)
    return own, rest


def find_device(name: str) -> torch.device:
    """
    Check that a device is there.

    :raises ModelError: it is not, or the name means nothing to torch. It is never replaced.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(
            f"model.device = {name!r} is no device; use 'cpu', 'cuda' or 'cuda:1'"
        ) from error
    if device.type == 'cpu':
        return device
    if device.type == 'cuda':
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) < count:
            return device
        raise ModelError(
            f'model.device = {name!r}, but this machine shows torch {torch.__version__} '
            f"{count} CUDA devices; set model.device = 'cpu', or install a driver and a CUDA "
            'build of torch'
        )
    raise ModelError(f"model.device = {name!r} is not supported; use 'cpu', 'cuda' or 'cuda:1'")
