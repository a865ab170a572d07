"""Tables of results: by length, by method, in pairs, one row a result; as Markdown and CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import csv
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

import numpy as np

from depthsync_ros.evaluation.metrics import drift_removed
from depthsync_ros.evaluation.pairs import paired_differences, paired_interval
from depthsync_ros.evaluation.results import Row

PAIRS = (('depthsync', 'baseline'), ('depthsync', 'post_both'))
PAIRED_SCORES = {'AbsRel': 'absrel', 'MFC': 'mfc'}
REFERENCE = 'baseline'  # what the share of drift removed is against
EVERY_RESULT, BY_METHOD, IN_PAIRS = 'Every result', 'Methods', 'Differences'  # titles begin so
BLANK = '—'  # in Markdown and on the page; an empty cell in CSV
NUMBERS = re.compile(r'[\d.+\-/— ]*( to [\d.+\-]+)?')
# Columns of results.csv: what identifies a result, then its scores.
COLUMNS = (
    'dataset',
    'sequence',
    'method',
    'seed',
    'length',
    'frames',
    'alignment',
    'max_depth_m',
    'absrel',
    'delta1',
    'delta2',
    'delta3',
    'rmse_m',
    'log10',
    'mfc',
    'tae_percent',
    'oracle_absrel',
    'oracle_delta1',
    'excess',
    'drift_removed',
    'scale_drift',
    'ate_m',
    'rpe_trans_m',
    'rpe_rot_deg',
    'posed_frames',
    'missing_frames',
    'unknown_pixels',
    'seconds_per_frame',
    'cpu_seconds_per_frame',
    'threads',
    'processes',
    'peak_mb',
    'digest',
)
# Columns of table.csv, which has each sequence at its longest.
ABLATION = {
    'strategy': 'method',
    'sequence': 'sequence',
    'seed': 'seed',
    'frames': 'frames',
    'absrel': 'absrel',
    'delta1': 'delta1',
    'mfc': 'mfc',
    'oracle_absrel': 'oracle_absrel',
    'ate_m': 'ate_m',
    'rpe_trans_m': 'rpe_trans_m',
    'rpe_rot_deg': 'rpe_rot_deg',
    'seconds_per_frame': 'seconds_per_frame',
    'peak_mb': 'peak_mb',
}


@dataclass(frozen=True)
class Table:
    """A table with its title; cells are text."""

    title: str
    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Say which columns hold nothing but numbers, and are set to the right."""
        columns = zip(*self.body, strict=True)
        return tuple(all(NUMBERS.fullmatch(cell) for cell in column) for column in columns)

    def markdown(self) -> str:
        """Write it as Markdown that can be read as it is: columns are as wide as their cells."""
        columns = zip(self.head, *self.body, strict=True)
        widths = [max(3, *map(len, column)) for column in columns]  # a rule needs 3
        numeric = self.numeric

        def line(cells: Sequence[str]) -> str:
            padded = (
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(cells, widths, numeric, strict=True)
            )
            return f'| {" | ".join(padded)} |'

        rule = (
            f' {"-" * (width - 1)}: ' if right else f' {"-" * width} '
            for width, right in zip(widths, numeric, strict=True)
        )
        lines = [f'### {self.title}', '', line(self.head), f'|{"|".join(rule)}|']
        return '\n'.join([*lines, *map(line, self.body)]) + '\n'


