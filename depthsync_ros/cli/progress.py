"""How far a run is, on stderr: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Callable
import sys
import time
from types import TracebackType
from typing import Protocol, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task

LINE_INTERVAL_S = 10.0


class Counts(Protocol):
    """What is shown; frames_expected is 0 where nobody knows, windows may be other units."""

    @property
    def frames_expected(self) -> int: ...
    @property
    def frames_in(self) -> int: ...
    @property
    def windows(self) -> int: ...


class ProgressBar:
    """A bar of rich's. Use it in a with statement and call it with the counts."""

    def __init__(self, unit: str = 'windows') -> None:
        self._progress = _bar(unit)
        self._task = self._progress.add_task('frames', total=None, windows=0)

    def __enter__(self) -> 'ProgressBar':
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, counts: Counts) -> None:
        """Show the counts."""
        self._progress.update(
            self._task,
            total=counts.frames_expected or None,
            completed=counts.frames_in,
            windows=counts.windows,
        )


class ProgressLines:
    """A plain line every ten seconds, for logs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, unit: str = 'windows') -> None:
        self._clock, self._unit = clock, unit
        self._start = self._last = clock()

    def __enter__(self) -> 'ProgressLines':
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, counts: Counts) -> None:
        """Write a line if it is time for one."""
        now = self._clock()
        if now - self._last < LINE_INTERVAL_S or not counts.frames_in:
            return
        self._last = now
        fps = counts.frames_in / (now - self._start)
        total, left = '', ''
        if counts.frames_expected:
            total = f'/{counts.frames_expected}'
            left = f', {(counts.frames_expected - counts.frames_in) / fps:.0f} s left'
        sys.stderr.write(
            f'depthsync: {counts.frames_in}{total} frames, {counts.windows} {self._unit}, '
            f'{fps:.2f} frames/s{left}\n'
        )
        sys.stderr.flush()


def show_progress(unit: str = 'windows') -> ProgressBar | ProgressLines:
    """Choose what stderr can show; unit says what counts.windows counts."""
    return ProgressBar(unit) if sys.stderr.isatty() else ProgressLines(unit=unit)


def _bar(unit: str) -> 'Progress':
    from rich.console import Console  # noqa: PLC0415  takes 0.1 s, wanted on terminals alone
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class Rate(ProgressColumn):
        def render(self, task: 'Task') -> Text:
            fps = task.completed / task.elapsed if task.elapsed else 0.0
            return Text(f'{fps:.2f} frames/s')

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f'frames, {{task.fields[windows]}} {unit},'),
        Rate(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
