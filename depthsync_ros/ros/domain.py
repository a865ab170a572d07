"""A DDS domain that nobody else on this machine speaks in."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
import random
import socket
import tempfile

from depthsync_ros.core.errors import DepthSyncError

# Above 101 the ports of a domain fall among those that Linux hands out to anybody.
DOMAINS = range(1, 102)


class NoDomainError(DepthSyncError):
    """Every domain is taken."""


@contextmanager
def own_domain() -> Iterator[int]:
    """
    Claim a domain id until the context ends; whoever else claims meanwhile gets another.

    :raises NoDomainError: all are taken.
    """
    for number in random.sample(DOMAINS, len(DOMAINS)):
        claim = _claim(number)
        if claim is not None and not _spoken(number):
            try:
                yield number
            finally:
                os.close(claim)
            return
        if claim is not None:
            os.close(claim)
    raise NoDomainError(
        f'each of the DDS domains {DOMAINS.start} to {DOMAINS.stop - 1} is in use on this '
        'machine, one is needed; end other ROS programs'
    )


def _claim(number: int) -> int | None:
    """Lock the file that stands for a domain; None where somebody else has it."""
    file = Path(tempfile.gettempdir(), f'depthsync-domain-{number}.lock')
    try:
        claim = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # another user's
        return None
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(claim)
        return None
    return claim


def _spoken(number: int) -> bool:
    """Whether a program that claims nothing speaks there: the first one has this port."""
    port = 7400 + 250 * number + 10  # RTPS 2.3, 9.6.1.1: discovery, participant 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', port))
        except OSError:
            return True
    return False