def completed(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Add to each result its excess over the oracle and the share of drift it removes."""
    rows = [dict(row) for row in rows]
    reference = {_case(row): row for row in rows if row['method'] == REFERENCE}
    for row in rows:
        row['excess'] = _difference(row.get('absrel'), row.get('oracle_absrel'))
        base = reference.get(_case(row), {})
        numbers = (base.get('absrel'), row.get('absrel'), base.get('oracle_absrel'))
        row['drift_removed'] = None if None in numbers else drift_removed(*numbers)
    return rows


def shared(rows: Sequence[Row]) -> list[Row]:
    """Keep the cases (sequence, seed, length) for which every method has a result."""
    methods = {row['method'] for row in rows}
    having: dict[tuple[Any, ...], set[str]] = {}
    for row in rows:
        having.setdefault(_case(row), set()).add(row['method'])
    return [row for row in rows if having[_case(row)] == methods]


def longest(rows: Sequence[Row]) -> list[Row]:
    """Keep of each sequence, seed and method the result with the most frames."""
    best: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        place = row['dataset'], row['sequence'], row['seed'], row['method']
        if place not in best or row['frames'] > best[place]['frames']:
            best[place] = row
    return list(best.values())


def tables(rows: Sequence[Row]) -> list[Table]:
    """
    Make every table that the results support.

    The longest comes first and those that matter most last, where a terminal shows them; they
    are of the longest results.
    """
    rows = completed(rows)
    fair = shared(rows)
    made = [by_result(rows)]
    made.append(by_length(fair, 'Depth by length: AbsRel / δ1', _depth_cell))
    made.append(by_length(fair, 'Excess of AbsRel over the oracle, by length', _excess_cell))
    posed = shared([row for row in rows if row.get('ate_m') is not None])
    made.append(by_length(posed, 'Poses by length: ATE [m] / RPE [m] / RPE [deg]', _pose_cell))
    made.append(by_method(longest(fair)))
    made.append(in_pairs(longest(fair)))
    return [table for table in made if table.body]


def by_length(rows: Sequence[Row], title: str, cell: Callable[[Sequence[Row]], str]) -> Table:
    """Make a table of methods by lengths; the head says how many results are behind a mean."""
    lengths = sorted({row['length'] for row in rows}, key=lambda length: length or 10**9)
    methods = list(dict.fromkeys(row['method'] for row in rows))
    counts = [len({_case(row) for row in rows if row['length'] == length}) for length in lengths]
    head = [f'{_length(n)} (n={count})' for n, count in zip(lengths, counts, strict=True)]
    body = [
        (
            method,
            *(
                cell([r for r in rows if r['method'] == method and r['length'] == length])
                for length in lengths
            ),
        )
        for method in methods
    ]
    return Table(title, ('method', *head), tuple(body))


def by_method(rows: Sequence[Row]) -> Table:
    """Make the ablation's table: means over sequences and seeds that every method has."""
    columns = {
        'AbsRel': ('absrel', 3),
        'δ1': ('delta1', 3),
        'MFC': ('mfc', 4),
        'TAE [%]': ('tae_percent', 2),
        'oracle': ('oracle_absrel', 3),
        'excess': ('excess', 4),
        'scale drift': ('scale_drift', 3),
        'ATE [m]': ('ate_m', 4),
        'RPE [m]': ('rpe_trans_m', 4),
        'RPE [deg]': ('rpe_rot_deg', 3),
        's/frame': ('seconds_per_frame', 3),
        'missing frames': ('missing_frames', 1),
    }
    methods = list(dict.fromkeys(row['method'] for row in rows))
    body = []
    for method in methods:
        own = [row for row in rows if row['method'] == method]
        cells = [_shown(mean(own, name), digits) for name, digits in columns.values()]
        body.append((method, str(len(own)), _shown(_drift_removed(own, rows), 2), *cells))
    head = ('method', 'n', 'drift removed', *columns)
    return Table(f'{BY_METHOD}, mean over sequences and seeds that all have', head, tuple(body))


def in_pairs(rows: Sequence[Row]) -> Table:
    """Make the table of paired differences over sequences, with their 95 % intervals."""
    body = []
    for left, right in PAIRS:
        for label, score in PAIRED_SCORES.items():
            differences = paired_differences(rows, left, right, score)
            if differences:
                found = paired_interval(differences)
                interval = f'{found.low:+.4f} to {found.high:+.4f}' if found.n > 1 else BLANK
                body.append(
                    (
                        f'{left} - {right}',
                        label,
                        str(found.n),
                        f'{found.mean:+.4f}',
                        interval,
                        found.verdict,
                    )
                )
    head = ('difference', 'score', 'sequences', 'mean', '95 % interval', 'verdict')
    return Table(f'{IN_PAIRS}, paired by sequence', head, tuple(body))


def by_result(rows: Sequence[Row]) -> Table:
    """Make the table of every single result."""
    columns = ('sequence', 'method', 'seed')
    scores = {'absrel': 3, 'delta1': 3, 'mfc': 4, 'oracle_absrel': 3, 'ate_m': 4}
    body = [
        (
            *(str(row[name]) for name in columns),
            str(row['frames']),
            *(_shown(row.get(name), digits) for name, digits in scores.items()),
        )
        for row in rows
    ]
    head = (*columns, 'frames', 'AbsRel', 'δ1', 'MFC', 'oracle', 'ATE [m]')
    return Table(EVERY_RESULT, head, tuple(body))


def write_tables(rows: Sequence[Row], out: Path) -> list[Table]:
    """Write tables.md and the CSV files into a folder, and return the tables."""
    made = tables(rows)
    text = '\n'.join(table.markdown() for table in made)
    (out / 'tables.md').write_text(text, encoding='utf-8')
    write_csv(out / 'results.csv', {name: name for name in COLUMNS}, completed(rows))
    write_csv(out / 'table.csv', ABLATION, longest(rows))
    names = {
        'Depth': 'depth_by_length.csv',
        'Poses': 'poses_by_length.csv',
        BY_METHOD: 'methods.csv',
        IN_PAIRS: 'differences.csv',
    }
    for table in made:
        file = names.get(table.title.split()[0].rstrip(','))
        if file:
            with (out / file).open('w', newline='', encoding='utf-8') as stream:
                lines = ([cell.replace(BLANK, '') for cell in row] for row in table.body)
                csv.writer(stream).writerows([table.head, *lines])
    return made


def write_csv(file: Path, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Write results as CSV: the column's name, and the result's field it shows."""
    with file.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            values = [row.get(field) for field in columns.values()]
            writer.writerow(['' if value is None else value for value in values])


def mean(rows: Sequence[Row], name: str) -> float | None:
    """Average one score, None where no result has it."""
    values = [row[name] for row in rows if row.get(name) is not None]
    values = [value for value in values if np.isfinite(value)]
    return float(np.mean(values)) if values else None


def counted(count: int, what: str) -> str:
    """
    Say how many.

    >>> counted(1, 'frame'), counted(2, 'frame')
    ('1 frame', '2 frames')
    """
    return f'{count} {what}' if count == 1 else f'{count} {what}s'


def _drift_removed(own: Sequence[Row], rows: Sequence[Row]) -> float | None:
    """Give the share of the summed drift error: a mean of shares would follow the small ones."""
    base = [row for row in rows if row['method'] == REFERENCE]
    numbers = (mean(base, 'absrel'), mean(own, 'absrel'), mean(base, 'oracle_absrel'))
    return None if None in numbers else drift_removed(*numbers)


def _case(row: Row) -> tuple[Any, ...]:
    return row['dataset'], row['sequence'], row['seed'], row['length']


def _length(length: int) -> str:
    return f'{length} frames' if length else 'whole'


def _depth_cell(rows: Sequence[Row]) -> str:
    return f'{_shown(mean(rows, "absrel"), 3)} / {_shown(mean(rows, "delta1"), 3)}'


def _excess_cell(rows: Sequence[Row]) -> str:
    return _shown(mean(rows, 'excess'), 4)


def _pose_cell(rows: Sequence[Row]) -> str:
    names = {'ate_m': 4, 'rpe_trans_m': 4, 'rpe_rot_deg': 3}
    return ' / '.join(_shown(mean(rows, name), digits) for name, digits in names.items())


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def _shown(value: float | None, digits: int) -> str:
    return BLANK if value is None or not np.isfinite(value) else f'{value:.{digits}f}'
