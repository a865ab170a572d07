"""Predictions and trajectories that another program saved."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.settings import Value
from depthsync_ros.core.shapes import Map, Maps, Transform
from depthsync_ros.datasets.sequence import read_tum_poses, to_ns, Video
from depthsync_ros.datasets.tum import associate
from depthsync_ros.evaluation.methods import Prediction

ARRAYS = ('disparity', 'depth', 'arr_0')  # names in an .npz, in this order
STEPS_PER_METRE = 1000.0  # of a 16-bit PNG of metric depth; others have no unit
WITHIN_NS = 20_000_000


@dataclass(frozen=True)
class SavedDepth:
    """
    Depth of every frame from files.

    folder/SEQUENCE.npz (frames, height, width), or folder/SEQUENCE/ with one .npz or 16-bit .png
    for each frame of the sequence, in the order of their names. kind is what they hold:
    'disparity' or 'depth', each up to a scale and shift, or 'metric' depth: metres in .npz,
    millimetres in .png. Values that are not finite, and 0 in a .png of depth, are unknown.
    """

    folder: Path
    kind: str

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    def facts(self) -> Mapping[str, Value]:
        """Say where they are from and what they are taken for."""
        return {'folder': str(self.folder.resolve()), 'kind': self.kind}

    def predict(
        self, video: Video, lengths: Sequence[int], step: Callable[[], None]
    ) -> Iterator[tuple[int, Prediction]]:
        """
        Give the leading frames for each length.

        :raises InputError: there is no file of this sequence, or too few frames.
        """
        longest = max(lengths)
        values = self._read(video.name, longest)
        if len(values) < longest:
            raise InputError(
                f'{self.folder} holds {len(values)} frames of {video.name}, {longest} are '
                'needed; score shorter lengths, or save the whole prediction'
            )
        for _ in range(longest):
            step()
        for length in lengths:
            yield length, Prediction(values[:length], self.kind, [None] * length)

    def _read(self, sequence: str, count: int) -> Maps:
        packed, folder = self.folder / f'{sequence}.npz', self.folder / sequence
        if packed.exists():
            values = _array(packed)
            if values.ndim != 3:
                raise InputError(f'{packed} is {values.shape}, not (frames, height, width)')
            return values.astype(np.float32)
        files = sorted(file for file in folder.glob('*') if file.suffix in {'.npz', '.png'})
        if not files:
            raise InputError(
                f'{self.folder} holds neither {sequence}.npz nor {sequence}/ with .npz or .png'
            )
        return np.stack([self._frame(file) for file in files[:count]])

    def _frame(self, file: Path) -> Map:
        if file.suffix == '.npz':
            return _array(file).astype(np.float32).squeeze()
        steps = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if steps is None or steps.dtype != np.uint16 or steps.ndim != 2:
            raise InputError(f'{file} is not a 16-bit image of one channel')
        values = steps.astype(np.float32)
        if self.kind != 'disparity':
            values[steps == 0] = np.nan
        return values / STEPS_PER_METRE if self.kind == 'metric' else values


@dataclass(frozen=True)
class SavedPoses:
    """
    Trajectories from folder/SEQUENCE.txt: TUM lines, camera to world, optical frame.

    A line belongs to the frame of the nearest stamp within 20 ms; where the first column counts
    frames from 0 (whole numbers below the number of frames), to that frame.
    """

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    def facts(self) -> Mapping[str, Value]:
        """Say where they are from."""
        return {'folder': str(self.folder.resolve()), 'kind': 'none'}

    def predict(
        self, video: Video, lengths: Sequence[int], step: Callable[[], None]
    ) -> Iterator[tuple[int, Prediction]]:
        """
        Give the leading poses for each length.

        :raises InputError: there is no file of this sequence, or no line fits a frame.
        """
        file = self.folder / f'{video.name}.txt'
        seconds, poses = read_tum_poses(file)
        placed = _placed(seconds, [shot.stamp_ns for shot in video.shots])
        if not placed:
            raise InputError(
                f'{file}: no line is within 20 ms of a frame of {video.name}; its times must be '
                "the dataset's, or count frames from 0"
            )
        found: list[Transform | None] = [None] * len(video)
        for frame, line in placed:
            found[frame] = poses[line]
        for _ in range(max(lengths)):
            step()
        for length in lengths:
            nothing = np.zeros((length, 0, 0), np.float32)
            yield length, Prediction(nothing, 'none', found[:length])


def _placed(seconds: np.ndarray, stamps_ns: Sequence[int]) -> list[tuple[int, int]]:
    """Pair frames with lines."""
    whole = np.round(seconds)
    counts = np.array_equal(whole, seconds) and len(set(whole)) == len(whole)
    if counts and whole.min() >= 0 and whole.max() < len(stamps_ns):
        return [(int(frame), line) for line, frame in enumerate(whole)]
    lines_ns = np.array([to_ns(second) for second in seconds], np.int64)
    return associate(np.array(stamps_ns, np.int64), lines_ns, WITHIN_NS)


def _array(file: Path) -> np.ndarray:
    try:
        with np.load(file) as arrays:
            for name in ARRAYS:
                if name in arrays.files:
                    return np.asarray(arrays[name])
            found = ', '.join(arrays.files)
    except (OSError, ValueError) as error:
        raise InputError(f'{file} is not an .npz file: {error}') from None
    raise InputError(f'{file} holds {found}; the array must be called {" or ".join(ARRAYS)}')
