"""Where a video breaks: what follows has nothing in common with what was."""

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.frames import Frame

# A frame this much older than its predecessor is a recording that starts again, not a late one.
TIME_JUMP_NS = 1_000_000_000
SECOND_NS = 1_000_000_000


def find_break(last: Frame, frame: Frame, longest_gap_s: float) -> str:
    """
    Say why a frame starts a new run; empty where it goes on with the old one.

    :param longest_gap_s: 0 is endless.
    :raises InputError: it does neither: it is late, or comes from another camera.
    """
    step_ns = frame.stamp_ns - last.stamp_ns
    if step_ns < -TIME_JUMP_NS:
        return f'time jumped back by {-step_ns / SECOND_NS:.1f} s'
    if step_ns <= 0:
        raise InputError(
            f'a frame is stamped {frame.stamp_ns} ns, the one before it {last.stamp_ns} ns: '
            'stamps must rise; call reset when a recording starts again'
        )
    if longest_gap_s and step_ns > longest_gap_s * SECOND_NS:
        return f'{step_ns / SECOND_NS:.1f} s without a frame, longer than window.longest_gap'
    if frame.frame_id != last.frame_id:
        raise InputError(
            f'the camera changed from {last.frame_id!r} to {frame.frame_id!r} within a run: feed '
            'one camera only, or call reset'
        )
    if frame.camera != last.camera:
        return f'the calibration changed from {last.camera} to {frame.camera}'
    return ''
