"""The other side of the topics: a camera, and a consumer of what the node publishes."""

import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
import numpy as np
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from depthsync_ros.msg import WindowReport
from depthsync_ros.ros.main import spin_until_shutdown

HEIGHT, WIDTH = 48, 64
PERIOD_NS = 33_333_333
FIRST_NS = 1_700_000_000_000_000_123
FRAME_ID = 'camera_optical'
STEP_M = 0.02  # of the camera between two images, to its left
ANSWER_S = 300.0  # of a machine that does much else; a failure alone takes so long
DEEP = QoSProfile(depth=1000)
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
    'shutdown': Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    'shutdown_active': Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


class NodeProcess:
    """The node in a process of its own, as a robot has it."""

    def __init__(
        self, environment: dict[str, str], name: str = 'depthsync', **parameters: str
    ) -> None:
        self.name = name
        given = [word for key, value in parameters.items() for word in ('-p', f'{key}:={value}')]
        script = Path(__file__).with_name('node_process.py')
        self.process = subprocess.Popen(
            [sys.executable, str(script), '--ros-args', '-r', f'__node:={name}', *given],
            env=environment,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        return '\n'.join(self.lines)

    def close(self) -> int:
        """Leave as Ctrl-C does; give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(ANSWER_S)
        self._reader.join()
        self.process.stdout.close()
        return code

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip())


@dataclass(frozen=True)
class Received:
    depth: list[Image] = field(default_factory=list)
    infos: list[CameraInfo] = field(default_factory=list)
    odometry: list[Odometry] = field(default_factory=list)
    reports: list[WindowReport] = field(default_factory=list)
    transforms: list[TFMessage] = field(default_factory=list)


class Robot:
    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self.node = Node('robot', context=self._context)
        self._images = self.node.create_publisher(Image, 'image', DEEP)
        self._infos = self.node.create_publisher(CameraInfo, 'camera_info', DEEP)
        self._name = ''
        self._subscriptions: list[Any] = []
        self._clients: dict[str, Any] = {}
        self.received = Received()
        self.status: DiagnosticStatus | None = None
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_status, DEEP)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._spinning = threading.Thread(target=spin_until_shutdown, args=(self._executor,))
        self._spinning.start()

    def attend(self, node: NodeProcess) -> None:
        """Forget what was heard, and hear this node from now on."""
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self._name, self.status, self.received = node.name, None, Received()
        self._subscriptions = [
            self.node.create_subscription(kind, topic, into.append, DEEP)
            for kind, topic, into in (
                (Image, f'/{node.name}/depth', self.received.depth),
                (CameraInfo, f'/{node.name}/depth/camera_info', self.received.infos),
                (Odometry, f'/{node.name}/odometry', self.received.odometry),
                (WindowReport, f'/{node.name}/window_report', self.received.reports),
                (TFMessage, '/tf', self.received.transforms),
            )
        ]

    def close(self) -> None:
        self._executor.shutdown()
        self._context.try_shutdown()
        self._spinning.join()

    # ---- the camera -----------------------------------------------------------------------------

    def play(self, numbers: Iterable[int], period_s: float = 0.0, **changes: Any) -> None:
        for number in numbers:
            self._infos.publish(camera_info(number))
            self._images.publish(image(number, **changes))
            time.sleep(period_s)

    def publish_image_alone(self, number: int) -> None:
        self._images.publish(image(number))

    def activate(self) -> None:
        """
        Activate the node and wait until both input topics and the depth are connected.

        What an earlier activation left has to be gone first, or it would pass for this one's.
        """
        wait_until(
            lambda: (
                not (self._images.get_subscription_count() or self._infos.get_subscription_count())
            ),
            'the last activation to end',
        )
        self.change('activate')
        wait_until(
            lambda: (
                self._images.get_subscription_count()
                and self._infos.get_subscription_count()
                and all(self.node.count_publishers(s.topic_name) for s in self._subscriptions)
            ),
            'connections',
        )

    # ---- the operator ---------------------------------------------------------------------------

    def change(self, *transitions: str) -> None:
        for transition in transitions:
            assert self.try_change(transition), transition

    def try_change(self, transition: str) -> bool:
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
        return self._call(ChangeState, f'/{self._name}/change_state', request).success

    def state(self) -> str:
        return self._call(
            GetState, f'/{self._name}/get_state', GetState.Request()
        ).current_state.label

    def trigger(self, name: str) -> Trigger.Response:
        return self._call(Trigger, f'/{self._name}/{name}', Trigger.Request())

    def set_parameter(self, name: str, value: Any) -> tuple[bool, str]:
        parameters = [Parameter(name, value=value).to_parameter_msg()]
        request = SetParameters.Request(parameters=parameters)
        result = self._call(SetParameters, f'/{self._name}/set_parameters', request).results[0]
        return result.successful, result.reason

    def flush_all(self, sent: int) -> Trigger.Response:
        """Flush once all that was sent has arrived: a service call may overtake images."""
        self.wait_for_value('matched', sent)
        return self.trigger('flush')

    def values(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.status.values} if self.status else {}

    def message(self) -> str:
        return self.status.message if self.status else ''

    def wait_for_value(self, key: str, value: Any) -> None:
        deadline = time.monotonic() + ANSWER_S
        while self.values().get(key) != str(value):
            assert time.monotonic() < deadline, f'no {key} = {value} in {self.values()}'
            time.sleep(0.02)

    def _call(self, kind: Any, name: str, request: Any) -> Any:
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        assert client.wait_for_service(ANSWER_S), f'{name} does not exist'
        future = client.call_async(request)
        wait_until(future.done, f'an answer of {name}')
        return future.result()

    def _on_status(self, message: DiagnosticArray) -> None:
        if message.status[0].name == self._name:
            self.status = message.status[0]


def stamp_ns(number: int) -> int:
    return FIRST_NS + number * PERIOD_NS


def stamps_of(messages: Iterable[Any]) -> list[int]:
    return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]


def image(number: int, **changes: Any) -> Image:
    """Make an image of a texture that moves by a pixel a frame."""
    texture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    rgb = np.roll(texture, number, axis=1)
    fields = {
        'height': HEIGHT,
        'width': WIDTH,
        'encoding': 'rgb8',
        'step': 3 * WIDTH,
        'data': array.array('B', rgb.tobytes()),
        **changes,
    }
    message = Image(**fields)
    _stamp(message.header, number)
    return message


def camera_info(number: int) -> CameraInfo:
    message = CameraInfo(height=HEIGHT, width=WIDTH, distortion_model='plumb_bob', d=[0.0] * 5)
    message.k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    _stamp(message.header, number)
    return message


def odom_to_camera(number: int, parent: str = 'odom', child: str = FRAME_ID) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns(number), 10**9)
    message.transform.translation.x = -STEP_M * number
    message.transform.rotation.w = 1.0
    return message


def wait_until(done: Callable[[], Any], what: str = 'it', seconds: float = ANSWER_S) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f'waited {seconds} s for {what}'
        time.sleep(0.02)


def _stamp(header: Any, number: int) -> None:
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns(number), 10**9)
    header.frame_id = FRAME_ID
