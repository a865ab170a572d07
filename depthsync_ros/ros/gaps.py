"""Noticing, by their stamps, that images did not arrive."""

from collections import deque
from statistics import median

INTERVALS = 30
LONG_INTERVAL = 1.7  # times the usual one: at least one image is missing
FEW = 5  # intervals that make a usual one


class GapCounter:
    """Counts the images that should have come between two that did, by their stamps."""

    def __init__(self) -> None:
        self.missing = 0
        self._last_ns = 0
        self._intervals_ns: deque[int] = deque(maxlen=INTERVALS)

    def see(self, stamp_ns: int) -> None:
        """Take the next image's stamp."""
        interval_ns, self._last_ns = stamp_ns - self._last_ns, stamp_ns
        if interval_ns <= 0 or interval_ns == stamp_ns:
            return
        if len(self._intervals_ns) >= FEW:
            usual_ns = median(self._intervals_ns)
            if interval_ns > LONG_INTERVAL * usual_ns:
                self.missing += round(interval_ns / usual_ns) - 1
        self._intervals_ns.append(interval_ns)
