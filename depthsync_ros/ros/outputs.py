"""What the node publishes of each frame and window."""

from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from tf2_ros import TransformBroadcaster

from depthsync_ros.core.frames import DepthFrame, WindowReport
from depthsync_ros.messages import Messages
from depthsync_ros.msg import WindowReport as WindowReportMessage
from depthsync_ros.ros.qos import result_qos
from depthsync_ros.ros.settings import TfSettings
from depthsync_ros.ros.words import RosWords


class Publishers:
    """Depth, its camera_info, odometry, window reports and tf; headers are the image's own."""

    def __init__(self, node: Node, tf: TfSettings, window_length: int) -> None:
        self._node = node
        self._tf = tf
        self._messages = Messages(RosWords())
        qos = result_qos(window_length)
        self._depth = node.create_publisher(Image, '~/depth', qos)
        self._info = node.create_publisher(CameraInfo, '~/depth/camera_info', qos)
        self._odometry = node.create_publisher(Odometry, '~/odometry', qos)
        self._report = node.create_publisher(WindowReportMessage, '~/window_report', qos)
        self.metric = False
        self.report: WindowReport | None = None  # the last one
        self._broadcaster = None
        if tf.arrangement != 'off':
            self._broadcaster = TransformBroadcaster(node, qos)

    def close(self) -> None:
        """Take the topics back."""
        publishers = [self._depth, self._info, self._odometry, self._report]
        if self._broadcaster is not None:
            publishers.append(self._broadcaster.pub_tf)
        for publisher in publishers:
            self._node.destroy_publisher(publisher)

    def publish_frame(self, frame: DepthFrame) -> None:
        """Publish the depth, and the pose where there is one: tf first, the depth needs it."""
        self.metric = frame.metric
        make, stamp_ns, frame_id = self._messages, frame.stamp_ns, frame.frame_id
        if frame.world_T_cam is not None:
            if self._broadcaster is not None:
                transform = make.world_transform(stamp_ns, frame_id, frame.world_T_cam)
                transform.child_frame_id = self._tf.world_frame
                self._broadcaster.sendTransform(transform)
            odometry = make.odometry(stamp_ns, frame_id, frame.world_T_cam)
            odometry.header.frame_id = self._tf.world_frame
            self._odometry.publish(odometry)
        self._info.publish(make.camera_info(stamp_ns, frame_id, frame.camera))
        self._depth.publish(make.depth_image(frame))

    def publish_report(self, report: WindowReport) -> None:
        """Publish what happened to one window."""
        self.report = report
        self._report.publish(self._messages.window_report(report))
