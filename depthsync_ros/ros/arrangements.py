"""How the camera's poses enter the robot's tf: one class for each tf.arrangement."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from depthsync_ros.core.frames import DepthFrame
from depthsync_ros.core.rigid import invert
from depthsync_ros.core.shapes import Covariance, Transform
from depthsync_ros.ros.settings import TfSettings


@dataclass(frozen=True, eq=False)
class Link:
    """Where one frame is in another."""

    parent: str
    child: str
    parent_T_child: Transform


@dataclass(frozen=True, eq=False)
class Placement:
    """What a posed frame becomes: a transform for tf, and the pose that odometry and path hold."""

    tf: Link | None
    odometry: Link
    covariance: Covariance


class Arrangement(Protocol):
    """
    Places posed frames, in the order in which they leave.

    target is the frame in which the image's frame is to be looked up, '' where nothing is;
    needs_metres says that frames which are not metric cannot be placed.
    """

    target: str
    needs_metres: bool

    def place(self, frame: DepthFrame, target_T_cam: Transform) -> Placement:
        """Place a frame that has a pose; target_T_cam is at its stamp, identity without target."""
        ...


def arrange(settings: TfSettings) -> Arrangement:
    """Make the arrangement that the settings name."""
    robots = {'odom_to_base': OdomToBase, 'map_to_odom': MapToOdom}
    if settings.arrangement in robots:
        return robots[settings.arrangement](settings)
    return CameraInWorld(settings)


class CameraInWorld:
    """
    The run's world as it is: the camera's pose in it, and nothing of the robot.

    In tf it is the child of the image's frame, or the parent of a frame of our own, or absent.
    """

    target, needs_metres = '', False

    def __init__(self, settings: TfSettings) -> None:
        self._settings = settings

    def place(self, frame: DepthFrame, target_T_cam: Transform) -> Placement:
        """See Arrangement."""
        world, pose = self._settings.world_frame, frame.world_T_cam
        links = {
            'camera_to_world_child': Link(frame.frame_id, world, invert(pose)),
            'world_to_camera': Link(world, self._settings.camera_frame, pose),
        }
        odometry = Link(world, frame.frame_id, pose)
        link = links.get(self._settings.arrangement)
        return Placement(link, odometry, frame.pose_covariance)


class OdomToBase:
    """
    Visual odometry: the robot's base in a frame that begins where the base was.

    A later run goes on where the last one ended, as odometry must; what the robot did between
    them is not known. REP 105 leaves where odometry begins to us.
    """

    needs_metres = True

    def __init__(self, settings: TfSettings) -> None:
        self._settings = settings
        self.target = settings.base_frame
        self._anchor = Anchor()
        self._odom_T_base = np.eye(4)

    def place(self, frame: DepthFrame, target_T_cam: Transform) -> Placement:
        """See Arrangement."""
        cam_T_base = invert(target_T_cam)
        world_T_base = frame.world_T_cam @ cam_T_base
        odom_T_world = self._anchor.hold(frame, self._odom_T_base @ invert(world_T_base))
        self._odom_T_base = odom_T_world @ world_T_base
        link = Link(self._settings.odom_frame, self._settings.base_frame, self._odom_T_base)
        arm = odom_T_world[:3, :3] @ frame.world_T_cam[:3, :3] @ cam_T_base[:3, 3]
        return Placement(link, link, moved(frame.pose_covariance, odom_T_world, arm))


class MapToOdom:
    """
    A correction of the robot's odometry, which brings odom -> base itself.

    The map begins as the odometry's frame; a later run begins where odometry, corrected as it
    was last, says that the camera is.
    """

    needs_metres = True

    def __init__(self, settings: TfSettings) -> None:
        self._settings = settings
        self.target = settings.odom_frame
        self._anchor = Anchor()
        self._map_T_odom = np.eye(4)

    def place(self, frame: DepthFrame, target_T_cam: Transform) -> Placement:
        """See Arrangement."""
        expected = self._map_T_odom @ target_T_cam
        map_T_world = self._anchor.hold(frame, expected @ invert(frame.world_T_cam))
        map_T_cam = map_T_world @ frame.world_T_cam
        self._map_T_odom = map_T_cam @ invert(target_T_cam)
        names = self._settings
        link = Link(names.map_frame, names.odom_frame, self._map_T_odom)
        odometry = Link(names.map_frame, frame.frame_id, map_T_cam)
        return Placement(link, odometry, moved(frame.pose_covariance, map_T_world, np.zeros(3)))


class Anchor:
    """Where a run's world is in a frame that outlives the run: settled with its first frame."""

    def __init__(self) -> None:
        self._run = 0
        self._fixed_T_world = np.eye(4)

    def hold(self, frame: DepthFrame, proposed: Transform) -> Transform:
        """Give where the frame's world is; what was proposed counts on a run's first frame."""
        if frame.run != self._run:
            self._run, self._fixed_T_world = frame.run, proposed
        return self._fixed_T_world


def moved(covariance: Covariance, a_T_world: Transform, arm: np.ndarray) -> Covariance:
    """
    Carry a pose's covariance to axes of frame a, and to a point `arm` (in these axes) away.

    The arm turns uncertainty of rotation into uncertainty of position: dx' = dx + turn x arm.
    """
    axes = np.kron(np.eye(2), a_T_world[:3, :3])
    x, y, z = arm
    lever = np.eye(6)
    lever[:3, 3:] = -np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    both = lever @ axes
    carried: Covariance = both @ covariance @ both.T
    return carried
