import math

import pytest

from depthsync_ros.evaluation.pairs import paired_differences, paired_interval

pytest.importorskip('scipy', reason='scipy is an optional extra')


def row(method, sequence, seed, absrel):
    return {
        'dataset': 'd',
        'sequence': sequence,
        'method': method,
        'seed': seed,
        'length': 0,
        'absrel': absrel,
    }


def test_the_interval_is_students_as_in_a_table() -> None:
    found = paired_interval([-3.0, -1.0, -2.0, -2.0, -2.0])

    # mean -2, standard deviation sqrt(2 / 4), t(0.975, 4) = 2.776 from a printed table
    half = 2.776 * math.sqrt(0.5) / math.sqrt(5)
    assert (found.n, found.mean) == (5, -2.0)
    assert found.low == pytest.approx(-2.0 - half, abs=1e-3)
    assert found.high == pytest.approx(-2.0 + half, abs=1e-3)
    assert found.verdict == 'excludes zero'


def test_too_few_sequences_are_said_to_be_too_few() -> None:
    assert paired_interval([0.1]).verdict == 'no interval: it needs at least 2 sequences'
    assert math.isnan(paired_interval([0.1]).low)
    assert paired_interval([-0.1, 0.1]).verdict == (
        'includes zero; only 2 sequences: too few to rely on'
    )


def test_seeds_of_a_sequence_are_one_sample_and_only_common_cases_count() -> None:
    rows = [row('ours', 'a', seed, absrel) for seed, absrel in enumerate((0.1, 0.2, 0.9))]
    rows += [row('base', 'a', seed, 0.3) for seed in (0, 1)]
    rows += [row('ours', 'b', 0, 0.5), row('base', 'b', 0, 0.4), row('base', 'c', 0, 0.4)]

    differences = paired_differences(rows, 'ours', 'base', 'absrel')

    assert differences == pytest.approx([(-0.2 - 0.1) / 2, 0.1])
