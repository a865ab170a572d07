from safetensors.torch import load_file
import torch

from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.models.folder import EMBEDDED
from depthsync_ros.models.load import load_backbone


def test_the_embedded_weights_are_small_and_whole() -> None:
    files = sorted(EMBEDDED.rglob('*.safetensors'))

    assert [file.parent.name for file in files] == ['image_encoder', 'unet', 'vae']
    assert sum(file.stat().st_size for file in files) <= 40_000_000
    for file in files:
        for name, tensor in load_file(file).items():
            assert tensor.dtype == torch.float16, name
            assert bool(torch.isfinite(tensor).all()), name


def test_the_embedded_autoencoder_carries_a_tilted_plane() -> None:
    backbone = load_backbone(ModelSettings())
    plane = torch.linspace(0.0, 1.0, 192)[None, :, None].expand(2, -1, 256)

    carried = backbone.decode(backbone.encode(plane))

    # trained to 0.015 of the range on rendered rooms; a plane has no edges to lose
    assert float((carried - plane).abs().mean()) < 0.03
