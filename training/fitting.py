"""One way of fitting for every stage: rates, averages, checkpoints, a clock that survives."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
import logging
from pathlib import Path
import time
from typing import Any

import numpy as np
import torch
from torch import nn, Tensor

from training.losses import cosine
from training.networks import save

AVERAGE_DECAY = 0.995
LEAST_RATE = 0.02  # of the largest, at the end


@dataclass(frozen=True)
class Share:
    """Parameters that learn at a share of the rate; their gradients are clipped together."""

    parameters: list[nn.Parameter]
    of_rate: float = 1.0


class Fit:
    """
    Networks that learn, by name, their running averages, and how far they have come.

    It goes on from its checkpoint where there is one. The averages are what is used in the end;
    a checkpoint holds them under the networks' names, and the networks under NAME_live.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        shares: Iterable[Share],
        arguments: argparse.Namespace,
        warm_up: int,
    ) -> None:
        self.networks = dict(networks)
        self.averages = deepcopy(self.networks)
        self.seconds, self.step = 0.0, 0
        self.stored: dict[str, Any] = {}  # the checkpoint that it went on from
        self.arguments, self._warm_up = arguments, warm_up
        self._optimiser = torch.optim.AdamW(
            [{'params': one.parameters, 'share': one.of_rate} for one in shares],
            lr=arguments.rate,
            betas=(0.9, 0.99),
            weight_decay=0.02,
            fused=True,  # several times as fast where layouts differ
        )
        if arguments.checkpoint.exists():
            self._load(arguments.checkpoint)

    @property
    def progress(self) -> float:
        """Share of the stage's minutes that are over."""
        return self.seconds / (60.0 * self.arguments.minutes)

    def learn(self, loss: Tensor) -> float:
        """Take a step down the loss's gradient, at the rate of the time."""
        rate = self.arguments.rate * min(1.0, (self.step + 1) / self._warm_up)
        rate *= LEAST_RATE + (1.0 - LEAST_RATE) * cosine(self.progress)
        self._optimiser.zero_grad()
        loss.backward()
        for group in self._optimiser.param_groups:
            group['lr'] = rate * group['share']
            nn.utils.clip_grad_norm_(group['params'], 1.0)
        self._optimiser.step()
        self.step += 1
        follow(self.averages.values(), self.networks.values(), self.step)
        return loss.item()

    def save(self, **more: object) -> None:
        """Write the checkpoint, with what else the next stage wants to know."""
        record: dict[str, object] = {'optimiser': self._optimiser.state_dict(), **more}
        for name, live in self.networks.items():
            record |= {name: self.averages[name].state_dict(), f'{name}_live': live.state_dict()}
        save(self.arguments.checkpoint, {**record, 'seconds': self.seconds, 'step': self.step})

    def _load(self, checkpoint: Path) -> None:
        self.stored = torch.load(checkpoint, weights_only=True)
        for name, live in self.networks.items():
            live.load_state_dict(self.stored[f'{name}_live'])
            self.averages[name].load_state_dict(self.stored[name])
        self._optimiser.load_state_dict(self.stored['optimiser'])
        self.seconds, self.step = self.stored['seconds'], self.stored['step']


def follow(averages: Iterable[nn.Module], networks: Iterable[nn.Module], step: int) -> None:
    """Move running averages a little towards the networks."""
    decay = min(AVERAGE_DECAY, (1.0 + step) / (10.0 + step))
    with torch.no_grad():
        for kept, live in zip(averages, networks, strict=True):
            for old, new in zip(kept.parameters(), live.parameters(), strict=True):
                old.lerp_(new, 1.0 - decay)


def fit_for_minutes(
    fit: Fit, take_step: Callable[[], float], keep: Callable[[], None], report: Callable[[], str]
) -> None:
    """
    Take steps until the minutes are over; keep and report every few of them, and at the end.

    Time spent on reports is not counted.
    """
    logger = logging.getLogger('training')
    arguments, losses = fit.arguments, []
    reported = before = time.monotonic()
    while fit.progress < 1.0:
        losses.append(take_step())
        now = time.monotonic()
        fit.seconds, before = fit.seconds + now - before, now
        if now - reported > 60.0 * arguments.report_minutes or fit.progress >= 1.0:
            keep()
            pace, loss = (now - reported) / len(losses), float(np.mean(losses))
            logger.info(
                'step %d, %.0f s, %.2f s a step, loss %.4f; %s',
                fit.step,
                fit.seconds,
                pace,
                loss,
                report(),
            )
            losses = []
            reported = before = time.monotonic()


def add_fitting_options(parser: argparse.ArgumentParser, minutes: float, rate: float) -> None:
    """Add what every stage can be told about its fitting."""
    parser.add_argument('--checkpoint', type=Path, required=True, help='file to write and resume')
    parser.add_argument('--monitor', type=Path, nargs='*', default=[], help='sequences to watch')
    parser.add_argument(
        '--minutes', type=float, default=minutes, help=f'length of the stage [{minutes:g}]'
    )
    parser.add_argument(
        '--rate', type=float, default=rate, help=f'largest learning rate [{rate:g}]'
    )
    parser.add_argument('--report-minutes', type=float, default=3, help='between reports [3]')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads [2]')
    parser.add_argument('--seed', type=int, default=0, help='seed of weights and draws [0]')


def prepare(arguments: argparse.Namespace) -> None:
    """Set this process up: log, threads, seed."""
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(arguments.seed)
