"""Everything that is made of results.jsonl: tables, plots and the page."""

from collections.abc import Sequence
from pathlib import Path

from depthsync_ros.evaluation.page import write_page
from depthsync_ros.evaluation.plots import write_plots
from depthsync_ros.evaluation.results import Row
from depthsync_ros.evaluation.tables import Table, write_tables


def render(rows: Sequence[Row], out: Path) -> list[Table]:
    """
    Write tables.md, the CSV files, the plots and index.html, and return the tables.

    :raises InputError: matplotlib is not installed.
    """
    tables = write_tables(rows, out)
    write_page(rows, tables, write_plots(rows, out), out)
    return tables
