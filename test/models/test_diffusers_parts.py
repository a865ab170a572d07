import json
from pathlib import Path

from diffusers import UNetSpatioTemporalConditionModel
from folders import DEPTHCRAFTER_CLASS, tiny_unet, TOKEN_WIDTH
import torch
from torch import Tensor

from depthsync_ros.core.backbone import Conditioning
from depthsync_ros.models.diffusers_parts import build, forward_unet, Unet
from depthsync_ros.models.folder import Part

AUGMENTATION = 0.02
# config.json of DepthCrafter's UNet, which is Stable Video Diffusion img2vid-xt's.
REAL_UNET = {
    '_class_name': DEPTHCRAFTER_CLASS,
    'addition_time_embed_dim': 256,
    'block_out_channels': [320, 640, 1280, 1280],
    'cross_attention_dim': 1024,
    'down_block_types': [
        'CrossAttnDownBlockSpatioTemporal',
        'CrossAttnDownBlockSpatioTemporal',
        'CrossAttnDownBlockSpatioTemporal',
        'DownBlockSpatioTemporal',
    ],
    'in_channels': 8,
    'layers_per_block': 2,
    'num_attention_heads': [5, 10, 20, 20],
    'num_frames': 25,
    'out_channels': 4,
    'projection_class_embeddings_input_dim': 768,
    'sample_size': 96,
    'transformer_layers_per_block': 1,
    'up_block_types': [
        'UpBlockSpatioTemporal',
        'CrossAttnUpBlockSpatioTemporal',
        'CrossAttnUpBlockSpatioTemporal',
        'CrossAttnUpBlockSpatioTemporal',
    ],
}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def ours(network: UNetSpatioTemporalConditionModel, sample: Tensor, tokens: Tensor) -> Tensor:
    return forward_unet(network, sample, torch.tensor([0.3]), tokens, AUGMENTATION)


def test_with_equal_tokens_ours_is_the_stock_forward() -> None:
    network, sample = tiny_unet(), random(1, 4, 8, 8, 12)
    token = random(1, 1, TOKEN_WIDTH, seed=1)

    mine = ours(network, sample, token[None].expand(-1, 4, -1, -1))

    with torch.no_grad():
        ids = torch.tensor([[7, 127, AUGMENTATION]])
        stock = network(sample, torch.tensor(0.3), token, ids).sample
    torch.testing.assert_close(mine, stock, atol=1e-6, rtol=1e-5)  # the same operations


def test_swapping_two_frames_tokens_changes_those_frames() -> None:
    network, sample = tiny_unet(), random(1, 4, 8, 8, 12)
    tokens = random(1, 4, 1, TOKEN_WIDTH, seed=1)

    straight = ours(network, sample, tokens)
    swapped = ours(network, sample, tokens[:, [0, 2, 1, 3]])

    change = (straight - swapped).abs().amax((0, 2, 3, 4))
    assert float(change[[1, 2]].min()) > 1e-3


def test_clips_of_a_batch_do_not_see_each_other() -> None:
    network, sample = tiny_unet(), random(2, 3, 8, 8, 12)
    tokens, labels = random(2, 3, 1, TOKEN_WIDTH, seed=1), torch.tensor([0.3, -0.2])

    with torch.no_grad():
        together = forward_unet(network, sample, labels, tokens, AUGMENTATION)
        apart = [
            forward_unet(network, sample[i, None], labels[i, None], tokens[i, None], AUGMENTATION)
            for i in (0, 1)
        ]

    torch.testing.assert_close(together, torch.cat(apart), atol=1e-5, rtol=1e-4)  # float32


def test_the_real_size_network_forwards_on_the_meta_device(tmp_path: Path) -> None:
    (tmp_path / 'config.json').write_text(json.dumps(REAL_UNET))
    part = Part(tmp_path, REAL_UNET)
    network = build(part, lambda: UNetSpatioTemporalConditionModel.from_config(part.config))
    # diffusers makes its mix factors on the CPU whatever the default device
    unet = Unet(network.to('meta').requires_grad_(requires_grad=False), AUGMENTATION)
    frames, rows, cols = 5, 40, 64  # 512 x 320 pixels

    result = unet(
        torch.empty((frames, 4, rows, cols), device='meta'),
        0.5,
        Conditioning(
            torch.empty((frames, 4, rows, cols), device='meta'),
            torch.empty((frames, 1, 1024), device='meta'),
        ),
    )

    assert result.shape == (frames, 4, rows, cols)
    assert result.device.type == 'meta'
    assert unet.size_multiple == 8
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == 1_524_623_082, 'the published network has as many'
