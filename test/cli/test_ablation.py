import csv

from backbones import FakeBackbone
import pytest
from wall import Wall
import wall_folder

from depthsync_ros.cli.ablation import STRATEGIES
from depthsync_ros.cli.main import build_parser, main
from depthsync_ros.evaluation import build, strategies

HEAD = (
    'strategy,sequence,seed,frames,absrel,delta1,mfc,oracle_absrel,ate_m,rpe_trans_m,'
    'rpe_rot_deg,seconds_per_frame,peak_mb'
)


@pytest.fixture
def ablation(tmp_path, monkeypatch):
    """Give the command on two short sequences, around a network of a few lines."""
    pytest.importorskip('matplotlib', reason='matplotlib is an optional extra')
    pytest.importorskip('evo', reason='evo is an optional extra')
    monkeypatch.setattr(build, 'load_backbone', lambda model: FakeBackbone(random_gauges=True))
    for name in ('one', 'two'):
        wall_folder.write(tmp_path / 'data' / name, Wall(wall_folder.CAMERA, frames=12))
    words = ['--data', str(tmp_path / 'data'), '--poses.derive', 'false']

    def run(*more):
        return main(['ablation', *words, '--out', str(tmp_path / 'out'), *more]), tmp_path / 'out'

    return run


def test_the_strategies_are_those_of_the_evaluation() -> None:
    assert tuple(strategies.STRATEGIES) == STRATEGIES


def test_words_may_be_apart_or_joined_by_commas() -> None:
    words = '--data a b --out o --strategies baseline,scale depthsync --seeds 0 1,2 --frames 40'

    args = build_parser().parse_args(['ablation', *words.split()])

    assert args.methods == ('baseline', 'scale', 'depthsync')
    assert args.seeds == (0, 1, 2)
    assert args.frames == 40


def test_one_row_a_strategy_sequence_and_seed_and_resumed_it_repeats_none(
    ablation, capsys
) -> None:
    words = ('--strategies', 'baseline', 'post_scale', '--seeds', '0', '1')
    words += ('--frames', '10', '--lengths', '6')

    status, out = ablation(*words)

    printed = capsys.readouterr().out
    assert status == 0
    text = (out / 'table.csv').read_text()
    assert text.splitlines()[0] == HEAD
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row['sequence'], row['seed'], row['strategy']) for row in rows] == [
        (sequence, seed, strategy)
        for sequence in ('one', 'two')
        for seed in ('0', '1')
        for strategy in ('baseline', 'post_scale')
    ]
    assert {row['frames'] for row in rows} == {'10'}
    assert all(float(row['peak_mb']) > 0.0 for row in rows)
    assert all(float(row['absrel']) > 0.0 for row in rows)
    assert 'Methods, mean over sequences and seeds' in printed
    for name in ('excess_by_length.png', 'window_scales-one.png', 'window_scales-two.png'):
        assert (out / 'plots' / name).stat().st_size > 0, name
    before = (out / 'results.jsonl').read_bytes()
    assert ablation(*words)[0] == 0
    assert (out / 'results.jsonl').read_bytes() == before
    assert (out / 'table.csv').read_text() == text


def test_fewer_frames_are_not_taken_for_a_result_of_more(ablation, capsys) -> None:
    words = ('--strategies', 'baseline', '--lengths', '6')
    assert ablation(*words, '--frames', '10')[0] == 0

    assert ablation(*words)[0] == 1

    assert 'frames was 10, now 12' in capsys.readouterr().err
