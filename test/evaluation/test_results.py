import json
import math

import pytest

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.results import digest, NAME, read_results, ResultsFile


def result(number: int, *, made_with: str = 'a') -> dict[str, object]:
    return {
        'dataset': 'd',
        'sequence': 's',
        'method': 'm',
        'seed': number,
        'length': 0,
        'digest': made_with,
        'absrel': 0.125,
    }


def test_what_is_appended_is_read_back(tmp_path) -> None:
    with ResultsFile(tmp_path) as results:
        results.append(result(0))
        results.append(result(1))

    assert read_results(tmp_path) == [result(0), result(1)]


def test_a_line_torn_at_any_byte_is_cut_off_and_the_others_stay(tmp_path) -> None:
    with ResultsFile(tmp_path) as results:
        results.append(result(0))
        results.append(result(1))
    whole = (tmp_path / NAME).read_bytes()
    first = whole.index(b'\n') + 1

    for kept in range(first + 1, len(whole)):
        (tmp_path / NAME).write_bytes(whole[:kept])
        with ResultsFile(tmp_path) as results:
            assert results.torn
            assert results.rows == [result(0)]
            assert not results.has(result(1))
            results.append(result(1))
        assert (tmp_path / NAME).read_bytes() == whole


def test_a_last_line_of_zeros_from_a_crashed_disk_is_cut_off(tmp_path) -> None:
    with ResultsFile(tmp_path) as results:
        results.append(result(0))
    with (tmp_path / NAME).open('ab') as stream:
        stream.write(b'\0' * 40 + b'\n')

    with ResultsFile(tmp_path) as results:
        assert results.rows == [result(0)]


def test_damage_in_the_middle_is_not_passed_over(tmp_path) -> None:
    (tmp_path / NAME).write_text('{}\n' + json.dumps(result(0)) + '\n')

    with pytest.raises(InputError, match='line 1 is not a result'), ResultsFile(tmp_path):
        pass


def test_a_result_of_other_settings_is_refused_not_mixed(tmp_path) -> None:
    with ResultsFile(tmp_path) as results:
        results.append(result(0))
        assert results.has(result(0))

        with pytest.raises(InputError, match='made with other settings'):
            results.has(result(0, made_with='b'))


def test_a_second_writer_is_refused_while_the_first_is_there(tmp_path) -> None:
    second = ResultsFile(tmp_path)
    with (
        ResultsFile(tmp_path),
        pytest.raises(InputError, match='another run is writing'),
        second,
    ):
        pass
    with second:
        pass


def test_numbers_that_json_cannot_say_become_null(tmp_path) -> None:
    with ResultsFile(tmp_path) as results:
        results.append(
            result(0) | {'mfc': math.nan, 'list': [1.0, math.inf], 'in': {'x': math.nan}}
        )

    row = read_results(tmp_path)[0]
    assert (row['mfc'], row['list'], row['in']) == (None, [1.0, None], {'x': None})


def test_the_digest_changes_with_a_setting_and_not_with_the_order() -> None:
    assert digest({'a': 1, 'b': 2.0}) == digest({'b': 2.0, 'a': 1})
    assert digest({'a': 1, 'b': 2.0}) != digest({'a': 1, 'b': 2.5})


def test_no_results_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match='is missing'):
        read_results(tmp_path)
