"""What a window is solved against, and what is known of its frames before and after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from depthsync_ros.core.backbone import Backbone, Conditioning
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.landmarks import Landmarks, NO_LANDMARKS
from depthsync_ros.core.scale import Gauge
from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.core.shapes import Covariance, Latents, Map, Transform
from depthsync_ros.core.shift import Shift
from depthsync_ros.core.tracks import FrameTracks


@dataclass(frozen=True, eq=False)
class Accepted:
    """A frame that has its place in the run, and the points tracked into it."""

    index: int
    frame: Frame
    tracks: FrameTracks


@dataclass(frozen=True, eq=False)
class Solved:
    """
    What is known of a frame after a window has had it.

    aligned is disparity before it was bent, to which the next window's is fitted: a bend handed
    on would add up.

    Shapes: latents (channels, rows, cols); disparity, aligned (height, width) at the network's
        size.
    Units: both are the run's global disparity; pose_covariance as DepthFrame has it, in the
        run's unit.
    """

    accepted: Accepted
    conditioning: Conditioning
    latents: Latents
    disparity: Map
    aligned: Map
    world_T_cam: Transform | None
    pose_covariance: Covariance


@dataclass(frozen=True)
class Run:
    """
    What stays the same, or goes on, from window to window of one run.

    last_pose is world_T_cam of the last frame that had one, None before any: the first camera
    with a pose makes the world. landmarks are the points that a window may be fitted to besides
    its predecessor.
    """

    gauge: Gauge
    shift: Shift
    last_pose: Transform | None
    landmarks: Landmarks = NO_LANDMARKS


@dataclass(frozen=True, eq=False)
class WindowContext:
    """
    One window to be solved.

    known are the window's leading frames as earlier windows left them; the last `held` of them
    have not been published and are blended with this window's view. run is None for the
    first window of a run. go_on is called before each step; it raises Cancelled to end here.
    """

    backbone: Backbone
    settings: DepthSyncSettings
    frames: tuple[Accepted, ...]
    known: tuple[Solved, ...]
    held: int
    run: Run | None
    go_on: Callable[[], None] = lambda: None

    @property
    def new(self) -> tuple[Accepted, ...]:
        """The frames no earlier window had."""
        return self.frames[len(self.known) :]

    @property
    def camera(self) -> Camera:
        """The camera of all frames."""
        return self.frames[0].frame.camera

    @property
    def world_T_known(self) -> list[Transform | None]:
        """Poses of the known frames, as earlier windows left them."""
        return [solved.world_T_cam for solved in self.known]

    @property
    def landmarks(self) -> Landmarks:
        """What earlier windows have placed."""
        return self.run.landmarks if self.run else NO_LANDMARKS

    @property
    def uses_landmarks(self) -> bool:
        """Whether this window is fitted to landmarks: asked for, and there are some."""
        return self.settings.scale.align and self.settings.scale.anchors and bool(self.landmarks)

    def thinned(self, rows: Sequence[int]) -> 'WindowContext':
        """Give the window of some of its frames alone, in order."""
        known = [self.known[row] for row in rows if row < len(self.known)]
        frames = tuple(self.frames[row] for row in rows)
        held = sum(len(self.known) - self.held <= row < len(self.known) for row in rows)
        return replace(self, frames=frames, known=tuple(known), held=held)
