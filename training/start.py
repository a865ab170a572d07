"""Going on from a model that training.export has written, instead of from nothing."""

import json
from pathlib import Path

from safetensors.torch import load_file
from torch import nn, Tensor

from training.export import WEIGHTS_FILE


def exported_weights(model: Path, part: str, prefix: str = '') -> dict[str, Tensor]:
    """Read one part's weights as float32, or those whose name begins with the prefix."""
    stored = load_file(model / part / WEIGHTS_FILE)
    return {
        name.removeprefix(prefix): tensor.float()
        for name, tensor in stored.items()
        if name.startswith(prefix)
    }


def start_image_networks(model: Path, features: nn.Module, conditioner: nn.Module) -> None:
    """Give both networks of the image encoder the model's weights."""
    features.load_state_dict(exported_weights(model, 'image_encoder', 'features.'))
    conditioner.load_state_dict(exported_weights(model, 'image_encoder', 'conditioner.'))


def exported_latent_scale(model: Path) -> float:
    """Read the factor that the model's UNet was trained with."""
    config = json.loads((model / 'vae' / 'config.json').read_text(encoding='utf-8'))
    return float(config['scaling_factor'])
