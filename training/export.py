"""Write the trained networks as a model folder: python -m training.export."""

import argparse
from collections.abc import Mapping
import json
import logging
from pathlib import Path
import tempfile
from typing import Any

from safetensors.torch import save_file
import torch
from torch import nn, Tensor

from depthsync_ros.models.image_encoders import FEATURE_ENCODER, FeatureEncoder
from training.losses import NOISE_RANGE
from training.networks import CONDITIONER, new_autoencoder, new_unet, published_features

PREFERENCES = {
    'window_length': 24,
    'window_overlap': 8,
    'max_side': 256,
    'noise_augmentation': 0.02,
}
LIMIT_BYTES = 40_000_000
WEIGHTS_FILE = 'diffusion_pytorch_model.safetensors'

logger = logging.getLogger('training.export')


def export(
    target: Path, autoencoder: Mapping[str, Any], denoiser: Mapping[str, Any] | None
) -> None:
    """
    Fill the target folder with fp16 weights; each file is replaced only when it is whole.

    denoiser None exports an untrained one, which is only good for trying the program.
    """
    scale = float(denoiser['latent_scale']) if denoiser else 1.0
    sigma_min, sigma_max = denoiser['noise_range'] if denoiser else NOISE_RANGE
    vae = new_autoencoder()
    vae.load_state_dict(autoencoder['network'])
    vae.register_to_config(scaling_factor=scale)
    unet, encoder = new_unet(), FeatureEncoder(**CONDITIONER)
    encoder.features = published_features()
    if denoiser:
        unet.load_state_dict(denoiser['unet'])
        encoder.features.load_state_dict(denoiser['features'])
        encoder.conditioner.load_state_dict(denoiser['conditioner'])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix='.export-') as partial:
        folder = Path(partial)
        for name, network in (('vae', vae), ('unet', unet)):
            _write_part(folder / name, network, json.loads(network.to_json_string()))
        config = {'_class_name': FEATURE_ENCODER, **CONDITIONER}
        _write_part(folder / 'image_encoder', encoder, config)
        scheduler = {
            '_class_name': 'EulerDiscreteScheduler',
            'prediction_type': 'v_prediction',
            'use_karras_sigmas': True,
            'sigma_min': sigma_min,
            'sigma_max': sigma_max,
        }
        _write_json(folder / 'scheduler' / 'scheduler_config.json', scheduler)
        _write_json(folder / 'depthsync.json', PREFERENCES)
        size = sum(path.stat().st_size for path in folder.rglob('*.safetensors'))
        if size > LIMIT_BYTES:
            raise SystemExit(f'the weights are {size} bytes, at most {LIMIT_BYTES} may be')
        _move_files(folder, target)
    logger.info('%s: %.1f MB of weights', target, size / 1e6)


def _write_part(folder: Path, network: nn.Module, config: Mapping[str, Any]) -> None:
    _write_json(folder / 'config.json', config)
    halves: dict[str, Tensor] = {
        name: tensor.detach().half().contiguous() for name, tensor in network.state_dict().items()
    }
    path = folder / WEIGHTS_FILE
    save_file(halves, path)
    path.chmod(0o644)  # safetensors leaves it to its owner alone


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = ('_diffusers_version', '_name_or_path', 'block_out_channels')
    hidden = hidden if record.get('_class_name') == 'AutoencoderTiny' else hidden[:2]
    kept = {key: value for key, value in record.items() if key not in hidden}
    path.write_text(json.dumps(kept, indent=2, sort_keys=True) + '\n', encoding='utf-8')


def _move_files(source: Path, target: Path) -> None:
    for path in sorted(source.rglob('*')):
        if path.is_file():
            final = target / path.relative_to(source)
            final.parent.mkdir(parents=True, exist_ok=True)
            path.replace(final)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--autoencoder', type=Path, required=True, help='its checkpoint')
    parser.add_argument('--denoiser', type=Path, help='its checkpoint; without one: untrained')
    parser.add_argument(
        '--target',
        type=Path,
        default=Path('depthsync_ros/models/embedded'),
        help='model folder to write',
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    export(
        arguments.target,
        torch.load(arguments.autoencoder, weights_only=True),
        torch.load(arguments.denoiser, weights_only=True) if arguments.denoiser else None,
    )


if __name__ == '__main__':
    main()
