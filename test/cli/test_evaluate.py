import json

import cv2
import numpy as np
import pytest

from depthsync_ros.cli.main import main


@pytest.fixture
def data(tmp_path):
    """Make two sequences in the folder layout, and a prediction that is the truth."""
    for name in ('one', 'two'):
        for part in ('rgb', 'depth'):
            (tmp_path / 'data' / name / part).mkdir(parents=True)
        depths = []
        for i in range(4):
            depth = np.add.outer(1000 + 30 * np.arange(24), 20 * np.arange(32) + 5 * i)
            depths.append(depth / 1000.0)
            file = f'{i:06d}.png'
            folder, black = tmp_path / 'data' / name, np.zeros((24, 32, 3), np.uint8)
            cv2.imwrite(str(folder / 'rgb' / file), black)
            cv2.imwrite(str(folder / 'depth' / file), depth.astype(np.uint16))
        intrinsics = {'width': 32, 'height': 24, 'fx': 30, 'fy': 30, 'cx': 15.5, 'cy': 11.5}
        (tmp_path / 'data' / name / 'intrinsics.json').write_text(json.dumps(intrinsics))
        (tmp_path / 'truth').mkdir(exist_ok=True)
        np.savez(tmp_path / 'truth' / name, disparity=2.0 / np.array(depths) + 0.5)
    return tmp_path


def evaluate(data, *words):
    out = data / 'out'
    status = main(['evaluate', '--root', str(data / 'data'), '--out', str(out), *words])
    return status, out


def test_one_command_scores_renders_and_does_not_repeat(data, capsys) -> None:
    pytest.importorskip('matplotlib', reason='matplotlib is an optional extra')
    words = ('--methods', f'disparity:{data / "truth"}', '--lengths', '2,4')

    status, out = evaluate(data, *words)

    printed = capsys.readouterr().out
    assert status == 0
    assert '| truth  |  0.000 / 1.000 |  0.000 / 1.000 |' in printed
    first = (out / 'results.jsonl').read_bytes()
    assert first.count(b'\n') == 4
    for name in ('tables.md', 'results.csv', 'depth_by_length.csv', 'index.html'):
        assert (out / name).stat().st_size > 0, name
    assert evaluate(data, *words)[0] == 0
    assert (out / 'results.jsonl').read_bytes() == first
    (out / 'tables.md').unlink()
    assert main(['evaluate', '--out', str(out), '--render-only']) == 0
    assert (out / 'tables.md').exists()


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('--methods', 'median'), "no method 'median'; known are independent"),
        (
            ('--methods', 'baseline', '--sequences', 'three'),
            'no sequence three; there are one, two',
        ),
        (
            ('--methods', 'baseline', '--dataset', 'sintel'),
            "no dataset 'sintel'; known are folder",
        ),
        (('--window.length', '1'), 'window.length = 1'),
    ],
)
def test_mistakes_are_one_line_and_status_1(data, capsys, words, said) -> None:
    assert evaluate(data, *words)[0] == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count('\n') == 1
