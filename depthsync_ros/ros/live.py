"""Play frames into a live node over DDS and record what it publishes, as a robot would."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
import math
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
import yaml

from depthsync_ros.core.errors import DepthSyncError
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.settings import Value
from depthsync_ros.core.shapes import Map, Transform
from depthsync_ros.messages import Messages, nanoseconds, rotation_matrix
from depthsync_ros.msg import WindowReport
from depthsync_ros.ros.domain import own_domain
from depthsync_ros.ros.environment import ros_environment
from depthsync_ros.ros.main import spin_until_shutdown
from depthsync_ros.ros.words import RosWords

NODE = '/depthsync'
START_S = 180.0  # importing torch alone takes a busy machine a minute
DISCOVERY_S = 120.0
MODEL_LOAD_S = 300.0
FLUSH_S = 1800.0
ARRIVE_S = 60.0  # the longest that the last messages may be on their way
QUIET_S = 4.0  # without any change; diagnostics come every second
STOP_S = 120.0
HISTORY = QoSProfile(depth=2000)


class LiveError(DepthSyncError):
    """The node could not be started, or did not answer in time."""


@dataclass
class Recording:
    """
    What came out of a live node, in the order in which it came.

    Shapes: depth maps (height, width) float32 by the stamp of their image; world_T_cam by the
        same stamps, without those frames that have no pose.
    """

    sent_ns: list[int] = field(default_factory=list)
    depth: dict[int, Map] = field(default_factory=dict)
    order_ns: list[int] = field(default_factory=list)
    world_T_cam: dict[int, Transform] = field(default_factory=dict)
    reports: list[WindowReport] = field(default_factory=list)
    diagnostics: dict[str, str] = field(default_factory=dict)
    flushed: str = ''
    busy_s: float = 0.0  # wall time from the first frame's sending to the answer of the flush

    @property
    def dropped(self) -> int:
        """Images that the node says it dropped, by its last diagnostics."""
        return int(self.diagnostics['dropped'])

    @property
    def frames_per_s(self) -> float:
        """Frames that left, for each second of wall time that the node had."""
        return len(self.order_ns) / self.busy_s

    @property
    def matched(self) -> int:
        """Images that have reached the node's queue, as far as it has told."""
        return int(self.diagnostics.get('matched', '0'))

    @property
    def results(self) -> int:
        """How much has come out of the node."""
        return len(self.order_ns) + len(self.world_T_cam) + len(self.reports)


class Client(Node):
    """The robot's side: a camera that publishes, and a consumer that listens."""

    def __init__(self, context: Context, image_topic: str, info_topic: str) -> None:
        super().__init__('depthsync_client', context=context)
        self.recording = Recording()
        self._messages = Messages(RosWords())
        self.outputs = (
            self.create_publisher(Image, image_topic, HISTORY),
            self.create_publisher(CameraInfo, info_topic, HISTORY),
        )
        self.inputs = (
            self.create_subscription(Image, f'{NODE}/depth', self._on_depth, HISTORY),
            self.create_subscription(Odometry, f'{NODE}/odometry', self._on_odometry, HISTORY),
            self.create_subscription(
                WindowReport, f'{NODE}/window_report', self.recording.reports.append, HISTORY
            ),
            self.create_subscription(
                DiagnosticArray, '/diagnostics', self._on_diagnostics, HISTORY
            ),
        )
        self.lifecycle = self.create_client(ChangeState, f'{NODE}/change_state')
        self.flush = self.create_client(Trigger, f'{NODE}/flush')

    def send(self, frame: Frame) -> None:
        """Publish a frame's image and camera_info."""
        image, info = self.outputs
        info.publish(self._messages.camera_info(frame.stamp_ns, frame.frame_id, frame.camera))
        image.publish(self._messages.image(frame.stamp_ns, frame.frame_id, 'rgb8', frame.rgb))
        self.recording.sent_ns.append(frame.stamp_ns)

    def _on_depth(self, message: Image) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        values = np.frombuffer(message.data, '<f4').reshape(message.height, message.width)
        self.recording.depth[stamp_ns] = values.copy()
        self.recording.order_ns.append(stamp_ns)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.recording.diagnostics = {pair.key: pair.value for pair in status.values}

    def _on_odometry(self, message: Odometry) -> None:
        p, q = message.pose.pose.position, message.pose.pose.orientation
        world_T_cam = np.eye(4)
        world_T_cam[:3, :3] = rotation_matrix(np.array([q.x, q.y, q.z, q.w]))
        world_T_cam[:3, 3] = p.x, p.y, p.z
        self.recording.world_T_cam[nanoseconds(message.header.stamp)] = world_T_cam


