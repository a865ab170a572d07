"""The worker ends where it is told to, and every frame it was given is booked."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
import threading

from fakes import FakeBackbone, LENGTH, OVERLAP
import pytest

from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.ros.ledger import DEACTIVATED

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

from bench import Bench
from robot import stamp_ns, wait_until

from depthsync_ros.ros.worker import GIVEN_UP

STRIDE = LENGTH - OVERLAP


class Gate(FakeBackbone):
    """Waits inside the network call of that number until it is opened."""

    def __init__(self, closed_at: int = 0) -> None:
        super().__init__()
        self.closed_at = closed_at
        self.reached, self.open = threading.Event(), threading.Event()

    def predict(self, scaled, noise_label, conditioning):
        if self.calls + 1 == self.closed_at:
            self.reached.set()
            assert self.open.wait(60.0)
        return super().predict(scaled, noise_label, conditioning)


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    """Give a function that sets a bench up; whatever happens, its worker ends."""
    made: list[Bench] = []

    def make(backbone: FakeBackbone, **changes) -> Bench:
        made.append(Bench(backbone, **changes))
        return made[-1]

    yield make
    for one in made:
        if isinstance(one.pipeline.backbone, Gate):
            one.pipeline.backbone.open.set()
        one.worker.stop()


def stop_in_the_middle(bench: Bench, gate: Gate) -> None:
    """Stop while the network is called; the call returns once stopping has begun."""
    assert gate.reached.wait(60.0)
    with ThreadPoolExecutor(1) as threads:
        stopped = threads.submit(bench.worker.stop)
        wait_until(bench.worker._stopping.is_set)
        gate.open.set()
        stopped.result(60.0)


CALLS = DepthSyncSettings().sampling.steps - 1  # of a window: sampling.skip_last leaves one out


@pytest.mark.parametrize('call', range(1, CALLS + 1))
def test_a_stop_ends_after_the_network_call_under_way(bench, call: int) -> None:
    gate = Gate(call)
    running = bench(gate)
    running.put(*range(LENGTH + 3))

    stop_in_the_middle(running, gate)

    assert gate.calls == call
    assert running.worker.bug is None
    assert (running.kept.stamps, running.kept.reports) == ([], 0), 'nothing of the window left'
    counts = running.ledger.counts()
    assert counts.dropped_for == {DEACTIVATED: LENGTH + 3}
    assert counts.waiting == 0


def test_a_stop_in_a_later_window_drops_what_had_not_left(bench) -> None:
    gate = Gate(CALLS + 1)
    running = bench(gate)
    running.put(*range(LENGTH + STRIDE))

    stop_in_the_middle(running, gate)

    assert running.kept.stamps == [stamp_ns(number) for number in range(STRIDE)]
    counts = running.ledger.counts()
    assert (counts.published, counts.dropped_for) == (STRIDE, {DEACTIVATED: OVERLAP + STRIDE})
    assert counts.waiting == 0


def test_whoever_waits_for_a_flush_is_told_that_it_was_given_up(bench) -> None:
    gate = Gate(1)
    running = bench(gate)
    running.put(0)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(running.flush)
        stop_in_the_middle(running, gate)
        assert answer.result(60.0) == (False, GIVEN_UP)


def test_the_next_worker_starts_a_run_of_its_own(bench) -> None:
    gate = Gate(2)
    running = bench(gate)
    running.put(*range(LENGTH))
    stop_in_the_middle(running, gate)

    running.start()
    running.put(*range(4))  # older than what was dropped
    success, said = running.flush()
    running.worker.stop()

    assert success, said
    assert running.kept.stamps == [stamp_ns(number) for number in range(4)]
    counts = running.ledger.counts()
    assert counts.images == counts.published + counts.dropped == LENGTH + 4
