import os
import subprocess
import sys

import pytest

from depthsync_ros.models.allocator import keep_freed_memory

# Page faults of the last of some large allocations, in the main thread and in another.
PROBE = """
import resource, threading
import torch
from depthsync_ros.models.allocator import keep_freed_memory

def faults():
    before = 0
    for _ in range(40):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(int(keep_freed_memory()), faults())
thread = threading.Thread(target=lambda: print(faults()))
thread.start()
thread.join()
"""
PAGES = 40_000_000 // 4096


def probe(**environment: str) -> list[int]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(('MALLOC_', 'GLIBC_'))}
    done = subprocess.run(
        [sys.executable, '-c', PROBE],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc is on Linux')
def test_freed_memory_serves_the_next_tensor_in_every_thread() -> None:
    done, in_main, in_thread = probe()
    if not done:
        pytest.skip('the C library is not glibc')

    assert in_main < PAGES / 10, f'{in_main} page faults for {PAGES} pages'
    assert in_thread < PAGES / 10, f'{in_thread} page faults for {PAGES} pages'


def test_the_users_own_malloc_settings_are_left_alone() -> None:
    done, in_main, _ = probe(MALLOC_TRIM_THRESHOLD_='131072')

    assert not done
    assert in_main > PAGES / 2, 'else the test above shows nothing'


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'platform', 'darwin')

    assert not keep_freed_memory()
