"""Which frames each window of a run saw, and which of them left with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SeenWindow:
    """
    The frames of one window, by their numbers in the video, ascending.

    Where frames were lost, they are not consecutive. Frames before first_out had left when the
    window was solved, and stay as they were; frames from there on that an earlier window also
    saw are faded from one to the other.
    """

    frames: tuple[int, ...]
    first_out: int

    def among(self, delivered: np.ndarray) -> 'SeenWindow':
        """
        Count the frames anew, as if the others had never been.

        Shapes: delivered (frames of the video,), true where a frame is counted.
        """
        place = np.cumsum(delivered) - 1
        frames = tuple(int(place[i]) for i in self.frames if delivered[i])
        return SeenWindow(frames, int(np.count_nonzero(delivered[: self.first_out])))


def consecutive(windows: Sequence[range]) -> tuple[SeenWindow, ...]:
    """Say that every shared frame waited for the later window, as where overlaps never grow."""
    return tuple(SeenWindow(tuple(window), window.start) for window in windows)
