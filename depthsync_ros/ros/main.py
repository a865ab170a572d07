"""The node's process: start, spin, leave in order at SIGINT or SIGTERM."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
import signal
import sys
import threading

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from depthsync_ros.core.backbone import Backbone
from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.ros.node import DepthSyncNode, LoadBackbone

# One thread for each of the node's callback groups, so that none waits for another.
THREADS = 6


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is told to leave; 0 is a clean end."""
    return run(_load, args)


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


def _load(settings: ModelSettings) -> Backbone:
    from depthsync_ros.models.load import load_backbone  # noqa: PLC0415  seconds of imports

    return load_backbone(settings)


def _spin(node: DepthSyncNode, leave: threading.Event) -> None:
    executor = MultiThreadedExecutor(THREADS)
    executor.add_node(node)
    with ThreadPoolExecutor(1, thread_name_prefix='depthsync-spin') as threads:
        spinning = threads.submit(spin_until_shutdown, executor)
        spinning.add_done_callback(lambda _: leave.set())
        leave.wait()
        node.shut_down()
        executor.shutdown()
    spinning.result()  # an exception of a callback is a bug: show it


def spin_until_shutdown(executor: Executor) -> None:
    """
    Spin, also where another thread destroys a publisher or subscription meanwhile.

    rclpy of Jazzy then raises InvalidHandle out of its wait; the next round works without it.
    """
    done = False
    while not done:
        try:
            executor.spin()
            done = True
        except rclpy_implementation.InvalidHandle:
            continue
        except ExternalShutdownException:
            done = True


if __name__ == '__main__':
    sys.exit(main())
