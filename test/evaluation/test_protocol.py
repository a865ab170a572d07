from collections import Counter
from dataclasses import dataclass
import json
from pathlib import Path
import signal
import subprocess
import sys

from backbones import FakeBackbone
import pytest
from tiny_video import SETTINGS, Wave
import torch

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.methods import PipelineMethod
from depthsync_ros.evaluation.protocol import evaluate, Protocol, wanted_lengths
from depthsync_ros.evaluation.results import key, NAME
from depthsync_ros.evaluation.strategies import strategy_settings

TIMED = ('seconds_per_frame', 'cpu_seconds_per_frame', 'peak_mb')
HERE = Path(__file__).parent


@dataclass
class Counting:
    """A method that counts how often it was asked."""

    method: PipelineMethod
    asked: Counter

    @property
    def name(self):
        return self.method.name

    def facts(self):
        return self.method.facts()

    def predict(self, video, lengths, step):
        self.asked[video.name, self.name] += 1
        yield from self.method.predict(video, lengths, step)


def run(out, names=('baseline', 'post_scale'), asked=None, **options):
    backbone = FakeBackbone(random_gauges=True)
    asked = Counter() if asked is None else asked

    def methods(seed):
        made = [PipelineMethod(n, strategy_settings(SETTINGS, n), backbone) for n in names]
        return [Counting(method, asked) for method in made]

    videos = [Wave(14).video('long'), Wave(8).video('short')]
    protocol = Protocol('made_up', out, **{'lengths': (6, 10), **options})
    return evaluate(protocol, videos, methods, lambda progress: None)


def untimed(rows):
    return sorted(
        ({name: v for name, v in row.items() if name not in TIMED} for row in rows), key=key
    )


def test_every_sequence_length_and_method_gives_one_result(tmp_path) -> None:
    rows = run(tmp_path)

    cases = [(row['sequence'], row['method'], row['length'], row['frames']) for row in rows]
    assert sorted(cases) == sorted(
        (sequence, method, length, length)
        for method in ('baseline', 'post_scale')
        for sequence, length in (('long', 6), ('long', 10), ('short', 6))
    )
    assert all(row['settings']['scale.align'] == (row['method'] != 'baseline') for row in rows)
    longest = [row for row in rows if row['length'] == (10 if row['sequence'] == 'long' else 6)]
    assert all(len(row['pictures']) == 3 for row in longest)
    assert all((tmp_path / file).exists() for row in longest for file in row['pictures'])


def test_lengths_that_do_not_fit_leave_the_whole_sequence() -> None:
    assert wanted_lengths((150, 210), 450) == {150: 150, 210: 210}
    assert wanted_lengths((0, 150), 450) == {0: 450, 150: 150}
    assert wanted_lengths((150, 210), 78) == {0: 78}


def test_a_finished_run_is_not_made_again(tmp_path) -> None:
    before = run(tmp_path)
    asked = Counter()

    after = run(tmp_path, asked=asked)

    assert after == before
    assert not asked


@pytest.mark.parametrize('lines', [0, 1, 2, 4])
def test_a_run_goes_on_after_any_result_without_repeats_or_losses(tmp_path, lines) -> None:
    whole = run(tmp_path / 'whole')
    text = (tmp_path / 'whole' / NAME).read_text().splitlines(keepends=True)
    (tmp_path / 'cut').mkdir()
    (tmp_path / 'cut' / NAME).write_text(
        ''.join(text[:lines]) + text[lines][: len(text[lines]) // 2]
    )

    resumed = run(tmp_path / 'cut')

    assert untimed(resumed) == untimed(whole)
    assert (tmp_path / 'cut' / NAME).read_text().splitlines(keepends=True)[:lines] == text[:lines]


def test_a_killed_process_is_resumed_to_the_same_results(tmp_path) -> None:
    script = (
        'import sys, os, signal, torch\n'
        f'torch.set_num_threads({torch.get_num_threads()})\n'  # another test may have set ours
        f'sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]\n'
        'import test_protocol\n'
        'from pathlib import Path\n'
        'from depthsync_ros.evaluation import results\n'
        'append, count = results.ResultsFile.append, []\n'
        'def killing(self, row):\n'
        '    if len(count) == 2:\n'  # the third line is torn, as by a full stop in mid-write
        '        os.write(self._descriptor, b\'{"dataset": "made_\')\n'
        '        os.kill(os.getpid(), signal.SIGKILL)\n'
        '    count.append(1)\n'
        '    append(self, row)\n'
        'results.ResultsFile.append = killing\n'
        f'test_protocol.run(Path({str(tmp_path / "killed")!r}))\n'
    )
    killed = subprocess.run([sys.executable, '-c', script], check=False)
    assert killed.returncode == -signal.SIGKILL
    torn = (tmp_path / 'killed' / NAME).read_bytes()
    assert torn.count(b'\n') == 2
    assert not torn.endswith(b'\n')

    resumed = run(tmp_path / 'killed')

    assert untimed(resumed) == untimed(run(tmp_path / 'whole'))
    for line in (tmp_path / 'killed' / NAME).read_text().splitlines():
        json.loads(line)


def test_other_settings_are_refused_not_mixed(tmp_path) -> None:
    run(tmp_path, names=('baseline',))

    with pytest.raises(InputError, match='made with other settings'):
        run(tmp_path, names=('baseline',), alignment='scale')


def test_sequences_of_one_name_are_refused(tmp_path) -> None:
    videos = [Wave(6).video('same'), Wave(6).video('same')]

    with pytest.raises(InputError, match='share a name'):
        evaluate(Protocol('d', tmp_path), videos, lambda seed: [], lambda progress: None)
