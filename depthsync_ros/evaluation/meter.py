"""What a method costs: seconds and memory."""

from pathlib import Path
from time import perf_counter, process_time

MEGABYTE = 1e6


class Meter:
    """
    Measures what happens in its with blocks, and the process's peak memory since it was made.

    Units: seconds of the wall clock; cpu_seconds of all threads of the process.
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._peak_bytes = 0
        _forget_peak()

    def __enter__(self) -> 'Meter':
        self._start, self._cpu_start = perf_counter(), process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += perf_counter() - self._start
        self.cpu_seconds += process_time() - self._cpu_start

    def branch(self) -> 'Meter':
        """Give a meter of the same past, to measure one of two ways to go on."""
        self._peak_bytes = max(self._peak_bytes, _peak_bytes())
        twin = Meter.__new__(Meter)
        twin.__dict__.update(self.__dict__)
        return twin

    def go_on(self) -> None:
        """Leave out of the peak what others did since the branch."""
        _forget_peak()

    def peak_mb(self, held_bytes: int) -> float:
        """Give the peak less what the evaluation itself held; NaN where the system is silent."""
        peak = max(self._peak_bytes, _peak_bytes())
        return (peak - held_bytes) / MEGABYTE if peak else float('nan')


def _forget_peak() -> None:
    """Forget the process's peak memory, where Linux allows it."""
    try:
        Path('/proc/self/clear_refs').write_text('5', encoding='ascii')
    except OSError:
        return  # the peak then includes what came before


def _peak_bytes() -> int:
    """Give the process's peak memory since it was forgotten, 0 where the system is silent."""
    try:
        status = Path('/proc/self/status').read_text(encoding='ascii')
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    return 0
