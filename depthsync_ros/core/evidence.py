"""What else a robot knows at an image's stamp that tells metres."""

from collections import deque
from dataclasses import dataclass
import threading
from typing import Generic, TypeVar

import numpy as np

from depthsync_ros.core.shapes import Map, Pixels, Transform

MOST_POINTS = 2000  # of a depth image that are kept: a window's median wants no more
KEPT = 64  # measurements; two seconds of a depth camera

Measurement = TypeVar('Measurement')


@dataclass(frozen=True, eq=False)
class MetricDepth:
    """
    Depth that was measured at some pixels of an image of this width and height.

    Shapes: pixels (n, 2) as (u, v), depth_m (n,).
    Units: metres along the optical axis.
    """

    width: int
    height: int
    pixels: Pixels
    depth_m: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image it was measured in."""
        return self.width, self.height


@dataclass(frozen=True, eq=False)
class Evidence:
    """
    Metric knowledge of one frame; what is None is not known, and missing says why.

    Units: odom_T_cam in metres.
    Convention: odom_T_cam takes optical-frame points into the robot's odometry frame.
    """

    odom_T_cam: Transform | None = None
    depth: MetricDepth | None = None
    missing: str = ''

    def tells(self, source: str) -> bool:
        """Whether it holds what the metric source of this name reads."""
        return (self.odom_T_cam if source == 'odometry' else self.depth) is not None


NO_EVIDENCE = Evidence()


def thin_out(depth_m: Map) -> MetricDepth:
    """
    Keep a spread of the known pixels of a depth image.

    Units: metres; what is not finite and positive is unknown.
    """
    height, width = depth_m.shape
    known = np.flatnonzero(np.isfinite(depth_m) & (depth_m > 0.0))
    if len(known) > MOST_POINTS:
        known = known[np.linspace(0, len(known) - 1, MOST_POINTS).round().astype(int)]
    v, u = np.divmod(known, width)
    pixels = np.stack([u, v], axis=-1).astype(np.float64)
    return MetricDepth(width, height, pixels, depth_m.reshape(-1)[known].astype(np.float64))


class Recent(Generic[Measurement]):
    """The last measurements by their stamps; may be filled from another thread."""

    def __init__(self, slop_ns: int) -> None:
        self._slop_ns = slop_ns
        self._kept: deque[tuple[int, Measurement]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, stamp_ns: int, measured: Measurement) -> None:
        """Take the next one; one from the past begins anew, as a bag that is played again does."""
        with self._lock:
            if self._kept and stamp_ns < self._kept[-1][0]:
                self._kept.clear()
            self._kept.append((stamp_ns, measured))

    def nearest(self, stamp_ns: int) -> Measurement | None:
        """Give the one whose stamp is nearest; None where none is near enough."""
        with self._lock:
            kept = list(self._kept)
        if not kept:
            return None
        found_ns, found = min(kept, key=lambda one: abs(one[0] - stamp_ns))
        return found if abs(found_ns - stamp_ns) <= self._slop_ns else None

    def is_settled(self, stamp_ns: int) -> bool:
        """Whether nothing that is still to come can be nearer to this stamp."""
        with self._lock:
            return bool(self._kept) and self._kept[-1][0] >= stamp_ns
