"""What the node publishes of each frame and window."""

from collections.abc import Sequence

from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from depthsync_ros.core.frames import DepthFrame, WindowReport
from depthsync_ros.messages import Messages, MILLIMETRES
from depthsync_ros.msg import WindowReport as WindowReportMessage
from depthsync_ros.ros.arrangements import Placement
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.diagnostics import OutputHealth
from depthsync_ros.ros.path import Path
from depthsync_ros.ros.qos import result_qos
from depthsync_ros.ros.robot_tf import RobotTf
from depthsync_ros.ros.settings import NodeSettings
from depthsync_ros.ros.topic import Topic
from depthsync_ros.ros.words import RosWords

TOPICS = {
    'depth': Image,
    'depth/camera_info': CameraInfo,
    'depth/compressedDepth': CompressedImage,
    'confidence': Image,
    'points': PointCloud2,
    'odometry': Odometry,
    'path': PathMessage,
    'window_report': WindowReportMessage,
}
NO_MILLIMETRES = (
    'depth is all 0, unknown: 16UC1 is millimetres, and the metric scale is not known yet'
)


class Publishers:
    """Every topic of results; headers are the image's own, messages are made for listeners."""

    def __init__(
        self, node: Node, settings: NodeSettings, window_length: int, make: Messages | None = None
    ) -> None:
        self._make = make or Messages(RosWords())
        self._encoding = settings.output.depth_encoding
        self._most_poses = settings.output.path_poses
        qos = result_qos(window_length)
        self.topics = {name: Topic(node, kind, f'~/{name}', qos) for name, kind in TOPICS.items()}
        self.robot = RobotTf(node, settings.tf, self._make, qos)
        self.metric = False
        self.report: WindowReport | None = None  # the last one
        self._last: DepthFrame | None = None
        self._path, self._path_frame = Path(self._most_poses), ''

    def close(self) -> None:
        """Take the topics back."""
        self.robot.close()
        for topic in self.topics.values():
            topic.close()

    def arrive(self, arrival: Arrival) -> None:
        """See an image that has just arrived: tf may have forgotten it when its depth leaves."""
        self.robot.arrive(arrival)

    def publish_frames(self, frames: Sequence[DepthFrame]) -> None:
        """
        Publish all there is of some frames.

        Their tf goes first, in one message: whoever gets a depth image may look it up at once.
        After a burst of images a middleware may take seconds to deliver what it had lost.
        """
        placed = [(frame, self.robot.place(frame)) for frame in frames]
        self.robot.send((frame.stamp_ns, one.tf) for frame, one in placed if one and one.tf)
        for frame, placement in placed:
            self._publish_frame(frame, placement)

    def _publish_frame(self, frame: DepthFrame, placement: Placement | None) -> None:
        make, topics = self._make, self.topics
        if self._starts_anew(frame):
            self._path = Path(self._most_poses)
        self._last, self.metric = frame, frame.metric
        if placement is not None:
            self._publish_odometry(frame, placement)
        topics['depth/camera_info'].publish(
            make.camera_info, frame.stamp_ns, frame.frame_id, frame.camera
        )
        topics['depth'].publish(make.depth_image, frame, self._encoding)
        topics['depth/compressedDepth'].publish(make.compressed_depth, frame, self._encoding)
        topics['confidence'].publish(make.confidence_image, frame)
        topics['points'].publish(make.point_cloud, frame)

    def publish_report(self, report: WindowReport) -> None:
        """Publish what happened to one window, and the way so far."""
        self.report = report
        self.topics['window_report'].publish(self._make.window_report, report)
        if self._path.poses:
            self.topics['path'].publish(
                self._make.path, self._path_frame, self._path.stamps_ns, self._path.poses
            )

    def health(self) -> OutputHealth:
        """Say what left, and what was withheld."""
        blind = self._encoding == MILLIMETRES and self._last is not None and not self.metric
        warnings = [NO_MILLIMETRES] if blind else []
        if self.robot.warning:
            warnings.append(self.robot.warning)
        return OutputHealth(self.robot.values(), tuple(warnings))

    def _publish_odometry(self, frame: DepthFrame, placement: Placement) -> None:
        link = placement.odometry
        self.topics['odometry'].publish(
            self._make.odometry,
            frame.stamp_ns,
            link.parent,
            link.child,
            link.parent_T_child,
            placement.covariance,
        )
        self._path_frame = link.parent
        self._path.add(frame.stamp_ns, link.parent_T_child)

    def _starts_anew(self, frame: DepthFrame) -> bool:
        """Whether the frame's world, or its unit, is another than the last one's."""
        if self._last is None or self.robot.arrangement.needs_metres:
            return False
        return (frame.run, frame.metric) != (self._last.run, self._last.metric)
