import json
from pathlib import Path
import shutil

from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    UNetSpatioTemporalConditionModel,
)
import pytest
import torch
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from depthsync_ros.core.backbone import Conditioning
from depthsync_ros.core.denoiser import v_denoiser
from depthsync_ros.core.errors import ModelError
from depthsync_ros.core.sampler import karras_sigmas, sample_euler
from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.models.load import LatentBackbone, load_backbone

FRAMES, ROWS, COLS = 3, 64, 96


@pytest.fixture(scope='module')
def two_folders(unet_folder: Path, base_folder: Path) -> LatentBackbone:
    return load_backbone(ModelSettings(path=str(unet_folder), base=str(base_folder)))


@pytest.fixture(scope='module')
def one_folder(feature_folder: Path) -> LatentBackbone:
    return load_backbone(ModelSettings(path=str(feature_folder)))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def images(seed: int = 5, *, frames: int = FRAMES) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((frames, 3, ROWS, COLS), generator=generator) * 2.0 - 1.0


def sampled(backbone: LatentBackbone, given: Conditioning, start: Tensor, steps: int) -> Tensor:
    sigmas = karras_sigmas(backbone.noise_range, steps)
    return sample_euler(v_denoiser(backbone, given), start * sigmas[0], sigmas)


def test_two_folders_sample_as_the_published_equations_say(
    two_folders: LatentBackbone, unet_folder: Path, base_folder: Path
) -> None:
    # The same image in every frame, but noise of its own: so all tokens are equal, and the
    # stock forward, which knows one token a clip, says the same as ours.
    rgb = images(frames=1).expand(FRAMES, -1, -1, -1)
    augmentation = noise(FRAMES, 3, ROWS, COLS)
    start = noise(FRAMES, 4, ROWS // 2, COLS // 2, seed=1)

    given = two_folders.encode_rgb(rgb, augmentation)
    ours = two_folders.decode(sampled(two_folders, given, start, 5))

    unet = UNetSpatioTemporalConditionModel.from_pretrained(unet_folder)
    vae = AutoencoderKLTemporalDecoder.from_pretrained(base_folder / 'vae')
    clip = CLIPVisionModelWithProjection.from_pretrained(base_folder / 'image_encoder')
    with torch.no_grad():
        latents = vae.encode(rgb + 0.02 * augmentation).latent_dist.mode()
        token = given.tokens[:1]
        assert token.shape == (1, 1, clip.config.projection_dim)
        ramp = torch.linspace(0.0, 1.0, 5, dtype=torch.float64)
        sigmas = (700 ** (1 / 7) + ramp * (0.002 ** (1 / 7) - 700 ** (1 / 7))) ** 7
        z = start.double() * sigmas[0]
        for i, sigma in enumerate(sigmas):
            after = sigmas[i + 1] if i < 4 else 0.0
            scaled = (z / (sigma**2 + 1).sqrt()).float()
            predicted = unet(
                torch.cat([scaled, latents], dim=1)[None],
                0.25 * sigma.log().float(),
                token,
                added_time_ids=torch.tensor([[7, 127, 0.02]]),
            ).sample[0]
            z0 = z / (sigma**2 + 1) - sigma / (sigma**2 + 1).sqrt() * predicted.double()
            z = z0 + (after / sigma) * (z - z0)
        decoded = vae.decode((z / 0.18215).float(), num_frames=FRAMES).sample
        theirs = (decoded.mean(dim=1) + 1.0) / 2.0

    # 1e-4 of disparity's unit range: float32 arithmetic in another order.
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0.0)
    assert ours.std() > 1e-2, 'a constant picture would agree without saying anything'


