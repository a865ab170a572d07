"""The node's process: start, spin, leave in order at SIGINT or SIGTERM."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
import signal
import sys
import threading

import rclpy
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.models.load import load_backbone
from depthsync_ros.ros.node import DepthSyncNode, LoadBackbone

# One thread for each of the node's callback groups, so that none waits for another.
THREADS = 6


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is told to leave; 0 is a clean end."""
    return run(load_backbone, args)


def run(load: LoadBackbone, args: Sequence[str] | None = None) -> int:
    """Run the node with a network from somewhere."""
    leave = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leave.set())
    # Without rclpy's handlers: they would pull the context away from under the worker.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = DepthSyncNode(load)
    except ConfigError as error:
        get_logger('depthsync').fatal(str(error))
        rclpy.shutdown()
        return 1
    _spin(node, leave)
    node.destroy_node()
    rclpy.shutdown()
    return 0


def _spin(node: DepthSyncNode, leave: threading.Event) -> None:
    executor = MultiThreadedExecutor(THREADS)
    executor.add_node(node)
    with ThreadPoolExecutor(1, thread_name_prefix='depthsync-spin') as threads:
        spinning = threads.submit(_spin_until_shutdown, executor)
        spinning.add_done_callback(lambda _: leave.set())
        leave.wait()
        node.shut_down()
        executor.shutdown()
    spinning.result()  # an exception of a callback is a bug: show it


def _spin_until_shutdown(executor: MultiThreadedExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()


if __name__ == '__main__':
    sys.exit(main())
