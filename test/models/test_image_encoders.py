from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion as published
import pytest
import torch
from torch.nn import functional

from depthsync_ros.models.efficientnet import FeatureNet, fold_published_weights, SameConv
from depthsync_ros.models.image_encoders import clip_input, CLIP_MEAN, CLIP_STD


@pytest.mark.parametrize(('height', 'width'), [(576, 1024), (128, 160), (224, 224)])
def test_clip_gets_the_pictures_that_the_weights_were_trained_on(height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand((2, 3, height, width), generator=generator) * 2.0 - 1.0

    ours = clip_input(rgb, 224)

    resized = published._resize_with_antialiasing(rgb, (224, 224))
    mean, std = (torch.tensor(v)[:, None, None] for v in (CLIP_MEAN, CLIP_STD))
    # float32 sums of up to 9 x 5 weights in another order
    torch.testing.assert_close(ours, ((resized + 1.0) / 2.0 - mean) / std, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(('kernel', 'size', 'before'), [(3, 8, 0), (5, 8, 1), (3, 7, 1)])
def test_odd_padding_goes_right_and_below(kernel: int, size: int, before: int) -> None:
    conv = SameConv(1, 1, kernel, stride=2)
    image = torch.randn((1, 1, size, size), generator=torch.Generator().manual_seed(0))

    result = conv(image)

    total = (-(-size // 2) - 1) * 2 + kernel - size
    padded = functional.pad(image, [before, total - before] * 2)
    expected = functional.conv2d(padded, conv.weight, conv.bias, stride=2)
    torch.testing.assert_close(result, expected)


def test_a_folded_normalisation_does_what_it_did() -> None:
    torch.manual_seed(0)
    network = FeatureNet()
    published_weights = {}
    names = [name.removesuffix('.weight') for name in network.state_dict() if 'weight' in name]
    assert len(names) == 1 + 2 + 20 * 3  # a stem, a block without expansion, twenty with it
    block = -1
    theirs_of = {'expand': ('_expand_conv', 0), 'depthwise': ('_depthwise_conv', 1)}
    theirs_of['project'] = ('_project_conv', 2)
    for name in names:
        shape = network.get_parameter(f'{name}.weight').shape
        kind = name.rsplit('.', 1)[-1]
        if kind == 'stem':
            conv, norm = '_conv_stem', '_bn0'
        else:
            first = kind == 'expand' or (kind == 'depthwise' and block == -1)
            block += first
            conv, norm = (
                f'_blocks.{block}.{theirs_of[kind][0]}',
                (f'_blocks.{block}._bn{theirs_of[kind][1]}'),
            )
        published_weights[f'{conv}.weight'] = torch.randn(shape)
        for entry in ('weight', 'bias', 'running_mean'):
            published_weights[f'{norm}.{entry}'] = torch.randn(shape[0])
        published_weights[f'{norm}.running_var'] = torch.rand(shape[0]) + 0.1

    folded = fold_published_weights(published_weights)

    network.load_state_dict(folded)  # every name and shape is there
    image = torch.randn(1, 3, 16, 16)
    raw = functional.conv2d(
        functional.pad(image, (0, 1, 0, 1)), published_weights['_conv_stem.weight'], stride=2
    )
    expected = functional.batch_norm(
        raw,
        *(published_weights[f'_bn0.{e}'] for e in ('running_mean', 'running_var')),
        *(published_weights[f'_bn0.{e}'] for e in ('weight', 'bias')),
        eps=1e-3,
    )
    torch.testing.assert_close(network.stem(image), expected, atol=1e-4, rtol=1e-4)  # float32