@pytest.mark.filterwarnings('ignore:__array__ impl:DeprecationWarning')  # diffusers' own
def test_the_sampler_agrees_with_diffusers_euler_scheduler(
    two_folders: LatentBackbone, base_folder: Path
) -> None:
    scheduler = EulerDiscreteScheduler.from_pretrained(base_folder / 'scheduler')
    scheduler.set_timesteps(5)
    given = two_folders.encode_rgb(images(), noise(FRAMES, 3, ROWS, COLS))
    start = noise(FRAMES, 4, ROWS // 2, COLS // 2, seed=1)

    ours = sampled(two_folders, given, start, 5)

    z = start * scheduler.sigmas[0]
    with torch.no_grad():
        for time in scheduler.timesteps:
            scaled = scheduler.scale_model_input(z, time)
            z = scheduler.step(two_folders.predict(scaled, float(time), given), time, z)[0]
    # float32 sums in another order, on latents of order one, after starting at 700
    torch.testing.assert_close(ours, z, atol=2e-4, rtol=1e-4)


def test_clip_sees_each_frame_by_itself_and_no_noise(
    two_folders: LatentBackbone, base_folder: Path
) -> None:
    rgb = images()
    loud, silent = noise(*rgb.shape), torch.zeros_like(rgb)

    together = two_folders.encode_rgb(rgb, loud)
    alone = two_folders.encode_rgb(rgb[1:2], silent[1:2])

    # float32 in batches of another size
    torch.testing.assert_close(together.tokens[1:2], alone.tokens, atol=1e-5, rtol=1e-4)
    assert (together.image_latents[1] - alone.image_latents[0]).abs().max() > 1e-3


def test_disparity_latents_are_scaled_and_rgb_latents_are_not(
    two_folders: LatentBackbone,
) -> None:
    grey = torch.full((1, ROWS, COLS), 0.75)
    as_rgb = (grey * 2.0 - 1.0)[:, None].expand(-1, 3, -1, -1)

    latents = two_folders.encode(grey)
    of_rgb = two_folders.encode_rgb(as_rgb, torch.zeros(1, 3, ROWS, COLS)).image_latents

    torch.testing.assert_close(latents, of_rgb * 0.18215)


def test_decoding_runs_in_chunks_of_eight_frames(two_folders: LatentBackbone) -> None:
    latents = noise(10, 4, 8, 8)

    together = two_folders.decode(latents)
    apart = torch.cat([two_folders.decode(latents[:8]), two_folders.decode(latents[8:])])

    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-4)  # float32 rounding
    single = torch.cat([two_folders.decode(latent[None]) for latent in latents])
    assert (single - together).abs().max() > 1e-4, 'the temporal decoder mixes a chunk'


def test_what_a_complete_folder_says_of_itself_is_used(one_folder: LatentBackbone) -> None:
    assert one_folder.noise_range.sigma_max == 30.0
    assert one_folder.noise_range.rho == 5.0
    assert one_folder.preferences.window_length == 12
    assert one_folder.preferences.max_side == 96
    assert (one_folder.pixels_per_latent, one_folder.size_multiple) == (16, 32)


def test_real_weights_get_depthcrafters_preferences(two_folders: LatentBackbone) -> None:
    preferences = two_folders.preferences

    assert (preferences.window_length, preferences.window_overlap) == (90, 30)
    assert preferences.max_side == 1024
    assert two_folders.noise_range.sigma_max == 700.0
    assert two_folders.noise_range.rho == 7.0


