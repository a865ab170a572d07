"""The book of every image: received = published + dropped + waiting, at any moment."""

from collections import Counter
from dataclasses import dataclass
import threading

# Why images were dropped. One image, one reason; the diagnostics list them by these names.
QUEUE_FULL = 'queue full'
THINNED = 'left out to keep up'
REFUSED = 'refused input'
WINDOW_LOST = 'window lost'
RESET = 'reset'
DEACTIVATED = 'deactivated'
NO_CAMERA_INFO = 'no camera_info with its stamp'
BUG = 'worker stopped by a bug'


@dataclass(frozen=True)
class Counts:
    """The ledger at one moment."""

    images: int
    infos: int
    matched: int
    accepted: int
    published: int
    dropped_for: dict[str, int]
    windows: int
    windows_lost: int
    runs: int
    latency_s: float
    longest_latency_s: float
    last_loss: str

    @property
    def dropped(self) -> int:
        """Images that will never leave."""
        return sum(self.dropped_for.values())

    @property
    def waiting(self) -> int:
        """Images that were received and have neither left nor been dropped."""
        return self.images - self.published - self.dropped

    @property
    def unmatched(self) -> int:
        """Images that still wait for their camera_info."""
        return self.images - self.matched - self.dropped_for.get(NO_CAMERA_INFO, 0)

    def __str__(self) -> str:
        reasons = ', '.join(f'{count} {why}' for why, count in self.dropped_for.items())
        return (
            f'{self.images} images in, {self.published} published, {self.dropped} dropped'
            f'{f" ({reasons})" if reasons else ""}, {self.waiting} waiting'
        )


class Ledger:
    """Counts from ROS's threads and the worker's; every call is atomic."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._latency_s = float('nan')
        self._longest_latency_s = 0.0
        self._last_loss = ''

    def count(self, what: str, number: int = 1) -> None:
        """Add to images, infos, matched, accepted, windows, windows_lost or runs."""
        with self._lock:
            self._counts[what] += number

    def published(self, latency_s: float) -> None:
        """Book one image as published, that many seconds after it was received."""
        with self._lock:
            self._counts['published'] += 1
            self._latency_s = latency_s
            self._longest_latency_s = max(self._longest_latency_s, latency_s)

    def dropped(self, number: int, why: str, sentence: str = '') -> None:
        """Book images as dropped; the sentence tells a person more than the reason's name."""
        if number:
            with self._lock:
                self._dropped[why] += number
                self._last_loss = sentence or why

    def close(self, why: str) -> int:
        """Book everything that is still waiting as dropped, at the end of a run; say how many."""
        counts = self.counts()
        self.dropped(counts.unmatched, NO_CAMERA_INFO)
        rest = counts.waiting - counts.unmatched
        self.dropped(rest, why)
        return rest

    def counts(self) -> Counts:
        """Read everything at one moment."""
        with self._lock:
            return Counts(
                images=self._counts['images'],
                infos=self._counts['infos'],
                matched=self._counts['matched'],
                accepted=self._counts['accepted'],
                published=self._counts['published'],
                dropped_for=dict(self._dropped),
                windows=self._counts['windows'],
                windows_lost=self._counts['windows_lost'],
                runs=self._counts['runs'],
                latency_s=self._latency_s,
                longest_latency_s=self._longest_latency_s,
                last_loss=self._last_loss,
            )
