"""Following points through the video."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from depthsync_ros.core.shapes import Ids, Mask, Pixels, RgbImage

REFERENCE_WIDTH = 320  # pixel thresholds are meant for an image this wide
MAX_WIDTH = 640  # larger images are tracked at this width
FORWARD_BACKWARD_PX = 0.7
MIN_DISTANCE_PX = 7.0
QUALITY = 0.005
PATCH = (15, 15)
LEVELS = 3


@dataclass(frozen=True, eq=False)
class FrameTracks:
    """
    The points seen in one frame.

    Shapes: ids (points,), pixels (points, 2) as (u, v) of the full image, distorted as it is.
    The same id in two frames is the same point of the scene.
    """

    ids: Ids
    pixels: Pixels


@dataclass(frozen=True, eq=False)
class WindowTracks:
    """
    Tracks of several frames as one table.

    Shapes: pixels (frames, points, 2), NaN where not visible; visible (frames, points); ids
        (points,) rising, the same in every window that sees a point.
    """

    pixels: Pixels
    visible: Mask
    ids: Ids

    def frames(self, rows: Sequence[int]) -> 'WindowTracks':
        """Keep some of the frames."""
        return WindowTracks(self.pixels[list(rows)], self.visible[list(rows)], self.ids)


class PointTracker:
    """
    Follow corner points from frame to frame, replacing those that are lost.

    Source: Bouguet 2001, pyramidal Lucas-Kanade; Shi and Tomasi 1994 for the corners; Kalal et
    al. 2010 for the forward-backward check. All through OpenCV.
    """

    def __init__(self, max_tracks: int) -> None:
        self._max_tracks = max_tracks
        self._next_id = 0
        self._grey: np.ndarray = np.zeros((0, 0), np.uint8)
        self._ids = np.zeros(0, np.int64)
        self._points = np.zeros((0, 2), np.float32)

    def track(self, rgb: RgbImage) -> FrameTracks:
        """Take the next frame; give the points seen in it. A new image size starts anew."""
        grey: np.ndarray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        factor = min(1.0, MAX_WIDTH / grey.shape[1])
        if factor < 1.0:
            grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        if grey.shape == self._grey.shape:
            self._follow(grey)
        else:
            self._ids, self._points = self._ids[:0], self._points[:0]
        self._grey = grey
        self._replenish()
        x = (rgb.shape[1] / grey.shape[1], rgb.shape[0] / grey.shape[0])
        pixels = (self._points.astype(np.float64) + 0.5) * x - 0.5
        return FrameTracks(self._ids.copy(), pixels)

    def _follow(self, grey: np.ndarray) -> None:
        if not len(self._points):
            return
        forward, found, _ = self._flow(self._grey, grey, self._points)
        backward, returned, _ = self._flow(grey, self._grey, forward)
        error = np.linalg.norm(backward - self._points, axis=1)
        height, width = grey.shape
        inside = ((forward >= 0.0) & (forward <= (width - 1.0, height - 1.0))).all(axis=1)
        limit = FORWARD_BACKWARD_PX * width / REFERENCE_WIDTH
        kept = (found[:, 0] == 1) & (returned[:, 0] == 1) & (error < limit) & inside
        self._ids, self._points = self._ids[kept], forward[kept]

    def _flow(
        self, source: np.ndarray, target: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.03)
        moved, found, error = cv2.calcOpticalFlowPyrLK(
            source,
            target,
            points,
            np.zeros_like(points),
            winSize=PATCH,
            maxLevel=LEVELS,
            criteria=criteria,
        )
        return moved, found, error

    def _replenish(self) -> None:
        wanted = self._max_tracks - len(self._points)
        if wanted < self._max_tracks // 4:
            return
        distance = MIN_DISTANCE_PX * self._grey.shape[1] / REFERENCE_WIDTH
        free = np.full(self._grey.shape, 255, np.uint8)
        for u, v in self._points:
            cv2.circle(free, (round(float(u)), round(float(v))), round(distance), 0, -1)
        corners = cv2.goodFeaturesToTrack(self._grey, wanted, QUALITY, distance, mask=free)
        if corners is None or not len(corners):
            return
        fresh = corners.reshape(-1, 2)
        ids = np.arange(self._next_id, self._next_id + len(fresh), dtype=np.int64)
        self._next_id += len(fresh)
        self._ids = np.concatenate([self._ids, ids])
        self._points = np.concatenate([self._points, fresh]).astype(np.float32)


def tabulate(frames: Sequence[FrameTracks], *, min_views: int = 3) -> WindowTracks:
    """Put the frames' points into one table, keeping those seen in at least min_views frames."""
    ids, counts = np.unique(np.concatenate([frame.ids for frame in frames]), return_counts=True)
    ids = ids[counts >= min(min_views, len(frames))]
    pixels = np.full((len(frames), len(ids), 2), np.nan)
    for row, frame in zip(pixels, frames, strict=True):
        columns = np.searchsorted(ids, frame.ids)
        columns = np.minimum(columns, max(len(ids) - 1, 0))
        known = ids[columns] == frame.ids if len(ids) else np.zeros(len(frame.ids), bool)
        row[columns[known]] = frame.pixels[known]
    return WindowTracks(pixels, np.isfinite(pixels[..., 0]), ids)
