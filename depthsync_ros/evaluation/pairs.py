"""How sure a difference between two methods is, from the sequences that both were run on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.results import Row

CONFIDENCE = 0.95
FEW = 5  # sequences: below, an interval is wide and rests on the differences being normal


@dataclass(frozen=True)
class Interval:
    """
    A mean difference over n sequences, and the interval that holds it with 95 % confidence.

    low and high are NaN where there are fewer than two sequences.
    """

    n: int
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What may be concluded, in words."""
        if self.n < 2:
            return 'no interval: it needs at least 2 sequences'
        words = 'includes zero' if self.low <= 0.0 <= self.high else 'excludes zero'
        return f'{words}; only {self.n} sequences: too few to rely on' if self.n < FEW else words


def paired_interval(differences: Sequence[float]) -> Interval:
    """
    Give Student's interval of a mean of paired differences, n - 1 degrees of freedom.

    :raises InputError: scipy is not installed.
    """
    values = np.asarray(differences, float)
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Interval(n, mean, float('nan'), float('nan'))
    half = _quantile(n - 1) * float(values.std(ddof=1)) / float(np.sqrt(n))
    return Interval(n, mean, mean - half, mean + half)


def paired_differences(rows: Sequence[Row], left: str, right: str, score: str) -> list[float]:
    """
    Give left minus right for each sequence, a mean over seeds and lengths that both have.

    A sequence's seeds are one sample, not several: they share what is hard about it.
    """
    values: dict[str, dict[tuple[Any, ...], float]] = {left: {}, right: {}}
    for row in rows:
        if row['method'] in values and row.get(score) is not None:
            case = row['dataset'], row['sequence'], row['seed'], row['length']
            values[row['method']][case] = row[score]
    by_sequence: dict[tuple[Any, ...], list[float]] = {}
    for case in sorted(values[left].keys() & values[right].keys()):
        by_sequence.setdefault(case[:2], []).append(values[left][case] - values[right][case])
    return [float(np.mean(own)) for own in by_sequence.values()]


def _quantile(freedom: int) -> float:
    try:
        from scipy.stats import t  # noqa: PLC0415  optional, and slow to import
    except ImportError as error:
        raise InputError('intervals need scipy: pip install scipy') from error
    return float(t.ppf(0.5 + CONFIDENCE / 2.0, freedom))
