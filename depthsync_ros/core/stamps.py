"""What is kept of frames while the pipeline has them."""

from typing import Generic, TypeVar

Number = TypeVar('Number', int, float)


class ByStamp(Generic[Number]):
    """
    A number for each frame in the pipeline, found by its stamp; of equal stamps the oldest first.

    A recording that starts again brings stamps that may still be in the pipeline.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, list[Number]] = {}

    def add(self, stamp_ns: int, number: Number) -> None:
        """Keep a number for the frame that is pushed next."""
        self._numbers.setdefault(stamp_ns, []).append(number)

    def leave(self, stamp_ns: int) -> Number:
        """Give the number of a frame that left or was dropped, and forget it."""
        return self._pop(stamp_ns, 0)

    def take_back(self, stamp_ns: int) -> None:
        """Forget the frame that was added last: it was refused."""
        self._pop(stamp_ns, -1)

    def look_up(self, stamp_ns: int, otherwise: Number) -> Number:
        """Give a frame's number, which it keeps."""
        return self._numbers.get(stamp_ns, [otherwise])[0]

    def __len__(self) -> int:
        return sum(map(len, self._numbers.values()))

    def _pop(self, stamp_ns: int, place: int) -> Number:
        numbers = self._numbers[stamp_ns]
        number = numbers.pop(place)
        if not numbers:
            del self._numbers[stamp_ns]
        return number
