"""results.jsonl: one line a result, appended whole or not at all, read back after a crash."""

from collections.abc import Iterable, Mapping, Sequence
import fcntl
import hashlib
import json
import math
import os
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.strategies import STRATEGIES

Row: TypeAlias = Mapping[str, Any]

NAME = 'results.jsonl'
KEY = ('dataset', 'sequence', 'method', 'seed', 'length')
STRATEGY_RANK = {name: rank for rank, name in enumerate(STRATEGIES)}


def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Say what a result is of; two results never share it."""
    return tuple(row[name] for name in KEY)


def digest(facts: Mapping[str, Any]) -> str:
    """Give a short name of everything that a result depends on."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Sort results: by sequence, seed, length (whole last) and method, the strategies first.

    Tables then do not depend on which result was made first.
    """

    def place(row: Mapping[str, Any]) -> tuple[Any, ...]:
        rank = STRATEGY_RANK.get(row['method'], len(STRATEGY_RANK))
        length = row['length'] or math.inf
        return row['dataset'], row['sequence'], row['seed'], length, rank, row['method']

    return [dict(row) for row in sorted(rows, key=place)]


class ResultsFile:
    """
    The results of one output folder. Use it in a with statement: one writer at a time.

    A line that a crash tore is cut off when the file is opened; its result is then missing and
    is made again.

    :raises InputError: another run writes here, or a line in the middle is not a result.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.torn = False
        self.rows: list[dict[str, Any]] = []
        self._descriptor = -1

    def __enter__(self) -> 'ResultsFile':
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise InputError(
                f'another run is writing {self.path}; wait for it, or choose another --out'
            ) from None
        whole = _whole_lines(self.path.read_bytes())
        self.torn = len(whole) < self.path.stat().st_size
        if self.torn:
            os.ftruncate(self._descriptor, len(whole))
        self.rows = parse(whole, self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def has(self, wanted: Mapping[str, Any]) -> bool:
        """
        Say whether this result is there.

        :raises InputError: it is there, made with other settings.
        """
        for row in self.rows:
            if key(row) == key(wanted):
                if row['digest'] != wanted['digest']:
                    raise InputError(
                        f'{self.path} holds {key(wanted)} made with other settings '
                        f'({_changes(row, wanted)}); choose another --out'
                    )
                return True
        return False

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a result; it is on disk when this returns."""
        line = json.dumps(without_nan(row), sort_keys=False) + '\n'
        os.write(self._descriptor, line.encode())
        os.fsync(self._descriptor)
        self.rows.append(json.loads(line))


def read_results(folder: Path) -> list[dict[str, Any]]:
    """
    Read the results of a folder in order, without its torn last line if there is one.

    :raises InputError: there are none, or a line is not a result.
    """
    path = folder / NAME
    if not path.exists():
        raise InputError(f'{path} is missing: run `depthsync evaluate` with --out {folder} first')
    return in_order(parse(_whole_lines(path.read_bytes()), path))


def parse(lines: bytes, path: Path) -> list[dict[str, Any]]:
    """
    Read whole lines.

    :raises InputError: one of them is not a result.
    """
    rows = []
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            row = json.loads(line)
            key(row)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f'{path}, line {number} is not a result ({error!r}); move the file away'
            ) from None
        rows.append(row)
    return rows


def without_nan(value: Any) -> Any:
    """Replace what JSON cannot say (NaN, infinity) by null, at any depth."""
    if isinstance(value, Mapping):
        return {name: without_nan(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_nan(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _changes(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say which facts of a result differ from what is wanted."""
    old, new = ({**facts, **facts.get('settings', {})} for facts in (row, wanted))
    said = [
        f'{name} was {old.get(name)}, now {new[name]}'
        for name in new
        if name not in {'settings', 'digest'} and old.get(name) != new[name]
    ]
    return '; '.join(said) or f'digest was {row["digest"]}, now {wanted["digest"]}'


def _whole_lines(data: bytes) -> bytes:
    """Drop what follows the last newline, and a last line of a crashed disk that is no JSON."""
    whole = data[: data.rfind(b'\n') + 1]
    last = whole[:-1].rfind(b'\n') + 1
    if whole:
        try:
            json.loads(whole[last:])
        except ValueError:
            return whole[:last]
    return whole
