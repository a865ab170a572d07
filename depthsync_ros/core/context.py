"""What a window is solved against, and what is known of its frames before and after."""

from dataclasses import dataclass

from depthsync_ros.core.backbone import Backbone, Conditioning
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.scale import Gauge
from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.core.shapes import Latents, Map, Transform
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

    Shapes: latents (channels, rows, cols); disparity (height, width) at the network's size.
    Units: disparity is the run's global disparity.
    """

    accepted: Accepted
    conditioning: Conditioning
    latents: Latents
    disparity: Map
    world_T_cam: Transform | None


@dataclass(frozen=True)
class Run:
    """
    What stays the same, or goes on, from window to window of one run.

    has_world says that a window has had poses: its first camera made the world.
    """

    gauge: Gauge
    shift: Shift
    has_world: bool


@dataclass(frozen=True, eq=False)
class WindowContext:
    """
    One window to be solved.

    known are the window's leading frames as earlier windows left them; the last `held` of them
    have not been published and are blended with this window's view. run is None for the
    first window of a run.
    """

    backbone: Backbone
    settings: DepthSyncSettings
    frames: tuple[Accepted, ...]
    known: tuple[Solved, ...]
    held: int
    run: Run | None

    @property
    def new(self) -> tuple[Accepted, ...]:
        """The frames no earlier window had."""
        return self.frames[len(self.known) :]

    @property
    def camera(self) -> Camera:
        """The camera of all frames."""
        return self.frames[0].frame.camera
