"""
Methods for several processes, which import them by this module's name.

As a script, run by a test in a process of its own: python many_jobs.py OUT runs for ever.
"""

import os
from pathlib import Path
import signal
import sys
import time

if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).parents[1]))

from backbones import FakeBackbone
from tiny_video import SETTINGS, Wave

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.methods import PipelineMethod
from depthsync_ros.evaluation.protocol import evaluate, Protocol
from depthsync_ros.evaluation.strategies import strategy_settings

NAMES = ('baseline', 'post_scale')


def methods(seed):
    backbone = FakeBackbone(random_gauges=True)
    return [PipelineMethod(name, strategy_settings(SETTINGS, name), backbone) for name in NAMES]


class Failing(PipelineMethod):
    """Fails on one sequence; another process may be in the middle of something else."""

    def predict(self, video, lengths, step):
        if video.name == 'short':
            raise InputError('this sequence is damaged')
        yield from super().predict(video, lengths, step)


class Dying(PipelineMethod):
    """Takes its process along, as the system does where memory runs out."""

    def predict(self, video, lengths, step):
        os.kill(os.getpid(), signal.SIGKILL)
        yield from super().predict(video, lengths, step)


class Endless(PipelineMethod):
    """Leaves a mark of its process, and never ends."""

    def predict(self, video, lengths, step):
        (Path(os.environ['MARKS']) / str(os.getpid())).touch()
        while True:
            time.sleep(0.05)
        yield


def of_kind(kind):
    return [kind('baseline', strategy_settings(SETTINGS, 'baseline'), FakeBackbone())]


def failing(seed):
    return of_kind(Failing)


def dying(seed):
    return of_kind(Dying)


def endless(seed):
    return of_kind(Endless)


def run(out, processes, made_by=methods):
    videos = [Wave(14).video('long'), Wave(8).video('short')]
    shown = []
    rows = evaluate(
        Protocol('made_up', out, lengths=(6, 10)),
        videos,
        made_by,
        lambda progress: shown.append(progress.frames_in),
        processes,
    )
    return rows, shown


if __name__ == '__main__':
    run(Path(sys.argv[1]), 2, endless)
