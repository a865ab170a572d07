"""The buffer that programs ask: look-ups that can wait."""

from collections.abc import Callable
from time import sleep

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.time import Time

from tf2_ros.core import BufferCore

POLL_SECONDS = 0.02
JUMP_BACK = Duration(seconds=3.0)  # a clock that falls behind this far plays a bag in a loop


class Buffer(BufferCore):
    """
    Keeps transforms for cache_time, 10 s if not given, and answers for times in between.

    A timeout polls and blocks: somebody else must spin the listener's node meanwhile. When the
    node's clock jumps back by a second or changes its source, everything is forgotten.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        if cache_time is None:
            super().__init__()
        else:
            super().__init__(cache_time)
        self.clock = Clock() if node is None else node.get_clock()
        self.jump_handle = self.clock.create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True
            ),
            post_callback=self.time_jump_callback,
        )

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Forget all transforms."""
        get_logger('tf2_buffer').warning('Detected jump back in time. Clearing tf buffer.')
        self.clear()

    def lookup_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),  # noqa: B008
    ) -> TransformStamped:
        """
        Return target_T_source at a time, 0 for the latest that both frames have.

        :raises TransformException: one of its subclasses says why there is none.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = Duration(),  # noqa: B008
    ) -> TransformStamped:
        """Return the target at its time from the source at another, by way of a fixed frame."""
        frames = target_frame, target_time, source_frame, source_time, fixed_frame
        self.can_transform_full(*frames, timeout)
        return self.lookup_transform_full_core(*frames)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),  # noqa: B008
        return_debug_tuple: bool = False,  # noqa: FBT001, FBT002
    ) -> bool | tuple[bool, str]:
        """Say whether lookup_transform would succeed, or does before the timeout."""
        answer = _wait(lambda: self.can_transform_core(target_frame, source_frame, time), timeout)
        return answer if return_debug_tuple else answer[0]

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = Duration(),  # noqa: B008
        return_debug_tuple: bool = False,  # noqa: FBT001, FBT002
    ) -> bool | tuple[bool, str]:
        """Say whether lookup_transform_full would succeed, or does before the timeout."""
        frames = target_frame, target_time, source_frame, source_time, fixed_frame
        answer = _wait(lambda: self.can_transform_full_core(*frames), timeout)
        return answer if return_debug_tuple else answer[0]


def _wait(ask: Callable[[], tuple[bool, str]], timeout: Duration) -> tuple[bool, str]:
    clock = Clock()
    start = clock.now()
    while timeout.nanoseconds != 0 and not ask()[0]:
        now = clock.now()
        if now >= start + timeout or now + JUMP_BACK < start:
            break
        sleep(POLL_SECONDS)
    return ask()