def test_a_run_makes_no_tensor_on_the_default_device(
    two_folders: LatentBackbone, feature_folder: Path
) -> None:
    features = load_backbone(ModelSettings(path=str(feature_folder)))
    torch.manual_seed(0)
    torch.set_default_device('meta')  # a tensor made without a device would poison the result
    try:
        for backbone in (two_folders, features):
            cell = backbone.pixels_per_latent
            rgb = torch.zeros((2, 3, 64, 64), device='cpu')
            given = backbone.encode_rgb(rgb, rgb)
            start = torch.ones((2, 4, 64 // cell, 64 // cell), device='cpu')
            disparity = backbone.decode(sampled(backbone, given, start, 2))
            again = backbone.encode(disparity)
            assert disparity.device.type == again.device.type == 'cpu'
            assert bool(torch.isfinite(disparity).all())
    finally:
        torch.set_default_device('cpu')


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_half_precision_runs_and_stays_near_float32(
    dtype: str, unet_folder: Path, base_folder: Path, two_folders: LatentBackbone
) -> None:
    named = {'path': str(unet_folder), 'base': str(base_folder)}
    half = load_backbone(ModelSettings(**named, dtype=dtype))
    given = two_folders.encode_rgb(images(), noise(FRAMES, 3, ROWS, COLS))
    scaled = noise(FRAMES, 4, ROWS // 2, COLS // 2)

    exact, rounded = (b.predict(scaled, 0.5, given) for b in (two_folders, half))

    assert rounded.dtype == torch.float32
    assert half.vae.network.dtype == torch.float32, 'its config says force_upcast'
    # 8 bits of mantissa through a few dozen layers: some per cent of the output's size
    assert (exact - rounded).abs().mean() < 0.05 * exact.abs().mean()
    assert not torch.equal(exact, rounded)


def test_gradients_reach_the_latents(one_folder: LatentBackbone) -> None:
    given = one_folder.encode_rgb(images(), noise(FRAMES, 3, ROWS, COLS))
    z = noise(FRAMES, 4, ROWS // 16, COLS // 16).requires_grad_()

    (gradient,) = torch.autograd.grad(
        one_folder.decode(v_denoiser(one_folder, given)(z, 2.0)).square().sum(), z
    )

    assert float(gradient.abs().max()) > 0.0


def refused(message: str, **settings: object) -> None:
    with pytest.raises(ModelError, match=message):
        load_backbone(ModelSettings(**settings))


def test_a_missing_folder_is_named() -> None:
    refused("'/no/such/folder' does not exist; needed is a folder", path='/no/such/folder')


def test_a_hub_id_is_not_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    refused('nobody/nothing.*set model.allow_download = true', path='nobody/nothing')


def test_a_unet_alone_needs_its_base(unet_folder: Path) -> None:
    refused("'/no/base' does not exist", path=str(unet_folder), base='/no/base')


def test_missing_weights_are_named(feature_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(feature_folder, tmp_path / 'model')
    (folder / 'vae' / 'diffusion_pytorch_model.safetensors').unlink()

    refused('vae holds no weights: seen config.json; needed one of', path=str(folder))


def test_a_cut_weights_file_is_named(feature_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(feature_folder, tmp_path / 'model')
    file = folder / 'unet' / 'diffusion_pytorch_model.safetensors'
    file.write_bytes(file.read_bytes()[:5000])

    refused('of 5000 bytes cannot be read', path=str(folder))


@pytest.mark.parametrize('part', ['unet', 'vae', 'image_encoder'])
def test_weights_of_another_network_are_refused(
    part: str, feature_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(feature_folder, tmp_path / 'model')
    path = folder / part / 'config.json'
    config = json.loads(path.read_text())
    config |= {
        'unet': {'cross_attention_dim': 8},
        'vae': {'latent_channels': 8},
        'image_encoder': {'channels': 21},
    }[part]
    path.write_text(json.dumps(config))

    refused('does not fit the network in its config.json: .* and must be', path=str(folder))


def test_clip_weights_of_another_size_are_refused(
    unet_folder: Path, base_folder: Path, tmp_path: Path
) -> None:
    base = shutil.copytree(base_folder, tmp_path / 'base')
    path = base / 'image_encoder' / 'config.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'intermediate_size': 16}))

    refused('both files must come from the same model', path=str(unet_folder), base=str(base))


def test_a_network_of_another_kind_is_refused(feature_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(feature_folder, tmp_path / 'model')
    path = folder / 'unet' / 'config.json'
    path.write_text(json.dumps({'_class_name': 'UNet2DModel'}))

    refused('describes UNet2DModel; needed is UNetSpatioTemporal', path=str(folder))


def test_a_scheduler_without_a_range_is_refused(feature_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(feature_folder, tmp_path / 'model')
    (folder / 'scheduler' / 'scheduler_config.json').write_text('{"sigma_max": 5.0}')

    refused('sigma_min = None, sigma_max = 5.0', path=str(folder))


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU')
def test_an_absent_gpu_is_an_error(feature_folder: Path) -> None:
    refused("'cuda', but this machine shows", path=str(feature_folder), device='cuda')


def test_a_device_torch_does_not_know_is_an_error(feature_folder: Path) -> None:
    refused("'gpu' is no device", path=str(feature_folder), device='gpu')


def test_channels_that_leave_none_beside_the_disparity_are_refused(
    feature_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(feature_folder, tmp_path / 'model')
    path = folder / 'image_encoder' / 'config.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'channels': 16}))

    refused('cannot be built .16 channels leave none free', path=str(folder))
