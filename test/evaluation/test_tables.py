import csv

import pytest

from depthsync_ros.evaluation.tables import (
    ABLATION,
    by_length,
    by_method,
    completed,
    mean,
    shared,
    Table,
    tables,
    write_csv,
    write_tables,
)


def row(method, sequence, length, absrel, **more):
    return {
        'dataset': 'd',
        'sequence': sequence,
        'method': method,
        'seed': 0,
        'length': length,
        'frames': length or 99,
        'absrel': absrel,
        'delta1': 0.5,
        'oracle_absrel': 0.1,
        'digest': 'x',
        **more,
    }


ROWS = [
    row('baseline', 'a', 150, 0.2),
    row('baseline', 'b', 150, 0.4),
    row('depthsync', 'a', 150, 0.15),
    row('depthsync', 'b', 150, 0.2),
    row('baseline', 'a', 210, 0.3),
]


def test_only_cases_that_every_method_has_are_averaged() -> None:
    assert [r['length'] for r in shared(ROWS)] == [150] * 4
    assert mean(shared(ROWS), 'absrel') == pytest.approx((0.2 + 0.4 + 0.15 + 0.2) / 4.0)


def test_excess_and_drift_removed_are_as_computed_by_hand() -> None:
    rows = completed(ROWS)

    assert rows[3]['excess'] == pytest.approx(0.2 - 0.1)
    assert rows[3]['drift_removed'] == pytest.approx((0.4 - 0.2) / (0.4 - 0.1))
    table = by_method(shared(rows))
    # of the sums: ((0.2 + 0.4) - (0.15 + 0.2)) / ((0.2 + 0.4) - 2 * 0.1) = 0.625
    assert [line[:3] for line in table.body] == [
        ('baseline', '2', '0.00'),
        ('depthsync', '2', '0.62'),
    ]


def test_the_table_by_length_has_means_and_their_numbers() -> None:
    table = by_length(ROWS, 'T', lambda rows: f'{mean(rows, "absrel") or 0:.2f}')

    assert table.head == ('method', '150 frames (n=2)', '210 frames (n=1)')
    assert table.body == (('baseline', '0.30', '0.30'), ('depthsync', '0.17', '0.00'))
    assert table.markdown().splitlines()[2:] == [
        '| method    | 150 frames (n=2) | 210 frames (n=1) |',
        '| --------- | ---------------: | ---------------: |',
        '| baseline  |             0.30 |             0.30 |',
        '| depthsync |             0.17 |             0.00 |',
    ]


def test_tables_that_nothing_supports_are_left_out() -> None:
    assert not [table for table in tables(ROWS) if 'Poses' in table.title]
    posed = [{**r, 'ate_m': 0.1, 'rpe_trans_m': 0.01, 'rpe_rot_deg': 0.5} for r in ROWS]
    (poses,) = [table for table in tables(posed) if 'Poses' in table.title]
    assert poses.body[0][1] == '0.1000 / 0.0100 / 0.500'


def test_numbers_are_set_to_the_right_and_words_to_the_left() -> None:
    cells = ('name', '3', '-0.1', '0.1 / 0.2', '—', '-0.1 to +0.2', 'no interval: 2 needed')
    table = Table('T', ('a',) * 7, (cells,))

    assert table.numeric == (False, True, True, True, True, True, False)
    assert table.markdown().splitlines()[3].startswith('| ---- | --: | ---: |')


def test_a_share_of_too_small_a_drift_is_an_empty_cell(tmp_path) -> None:
    small = [row('baseline', 'a', 150, 0.104), row('depthsync', 'a', 150, 0.102)]

    write_tables(small, tmp_path)

    with (tmp_path / 'results.csv').open() as stream:
        assert [line['drift_removed'] for line in csv.DictReader(stream)] == ['', '']
    with (tmp_path / 'methods.csv').open() as stream:
        assert [line['drift removed'] for line in csv.DictReader(stream)] == ['', '']


def test_files_hold_what_the_tables_say(tmp_path) -> None:
    write_tables(ROWS, tmp_path)

    with (tmp_path / 'results.csv').open() as stream:
        lines = list(csv.DictReader(stream))
    assert [float(line['absrel']) for line in lines] == [r['absrel'] for r in ROWS]
    assert lines[0]['mfc'] == ''
    assert (tmp_path / 'depth_by_length.csv').read_text().startswith('method,150 frames (n=2)')
    assert '### Depth by length' in (tmp_path / 'tables.md').read_text()


def test_the_ablations_columns_are_those_that_were_agreed(tmp_path) -> None:
    write_csv(tmp_path / 'table.csv', ABLATION, [row('depthsync', 'a', 450, 0.1)])

    head, line = (tmp_path / 'table.csv').read_text().splitlines()
    assert head == (
        'strategy,sequence,seed,frames,absrel,delta1,mfc,oracle_absrel,ate_m,rpe_trans_m,'
        'rpe_rot_deg,seconds_per_frame,peak_mb'
    )
    assert line == 'depthsync,a,0,450,0.1,0.5,,0.1,,,,,'
