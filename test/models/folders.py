"""Tiny random model folders of the very classes that the real weights use."""

import json
from pathlib import Path

from diffusers import (
    AutoencoderKLTemporalDecoder,
    AutoencoderTiny,
    EulerDiscreteScheduler,
    UNetSpatioTemporalConditionModel,
)
from safetensors.torch import save_file
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from depthsync_ros.models.efficientnet import FeatureNet
from depthsync_ros.models.image_encoders import FEATURE_ENCODER, FeatureEncoder

TOKEN_WIDTH = 16
# The class name in DepthCrafter's config.json: a subclass with the stock UNet's weights.
DEPTHCRAFTER_CLASS = 'DiffusersUNetSpatioTemporalConditionModelDepthCrafter'


def tiny_unet(in_channels: int = 8) -> UNetSpatioTemporalConditionModel:
    torch.manual_seed(1)
    return UNetSpatioTemporalConditionModel(
        in_channels=in_channels,
        block_out_channels=(32, 64),
        down_block_types=('CrossAttnDownBlockSpatioTemporal', 'DownBlockSpatioTemporal'),
        up_block_types=('UpBlockSpatioTemporal', 'CrossAttnUpBlockSpatioTemporal'),
        layers_per_block=1,
        cross_attention_dim=TOKEN_WIDTH,
        num_attention_heads=(2, 4),
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
    ).eval()


def write_unet_folder(folder: Path) -> Path:
    """Write what tencent/DepthCrafter is: a UNet's two files at the top of a folder."""
    tiny_unet().save_pretrained(folder)
    config = json.loads((folder / 'config.json').read_text())
    config['_class_name'] = DEPTHCRAFTER_CLASS
    (folder / 'config.json').write_text(json.dumps(config))
    return folder


def write_base_folder(folder: Path) -> Path:
    """Write what completes it, as stable-video-diffusion-img2vid-xt does, without its UNet."""
    torch.manual_seed(2)
    AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32), down_block_types=('DownEncoderBlock2D',) * 2
    ).save_pretrained(folder / 'vae')
    CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=28,
            patch_size=14,
            projection_dim=TOKEN_WIDTH,
        )
    ).save_pretrained(folder / 'image_encoder')
    EulerDiscreteScheduler(
        sigma_min=0.002,
        sigma_max=700.0,
        use_karras_sigmas=True,
        prediction_type='v_prediction',
        timestep_type='continuous',
        timestep_spacing='leading',
    ).save_pretrained(folder / 'scheduler')
    return folder


def write_feature_folder(folder: Path) -> Path:
    """Write a complete folder of the embedded model's kind, random weights but for sizes."""
    torch.manual_seed(3)
    tiny_unet(in_channels=4 + 4 + 20).save_pretrained(folder / 'unet')
    AutoencoderTiny(
        encoder_block_out_channels=(8,) * 5,
        decoder_block_out_channels=(8,) * 5,
        num_encoder_blocks=(0, 1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1, 0),
    ).save_pretrained(folder / 'vae')
    sizes = {'channels': 20, 'token_width': TOKEN_WIDTH}
    encoder = FeatureEncoder(**sizes)
    encoder.features = FeatureNet()
    (folder / 'image_encoder').mkdir()
    config = {'_class_name': FEATURE_ENCODER, **sizes}
    (folder / 'image_encoder' / 'config.json').write_text(json.dumps(config))
    weights = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    save_file(weights, folder / 'image_encoder' / 'diffusion_pytorch_model.safetensors')
    (folder / 'scheduler').mkdir()
    scheduler = {'sigma_min': 0.01, 'sigma_max': 30.0, 'rho': 5.0}
    (folder / 'scheduler' / 'scheduler_config.json').write_text(json.dumps(scheduler))
    own = {
        'window_length': 12,
        'window_overlap': 3,
        'max_side': 96,
        'noise_augmentation': 0.1,
    }
    (folder / 'depthsync.json').write_text(json.dumps(own))
    return folder
