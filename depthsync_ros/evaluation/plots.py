"""Plots of results as SVG and PNG, by matplotlib (an optional extra)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.results import Row
from depthsync_ros.evaluation.tables import completed, counted, longest, mean, shared

FOLDER = 'plots'
SIZE_INCHES = (7.2, 3.6)


def write_plots(rows: Sequence[Row], out: Path) -> list[str]:
    """
    Write the plots the results support and return their names below out, SVG only.

    :raises InputError: matplotlib is not installed.
    """
    pyplot = _pyplot()
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    rows = completed(rows)
    fair = shared(rows)
    files = []
    for name, label in (
        ('absrel', 'AbsRel'),
        ('excess', 'AbsRel over the oracle'),
        ('ate_m', 'ATE [m]'),
        ('mfc', 'MFC'),
    ):
        figure = _against_length(pyplot, fair, name, label)
        if figure is not None:
            files.append(_save(pyplot, figure, out, f'{name}_by_length'))
    whole = _first_seeds(longest(rows))
    for sequence in dict.fromkeys(row['sequence'] for row in whole):
        own = [row for row in whole if row['sequence'] == sequence]
        for make in (_window_scales, _trajectory):
            figure = make(pyplot, own)
            if figure is not None:
                files.append(_save(pyplot, figure, out, f'{make.__name__[1:]}-{sequence}'))
    return files


def _pyplot() -> Any:
    try:
        import matplotlib as mpl  # noqa: PLC0415  optional, and slow to import
    except ImportError as error:
        raise InputError('plots need matplotlib: pip install matplotlib') from error
    mpl.use('Agg')
    from matplotlib import pyplot  # noqa: PLC0415

    return pyplot


def _first_seeds(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row['seed'] == min(other['seed'] for other in rows)]


def same_sequences(rows: Sequence[Row]) -> list[Row]:
    """
    Keep the lengths that every sequence has, of those sequences that have several.

    A line over lengths then does not bend because other videos come in.
    """
    frames: dict[tuple[Any, ...], set[int]] = {}
    for row in rows:
        frames.setdefault((row['dataset'], row['sequence']), set()).add(row['frames'])
    several = {sequence: own for sequence, own in frames.items() if len(own) > 1}
    common = set.intersection(*several.values()) if several else set()
    return [
        row
        for row in rows
        if row['frames'] in common and (row['dataset'], row['sequence']) in several
    ]


def _against_length(pyplot: Any, rows: Sequence[Row], name: str, label: str) -> Any:
    rows = same_sequences(rows)
    frames = sorted({row['frames'] for row in rows})
    if len(frames) < 2 or mean(rows, name) is None:
        return None
    figure, axes = pyplot.subplots(figsize=SIZE_INCHES, layout='constrained')
    for method in dict.fromkeys(row['method'] for row in rows):
        own = [row for row in rows if row['method'] == method]
        points = [(n, mean([row for row in own if row['frames'] == n], name)) for n in frames]
        points = [point for point in points if point[1] is not None]
        axes.plot(*zip(*points, strict=True), marker='o', markersize=3, label=method)
    count = len({row['sequence'] for row in rows})
    axes.set(xlabel='frames', ylabel=label, title=f'{label}, mean of {counted(count, "sequence")}')
    axes.set_xticks(frames)
    axes.grid(alpha=0.3)
    _legend(figure)
    return figure


def _window_scales(pyplot: Any, rows: Sequence[Row]) -> Any:
    """Plot each window's scale, as a share of the video's."""
    rows = [row for row in rows if len(row.get('window_scales', ())) > 1]
    if not rows:
        return None
    figure, axes = pyplot.subplots(figsize=SIZE_INCHES, layout='constrained')
    for row in rows:
        scales = [float('nan') if scale is None else scale for scale in row['window_scales']]
        axes.plot([start for start, _ in row['windows']], scales, marker='o', label=row['method'])
    axes.axhline(1.0, color='grey', linewidth=0.8)
    title = f"{rows[0]['sequence']}: each window's scale"
    axes.set(xlabel="window's first frame", ylabel='depth / true depth', title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    _legend(figure)
    return figure


def _trajectory(pyplot: Any, rows: Sequence[Row]) -> Any:
    """Plot the paths seen along the axis in which the true one extends least."""
    rows = [row for row in rows if row.get('trajectory')]
    if not rows:
        return None
    true = np.array(rows[0]['true_trajectory'], float)  # null becomes NaN
    extents = np.nanmax(true, axis=0) - np.nanmin(true, axis=0)
    first, second = sorted(np.argsort(extents)[1:])
    figure, axes = pyplot.subplots(figsize=SIZE_INCHES, layout='constrained')
    axes.plot(true[:, first], true[:, second], color='black', label='truth')
    for row in rows:
        path = np.array(row['trajectory'], float)
        axes.plot(path[:, first], path[:, second], label=row['method'])
    axes.set(xlabel=f'{"xyz"[first]} [m]', ylabel=f'{"xyz"[second]} [m]', aspect='equal')
    axes.set_title(f"{rows[0]['sequence']}: the camera's path")
    _legend(figure)
    return figure


def _legend(figure: Any) -> None:
    """Name the lines beside the plot, where they hide none."""
    figure.legend(loc='outside right upper', fontsize='small', frameon=False)


def _save(pyplot: Any, figure: Any, out: Path, name: str) -> str:
    for kind in ('svg', 'png'):
        figure.savefig(out / FOLDER / f'{name}.{kind}', dpi=120)
    pyplot.close(figure)
    return f'{FOLDER}/{name}.svg'
