"""What goes into the pipeline and what comes out: frozen records, checked at the door."""

from dataclasses import dataclass

import numpy as np

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.evidence import Evidence, NO_EVIDENCE
from depthsync_ros.core.shapes import Covariance, Map, RgbImage, Transform


@dataclass(frozen=True, eq=False)
class Frame:
    """
    One camera image with its calibration.

    Shapes: rgb (height, width, 3) uint8, as large as camera says.
    Units: stamp_ns integer nanoseconds, the input header's own.
    Convention: frame_id names the optical frame (x right, y down, z forward; REP 103).

    :raises InputError: rgb does not fit the calibration, or the stamp is not an integer.
    """

    stamp_ns: int
    frame_id: str
    rgb: RgbImage
    camera: Camera
    evidence: Evidence = NO_EVIDENCE

    def __post_init__(self) -> None:
        expected = (self.camera.height, self.camera.width, 3)
        if self.rgb.shape != expected or self.rgb.dtype != np.uint8:
            raise InputError(
                f'frame {self.stamp_ns}: rgb is {self.rgb.dtype} {self.rgb.shape}, '
                f'its calibration says uint8 {expected}; publish the camera_info that belongs '
                'to this image'
            )
        if not isinstance(self.stamp_ns, int) or self.stamp_ns < 0:
            raise InputError(
                f'a frame is stamped {self.stamp_ns!r}; stamps are integer nanoseconds >= 0'
            )


@dataclass(frozen=True, eq=False)
class DepthFrame:
    """
    The finished depth of one accepted frame.

    Shapes: depth (height, width) float32, as large as the input image; rgb is that image.
    Units: metres along the optical axis (REP 118) where metric; otherwise the run's own
        constant unit. NaN marks unknown depth.
    Convention: world_T_cam takes optical-frame points into the run's world, in depth's unit;
        None where no pose could be derived, which is never replaced by a guess.
        pose_covariance is of its position and its rotation about the world's axes, relative to
        the frames that earlier windows placed; NaN where unknown.

    index counts accepted frames of this run from 0; runs, each with a unit and a world of its
    own, are numbered from 1.
    """

    run: int
    index: int
    stamp_ns: int
    frame_id: str
    depth: Map
    metric: bool
    camera: Camera
    world_T_cam: Transform | None
    pose_covariance: Covariance
    rgb: RgbImage


@dataclass(frozen=True)
class StageSeconds:
    """Wall seconds a window spent in each stage."""

    encode: float = 0.0
    denoise: float = 0.0
    decode: float = 0.0
    align: float = 0.0
    pose: float = 0.0

    @property
    def total(self) -> float:
        """All stages together."""
        return self.encode + self.denoise + self.decode + self.align + self.pose


@dataclass(frozen=True)
class WindowReport:
    """
    What happened to one window.

    Units: scale and shift make the run's global disparity from this window's [0, 1]
        disparity, D = scale * d + shift; depth is 1 / (D + disparity_shift). The residuals are
        medians of |difference| / reference disparity over the overlap, before and after the fit
        (NaN for a window that has no predecessor). pose_residual_px is the median
        reprojection error of the posed tracks (NaN without poses).

    Where metric_scale is known, it turned the run's unit into metres for the frames that left
    with this window; the last of them has it. metric_uncertainty is its relative standard
    deviation. metric_frames of the window's frames came with metric evidence.

    frame_count frames from first_index on were denoised together; new_frames of them had no
    earlier window.
    """

    index: int
    first_index: int
    frame_count: int
    new_frames: int
    first_stamp_ns: int
    last_stamp_ns: int
    frame_id: str
    scale: float
    shift: float
    disparity_shift: float
    metric: bool
    seam_pixels: int
    seam_residual_before: float
    seam_residual_after: float
    tracks: int
    posed_frames: int
    pose_residual_px: float
    seconds: StageSeconds
    notes: tuple[str, ...] = ()
    metric_source: str = 'none'
    metric_scale: float = float('nan')
    metric_uncertainty: float = float('inf')
    metric_frames: int = 0

    @property
    def unit(self) -> str:
        """The unit of depth and translation, in words for a person."""
        return 'metre' if self.metric else 'constant unit of this run (not metres)'


@dataclass(frozen=True)
class Dropped:
    """Accepted frames that will never leave, and the sentence that says why."""

    stamps_ns: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Output:
    """What one call of the pipeline finished: frames in order, the windows behind them, losses."""

    frames: tuple[DepthFrame, ...] = ()
    reports: tuple[WindowReport, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    def __add__(self, later: 'Output') -> 'Output':
        return Output(
            self.frames + later.frames,
            self.reports + later.reports,
            self.dropped + later.dropped,
        )
