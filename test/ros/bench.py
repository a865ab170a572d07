"""A worker on its own: frames in by hand, results kept."""

from functools import partial

from fakes import FakeBackbone
from rclpy.logging import get_logger
from robot import camera_info, image

from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.ros import convert
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.inbox import Command, Inbox
from depthsync_ros.ros.ledger import Ledger
from depthsync_ros.ros.worker import FLUSH, Worker


class Kept:
    """Results that are kept."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.reports = 0

    def publish_frames(self, frames) -> None:
        self.stamps += [frame.stamp_ns for frame in frames]

    def publish_report(self, report) -> None:
        self.reports += 1


class Bench:
    """A worker on its own: frames in by hand, results kept."""

    def __init__(self, backbone: FakeBackbone, **changes) -> None:
        values = {name.replace('__', '.'): value for name, value in changes.items()}
        self.settings = with_values(DepthSyncSettings(), values)
        self.pipeline = Pipeline(backbone, self.settings)
        self.ledger, self.inbox, self.kept = Ledger(), Inbox(1000), Kept()
        self.start()

    def start(self) -> None:
        self.inbox = Inbox(1000)
        self.worker = Worker(
            self.pipeline,
            self.kept,
            self.ledger,
            self.inbox,
            decode=partial(convert.frame, rectified=False),
            settings=lambda: self.settings,
            logger=get_logger('bench'),
        )
        self.worker.start()

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.put_messages(image(number), camera_info(number))

    def put_messages(self, image, info) -> None:
        self.ledger.count('images')
        self.ledger.count('matched')
        self.inbox.put(Arrival(image, info, 0.0))

    def flush(self) -> tuple[bool, str]:
        command = Command(FLUSH)
        assert self.inbox.put_command(command), self.worker.bug
        return command.wait()
