"""glibc's allocator, told to keep what a network on the CPU frees."""

import ctypes
import os
import sys

# Numbers of malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """
    Let the process keep freed memory for the next large tensor; say whether it does.

    By default glibc gives large blocks back to the kernel at once and gets them again, page by
    page, for the next layer; without that the pipeline is a fifth faster on two idle cores of a
    virtual machine. The process grows to its peak and stays there. One arena, because those of
    threads are too small.
    Nothing is changed where the C library is another, or the user has set MALLOC_... variables.

    Source: mallopt(3).
    """
    theirs = any(name.startswith('MALLOC_') for name in os.environ)
    if theirs or 'GLIBC_TUNABLES' in os.environ or not sys.platform.startswith('linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:  # musl has none
        return False
    wanted = ((M_MMAP_THRESHOLD, 2**30), (M_TRIM_THRESHOLD, LARGEST), (M_ARENA_MAX, 1))
    return sum(mallopt(name, value) for name, value in wanted) == len(wanted)
