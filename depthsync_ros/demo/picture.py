"""The demo's picture: what the camera saw, what came out, what is true, and the path."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from depthsync_ros.core.shapes import Map, RgbImage

NEAR_FAR_PERCENTILES = (2.0, 98.0)


@dataclass(frozen=True, eq=False)
class Row:
    """One frame of the picture; depth and truth in the same unit."""

    seconds: float
    rgb: RgbImage
    depth: Map
    truth: Map


def draw(
    rows: Sequence[Row], path: np.ndarray, true_path: np.ndarray, title: str, file: Path
) -> None:
    """
    Write the picture.

    Shapes: path and true_path (frames, 3), positions in the same frame, metres.
    """
    figure = Figure(figsize=(15, 2.3 * len(rows) + 0.6), layout='constrained')
    left, right = figure.subfigures(1, 2, width_ratios=[2.1, 1.0])
    figure.suptitle(title, fontsize=11)
    axes = left.subplots(len(rows), 3, squeeze=False)
    for number, (row, line) in enumerate(zip(rows, axes, strict=True)):
        _draw_row(row, line, with_titles=number == 0)
    _draw_path(right.subplots(), path, true_path)
    figure.savefig(file, dpi=80)


def _draw_row(row: Row, axes: Sequence[Axes], *, with_titles: bool) -> None:
    far, near = np.nanpercentile(1.0 / row.truth, NEAR_FAR_PERCENTILES)
    axes[0].imshow(row.rgb)
    axes[0].set_ylabel(f'{row.seconds:.1f} s')
    for axis, depth in zip(axes[1:], (row.depth, row.truth), strict=True):
        image = axis.imshow(1.0 / depth, cmap='turbo', vmin=far, vmax=near)
    axes[2].figure.colorbar(image, ax=axes[2], label='1 / depth [1/m]')
    for axis, name in zip(axes, ('camera', 'depthsync (aligned)', 'truth'), strict=True):
        axis.set(xticks=[], yticks=[])
        if with_titles:
            axis.set_title(name)


def _draw_path(axis: Axes, path: np.ndarray, true_path: np.ndarray) -> None:
    axis.plot(true_path[:, 0], true_path[:, 1], 'k-', linewidth=1.0, label='truth')
    axis.plot(path[:, 0], path[:, 1], 'C1-', label='depthsync (Sim(3) aligned)')
    axis.plot(*true_path[0, :2], 'ko', label='start')
    axis.set(title='trajectory from above', xlabel='x [m]', ylabel='y [m]', aspect='equal')
    axis.grid(visible=True, alpha=0.3)
    axis.legend(loc='upper center', bbox_to_anchor=(0.5, -0.3))
