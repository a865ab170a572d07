"""Whatever a driver sends: refused and counted, or used; the next good frame is computed."""

import array
from collections.abc import Iterator

from fakes import FakeBackbone, LENGTH
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

from bench import Bench
from robot import camera_info, HEIGHT, image, stamp_ns, WIDTH
from sensor_msgs.msg import CompressedImage, RegionOfInterest

from depthsync_ros.images import ENCODINGS
from depthsync_ros.ros.ledger import REFUSED

HUGE = 2**32 - 1
SIZES = st.sampled_from([0, 1, 2, 3, WIDTH - 1, WIDTH, HEIGHT, 2**16, 2**31, HUGE])
DATA = st.binary(max_size=64).map(lambda data: array.array('B', data))
NUMBERS = st.one_of(
    st.floats(),
    st.sampled_from([float('nan'), float('inf'), 0.0, -1.0, 1e300, -1e300, 60.0]),
)
MODELS = ['', 'plumb_bob', 'rational_polynomial', 'equidistant', 'thin_prism', 'none']
IMAGE_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        'encoding': st.one_of(st.sampled_from(sorted(ENCODINGS)), st.text(max_size=8)),
        'height': SIZES,
        'width': SIZES,
        'step': SIZES,
        'is_bigendian': st.integers(0, 255),
        'data': DATA,
    },
)
INFO_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        'height': SIZES,
        'width': SIZES,
        'distortion_model': st.sampled_from(MODELS),
        'd': st.lists(NUMBERS, max_size=15),
        'k': st.lists(NUMBERS, min_size=9, max_size=9),
        'binning_x': SIZES,
        'binning_y': SIZES,
        'roi': st.builds(
            RegionOfInterest, x_offset=SIZES, y_offset=SIZES, width=SIZES, height=SIZES
        ),
    },
)


@pytest.fixture(scope='module')
def bench() -> Iterator[Bench]:
    # Poses of images that hypothesis makes up would take most of the time.
    running = Bench(FakeBackbone(), poses__derive=False, scale__min_pixels=10)
    yield running
    running.worker.stop()


def settle(bench: Bench) -> tuple[int, int, int]:
    """Flush; give (published, dropped, refused) once the book balances."""
    success, said = bench.flush()
    assert bench.worker.bug is None
    assert success, said
    counts = bench.ledger.counts()
    assert counts.images == counts.published + counts.dropped
    return counts.published, counts.dropped, counts.dropped_for.get(REFUSED, 0)


def send_between_good_ones(bench: Bench, message, info, number: int) -> tuple[int, int, int]:
    """Send a message with a good frame before and after it; give what that changed."""
    before = settle(bench)
    bench.put(number)
    bench.put_messages(message, info)
    bench.put(number + 2)
    after = settle(bench)
    assert stamp_ns(number + 2) == bench.kept.stamps[-1], 'the next good frame leaves'
    return tuple(b - a for a, b in zip(before, after, strict=True))


class Numbers:
    """Rising numbers of frames, so that no frame is late."""

    next = 0

    @classmethod
    def three(cls) -> int:
        cls.next += 3
        return cls.next


@given(IMAGE_CHANGES, INFO_CHANGES)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_message_is_used_or_refused(bench, image_changes, info_changes) -> None:
    number = Numbers.three()
    info = camera_info(number + 1)
    for name, value in info_changes.items():
        setattr(info, name, value)

    published, dropped, refused = send_between_good_ones(
        bench, image(number + 1, **image_changes), info, number
    )

    assert (published, dropped) in ((3, 0), (2, 1))
    assert dropped == refused


@given(st.binary(max_size=300), st.sampled_from(['jpeg', 'png', '', 'rgb8; png compressed rgb8']))
@settings(max_examples=50, deadline=None)
def test_any_compressed_message_is_refused(bench, data, kind) -> None:
    number = Numbers.three()
    message = CompressedImage(format=kind, data=array.array('B', data))
    message.header = image(number + 1).header

    changed = send_between_good_ones(bench, message, camera_info(number + 1), number)

    assert changed == (2, 1, 1)


PNG_OF_A_BILLION_PIXELS = (
    b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0' + 40 * b'\0'
)
BAD_IMAGES = {
    'no pixels': {'width': 0},
    'too little data': {'data': array.array('B', bytes(10))},
    'too much data': {'data': array.array('B', bytes(3 * WIDTH * HEIGHT + 1))},
    'huge': {'width': HUGE, 'height': HUGE, 'step': HUGE},
    'huge and empty': {'width': HUGE, 'height': HUGE, 'data': array.array('B')},
    'short rows': {'step': 3 * WIDTH - 1},
    'unknown encoding': {'encoding': 'h264'},
    'odd width': {'encoding': 'yuv422', 'width': 63, 'step': 192},
}
BAD_INFOS = {
    'NaN in K': {'k': [float('nan')] * 9},
    'infinite centre': {'k': [60.0, 0.0, float('inf'), 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]},
    'zero K': {'k': [0.0] * 9},
    'skewed': {'k': [60.0, 1.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]},
    'unknown distortion': {'distortion_model': 'thin_prism', 'd': [0.1] * 5},
    'wrong count of coefficients': {'d': [0.1] * 3},
    'another size': {'width': WIDTH + 1},
    'binned to another size': {'binning_x': 2},
    'a region of another size': {'roi': RegionOfInterest(width=32, height=24)},
}


@pytest.mark.parametrize('what', [*BAD_IMAGES, *BAD_INFOS])
def test_a_malformed_message_is_counted_as_refused(bench, what: str) -> None:
    number = Numbers.three()
    info = camera_info(number + 1)
    for name, value in BAD_INFOS.get(what, {}).items():
        setattr(info, name, value)
    message = image(number + 1, **BAD_IMAGES.get(what, {}))

    assert send_between_good_ones(bench, message, info, number) == (2, 1, 1)


def test_a_compressed_image_that_claims_to_be_huge_is_refused(bench) -> None:
    number = Numbers.three()
    message = CompressedImage(format='png', data=array.array('B', PNG_OF_A_BILLION_PIXELS))
    message.header = image(number + 1).header

    changed = send_between_good_ones(bench, message, camera_info(number + 1), number)

    assert changed == (2, 1, 1)


@pytest.mark.parametrize('size', [(1, 1), (1, 64), (48, 1), (2, 3), (7, 5)])
def test_tiny_images_with_poses_do_not_stop_the_worker(size) -> None:
    height, width = size
    running = Bench(FakeBackbone(), scale__min_pixels=10)
    try:
        for number in range(LENGTH):
            data = array.array('B', bytes(i % 256 for i in range(3 * width * height)))
            info = camera_info(number)
            info.height, info.width = height, width
            message = image(number, height=height, width=width, step=3 * width, data=data)
            running.put_messages(message, info)
        counts_up(running)
    finally:
        running.worker.stop()


def counts_up(running: Bench) -> None:
    running.flush()
    counts = running.ledger.counts()
    assert running.worker.bug is None
    assert counts.images == counts.published + counts.dropped == LENGTH
