"""Tiny random-weight models of the classes that people download."""

from dataclasses import replace
import json
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_video import Wave
import torch

from depthsync_ros.core.errors import ModelError
from depthsync_ros.evaluation.per_frame import load_marigold, load_transformers
from depthsync_ros.evaluation.scoring import decode, score

# Both libraries warn of what the tiny folders leave out; it is theirs to change.
pytestmark = [
    pytest.mark.filterwarnings('ignore::FutureWarning'),
    pytest.mark.filterwarnings('ignore::DeprecationWarning'),
    pytest.mark.filterwarnings('ignore::UserWarning'),
]


@pytest.fixture(scope='module')
def depth_anything(tmp_path_factory):
    transformers = pytest.importorskip('transformers', reason='transformers is optional')
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=1,
        image_size=28,
        patch_size=14,
        out_features=['stage1', 'stage2'],
        reshape_hidden_states=False,
    )

    def save(name, **options):
        config = transformers.DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=16,
            patch_size=14,
            neck_hidden_sizes=[8, 8],
            reassemble_factors=[2, 1],
            fusion_hidden_size=8,
            head_hidden_size=4,
            **options,
        )
        folder = tmp_path_factory.mktemp(name)
        transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
        size = {'height': 28, 'width': 42}
        numbers = {'image_processor_type': 'DPTImageProcessor', 'size': size}
        (folder / 'preprocessor_config.json').write_text(json.dumps(numbers))
        return folder

    relative = save('DepthAnything')
    return relative, save('Metric', depth_estimation_type='metric', max_depth=20)


def test_depth_anything_is_scored_as_disparity_and_its_metric_form_as_metres(
    depth_anything,
) -> None:
    relative, metric = (load_transformers(str(folder), 0) for folder in depth_anything)

    video = Wave(3).video()
    assert (relative.kind, metric.kind) == ('disparity', 'metric')
    for method, alignment in ((relative, 'video'), (metric, 'none')):
        (two, three) = method.predict(video, [2, 3], lambda: None)
        assert (two[0], three[0]) == (2, 3)
        assert three[1].values.shape == (3, 24, 32)
        assert np.array_equal(two[1].values, three[1].values[:2])
        row = score(three[1], decode(video, 3, 10.0)[1], 'video').row
        assert row['alignment'] == alignment
        assert 0.0 < row['absrel'] < 50.0


class Asked:
    """Stands for a library's pipeline: keeps the images it is asked about."""

    def __init__(self, model_type=''):
        self.model = SimpleNamespace(config=SimpleNamespace(model_type=model_type))
        self.default_denoising_steps = 3
        self.images, self.seeds, self.steps = [], [], set()

    def set_progress_bar_config(self, **_):
        pass

    def __call__(self, image, *, num_inference_steps=0, generator=None, **_):
        self.images.append(np.asarray(image))
        self.steps.add(num_inference_steps)
        if generator is not None:
            self.seeds.append(generator.initial_seed())
        depth = torch.ones(1, 24, 32)
        return (
            SimpleNamespace(prediction=depth.numpy()) if generator else {'predicted_depth': depth}
        )


@pytest.mark.parametrize(
    ('model_type', 'kind'),
    [('zoedepth', 'metric'), ('depth_pro', 'metric'), ('dpt', 'disparity')],
)
def test_models_that_are_metric_by_design_are_known(monkeypatch, model_type, kind) -> None:
    pytest.importorskip('transformers', reason='transformers is optional')
    monkeypatch.setattr('transformers.pipeline', lambda *_, **__: Asked(model_type))

    assert load_transformers('somewhere', 0).kind == kind


@pytest.mark.parametrize('library', ['transformers', 'diffusers'])
def test_each_frame_is_asked_about_once_in_rgb(monkeypatch, library) -> None:
    pytest.importorskip(library, reason=f'{library} is optional')
    asked = Asked()
    colour = replace(Wave(3).video(), shots=[coloured(shot) for shot in Wave(3).video().shots])
    if library == 'transformers':
        monkeypatch.setattr('transformers.pipeline', lambda *_, **__: asked)
        method = load_transformers('somewhere', 5)
    else:
        loader = 'diffusers.MarigoldDepthPipeline.from_pretrained'
        monkeypatch.setattr(loader, lambda *_, **__: asked)
        method = load_marigold('somewhere', 5)

    list(method.predict(colour, [3], lambda: None))

    assert len(asked.images) == 3
    for index, image in enumerate(asked.images):
        assert np.array_equal(image, colour.read(index).frame.rgb)
    if library == 'diffusers':
        assert len(set(asked.seeds)) == 3, 'each frame has noise of its own'
        assert asked.steps == {3}, "the model's own number of steps"


def coloured(shot):
    """Make the three channels different."""
    return replace(
        shot, read_rgb=lambda: (shot.read_rgb() // np.array([1, 2, 4])).astype(np.uint8)
    )


@pytest.fixture(scope='module')
def marigold(tmp_path_factory):
    diffusers = pytest.importorskip('diffusers', reason='diffusers is optional')
    transformers = pytest.importorskip('transformers', reason='transformers is optional')
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('marigold')
    words = ['a', 'b', 'a</w>', 'b</w>', '<|startoftext|>', '<|endoftext|>']
    (folder / 'vocab.json').write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    text = transformers.CLIPTextConfig(
        hidden_size=8,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=1,
        vocab_size=6,
        max_position_embeddings=77,
        bos_token_id=4,
        eos_token_id=5,
        pad_token_id=5,
    )
    pipeline = diffusers.MarigoldDepthPipeline(
        unet=diffusers.UNet2DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            sample_size=8,
            in_channels=8,
            out_channels=4,
            down_block_types=('DownBlock2D', 'CrossAttnDownBlock2D'),
            up_block_types=('CrossAttnUpBlock2D', 'UpBlock2D'),
            cross_attention_dim=8,
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        vae=diffusers.AutoencoderKL(
            block_out_channels=[8, 8],
            down_block_types=['DownEncoderBlock2D'] * 2,
            up_block_types=['UpDecoderBlock2D'] * 2,
            latent_channels=4,
            norm_num_groups=4,
        ),
        scheduler=diffusers.DDIMScheduler(prediction_type='v_prediction'),
        text_encoder=transformers.CLIPTextModel(text),
        tokenizer=transformers.CLIPTokenizer(
            str(folder / 'vocab.json'), str(folder / 'merges.txt'), model_max_length=77
        ),
        prediction_type='depth',
        scale_invariant=True,
        shift_invariant=True,
        default_denoising_steps=2,
        default_processing_resolution=32,
    )
    pipeline.save_pretrained(folder / 'tiny')
    return folder / 'tiny'


def test_marigold_is_scored_as_depth_and_a_seed_gives_the_same_again(marigold) -> None:
    video = Wave(2).video()

    method = load_marigold(str(marigold), 3)
    ((_, first),) = method.predict(video, [2], lambda: None)
    ((_, again),) = load_marigold(str(marigold), 3).predict(video, [2], lambda: None)
    ((_, other),) = load_marigold(str(marigold), 4).predict(video, [2], lambda: None)

    assert method.kind == 'depth'
    assert first.values.shape == (2, 24, 32)
    assert np.array_equal(first.values, again.values)
    assert not np.array_equal(first.values, other.values)


@pytest.mark.parametrize('load', [load_transformers, load_marigold])
def test_a_model_that_is_not_there_is_named(load, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')

    with pytest.raises(ModelError, match='is no local model folder'):
        load(str(tmp_path / 'nowhere'), 0)