def play(
    frames: Iterable[Frame],
    parameters: Mapping[str, Value],
    *,
    rate_hz: float,
    log: Path,
    beside: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Recording:
    """
    Start a node, play frames into it, flush, stop it; give what it published.

    Units: rate_hz frames a second, in wall time.

    :param log: where the node's own output goes.
    :param beside: what runs beside the node, such as another consumer of its topics.
    :raises LiveError: the node does not start, load its model or answer.
    """
    with _isolated(), beside(), _node(parameters, log), _client() as client:
        _change_state(client, Transition.TRANSITION_CONFIGURE, log)
        _change_state(client, Transition.TRANSITION_ACTIVATE, log)
        _wait(lambda: _connected(client), DISCOVERY_S, 'the topics to connect', log)
        start = time.monotonic()
        for number, frame in enumerate(frames):
            time.sleep(max(0.0, start + number / rate_hz - time.monotonic()))
            client.send(frame)
        recording = client.recording
        _settle(lambda: recording.matched, len(recording.sent_ns))
        answer = _call(client.flush, Trigger.Request(), FLUSH_S, log)
        recording.flushed = answer.message
        recording.busy_s = time.monotonic() - start
        _settle(lambda: recording.results)
        return recording


def _connected(client: Client) -> bool:
    heard = all(publisher.get_subscription_count() > 0 for publisher in client.outputs)
    topics = ('depth', 'odometry', 'window_report')
    return heard and all(client.count_publishers(f'{NODE}/{topic}') for topic in topics)


def _change_state(client: Client, transition: int, log: Path) -> None:
    request = ChangeState.Request(transition=Transition(id=transition))
    if not _call(client.lifecycle, request, MODEL_LOAD_S, log).success:
        raise LiveError(f'the node refused lifecycle transition {transition}; see {log}')


def _call(service: Any, request: Any, seconds: float, log: Path) -> Any:
    _wait(service.service_is_ready, START_S, f'service {service.srv_name}', log)
    future = service.call_async(request)
    _wait(future.done, seconds, f'an answer of {service.srv_name}', log)
    return future.result()


def _wait(done: Callable[[], bool], seconds: float, what: str, log: Path) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise LiveError(f'waited {seconds:.0f} s for {what}; the node says why in {log}')
        time.sleep(0.02)


def _settle(count: Callable[[], int], whole: float = math.inf) -> None:
    """Wait for messages on their way: until all have come, or nothing has for a while."""
    seen, end = count(), time.monotonic() + ARRIVE_S
    quiet_from = time.monotonic()
    while seen < whole and time.monotonic() < min(end, quiet_from + QUIET_S):
        time.sleep(0.05)
        if count() != seen:
            seen, quiet_from = count(), time.monotonic()


@contextmanager
def _isolated() -> Iterator[None]:
    """Keep the session's traffic on this machine and apart from any other."""
    with own_domain() as domain:
        added = {'ROS_DOMAIN_ID': str(domain), **ros_environment()}
        before = {name: os.environ.get(name) for name in added}
        os.environ.update(added)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextmanager
def _client() -> Iterator[Client]:
    context = Context()
    rclpy.init(context=context)
    executor = SingleThreadedExecutor(context=context)
    client = Client(context, '/image', '/camera_info')
    executor.add_node(client)
    thread = threading.Thread(target=spin_until_shutdown, args=(executor,), daemon=True)
    thread.start()
    try:
        yield client
    finally:
        executor.shutdown()
        thread.join()
        client.destroy_node()
        rclpy.shutdown(context=context)


@contextmanager
def _node(parameters: Mapping[str, Value], log: Path) -> Iterator[None]:
    """Run the node as a process of its own."""
    command = [sys.executable, '-m', 'depthsync_ros.ros.main', '--ros-args']
    with tempfile.TemporaryDirectory() as folder, log.open('w') as output:
        file = Path(folder, 'parameters.yaml')
        file.write_text(yaml.safe_dump({'/**': {'ros__parameters': dict(parameters)}}))
        command += [*_remappings(), '--params-file', str(file)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise LiveError(
                    f'the node did not end on SIGINT within {STOP_S:.0f} s; see {log}'
                ) from None


def _remappings() -> Sequence[str]:
    return ('-r', 'image:=/image', '-r', 'camera_info:=/camera_info')
