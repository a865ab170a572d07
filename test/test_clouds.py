"""Point clouds as drivers lay them out, and as they should not."""

from contextlib import suppress
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.clouds import decode_points, read_cloud
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.points import MOST_KEPT

FLOAT32, FLOAT64, UINT8 = 7, 8, 2


def field(name: str, offset: int, datatype: int = FLOAT32, count: int = 1) -> SimpleNamespace:
    return SimpleNamespace(name=name, offset=offset, datatype=datatype, count=count)


def cloud(points: np.ndarray, formats='f4', offsets=(0, 4, 8), step=12, **layout):
    """
    Lay points (height, width, 3) out as a message, rubbish between them.

    layout may hold big (endian), padding (bytes after a row) and data_type.
    """
    height, width = points.shape[:2]
    kinds = [formats] * 3 if isinstance(formats, str) else formats
    order, padding = '>' if layout.get('big') else '<', layout.get('padding', 0)
    raw = np.full((height, width, step), 0xA5, np.uint8)
    for axis, (kind, offset) in enumerate(zip(kinds, offsets, strict=True)):
        values = np.ascontiguousarray(points[..., axis, None], np.dtype(order + kind))
        raw[..., offset : offset + values.itemsize] = values.view(np.uint8)
    rows = np.pad(raw.reshape(height, width * step), ((0, 0), (0, padding)), constant_values=0x7F)
    datatypes = [{'f4': FLOAT32, 'f8': FLOAT64}[kind] for kind in kinds]
    stamp = SimpleNamespace(sec=3, nanosec=7)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id='lidar'),
        height=height,
        width=width,
        fields=[*map(field, 'xyz', offsets, datatypes), field('intensity', 0, UINT8)],
        is_bigendian=bool(layout.get('big')),
        point_step=step,
        row_step=step * width + padding,
        data=layout.get('data_type', bytes)(rows.tobytes()),
        is_dense=True,
    )


def some(height: int = 2, width: int = 3) -> np.ndarray:
    return np.random.default_rng(0).uniform(-9.0, 9.0, (height, width, 3)).astype(np.float32)


@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.lists(st.sampled_from(['f4', 'f8']), min_size=3, max_size=3),
    st.permutations([0, 1, 2]),
    st.lists(st.integers(0, 5), min_size=4, max_size=4),
    st.integers(0, 9),
    st.booleans(),
    st.sampled_from([bytes, bytearray, lambda data: np.frombuffer(data, np.uint8)]),
)
def test_points_come_back_however_they_are_laid_out(
    height, width, formats, order, gaps, padding, big, data_type
) -> None:
    end, offsets = gaps[3], [0, 0, 0]
    for axis in order:
        offsets[axis] = end + gaps[axis]
        end = offsets[axis] + int(formats[axis][1])
    points = some(height, width)

    message = cloud(
        points, formats, offsets, end + gaps[0], big=big, padding=padding, data_type=data_type
    )
    decoded = decode_points(message)

    assert decoded.dtype == np.float64
    np.testing.assert_array_equal(decoded, points.reshape(-1, 3))


def test_what_was_not_measured_is_left_out() -> None:
    points = some(1, 6)
    points[0, 1, 2], points[0, 2, 0], points[0, 4] = np.nan, np.inf, 0.0
    points[0, 5, :2] = 0.0  # on an axis, not in the origin

    decoded = decode_points(cloud(points))

    np.testing.assert_array_equal(decoded, points[0, [0, 3, 5]])


@pytest.mark.parametrize('shape', [(1, 0), (0, 0), (0, 3)])
def test_a_cloud_of_nothing_is_a_cloud(shape) -> None:
    assert decode_points(cloud(some(*shape))).shape == (0, 3)


def test_a_cloud_keeps_its_stamp_and_frame_and_so_many_points() -> None:
    read = read_cloud(cloud(some(2, MOST_KEPT)))

    assert (read.stamp_ns, read.frame_id) == (3_000_000_007, 'lidar')
    assert read.points.shape == (MOST_KEPT, 3)


def changed(**fields) -> SimpleNamespace:
    return SimpleNamespace(**(cloud(some()).__dict__ | fields))


X, Y, Z = (field(name, 4 * place) for place, name in enumerate('xyz'))


@pytest.mark.parametrize(
    ('message', 'said'),
    [
        (changed(fields=[X, Y]), r'fields \(x: 1 of 7, y: 1 of 7\): x, y and z are needed'),
        (changed(fields=[X, Y, Z, Z]), 'each once'),
        (changed(fields=[X, Y, field('z', 8, UINT8)]), r'z: 1 of 2\): x, y and z are needed'),
        (changed(fields=[X, Y, field('z', 8, count=3)]), 'as one number of datatype 7'),
        (changed(fields=[X, Y, field('z', 9)]), 'point_step 12, .*: z ends at byte 13'),
        (changed(point_step=0), 'point_step 0, .*: x ends at byte 4'),
        (changed(row_step=35), 'row_step 35, 72 bytes: a row takes at least 36 bytes'),
        (changed(row_step=37), 'all rows 74; the message is cut off, or correct the driver'),
        (changed(data=bytes(71)), '71 bytes: a row takes at least 36 bytes, and all rows 72'),
        (changed(height=2**32 - 1, width=2**32 - 1), 'point cloud 4294967295x4294967295'),
    ],
)
def test_contradictions_are_refused(message, said) -> None:
    with pytest.raises(InputError, match=said):
        decode_points(message)


def test_an_old_drivers_count_of_zero_is_one() -> None:
    fields = [field(name, 4 * place, count=0) for place, name in enumerate('xyz')]

    np.testing.assert_array_equal(decode_points(changed(fields=fields)), some().reshape(-1, 3))


SIZES = st.sampled_from([0, 1, 2, 3, 12, 24, 36, 72, 2**31, 2**32 - 1])
FIELDS = st.builds(
    field, st.sampled_from(['x', 'y', 'z', 'rgb', '']), SIZES, st.integers(0, 255), SIZES
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        'height': SIZES,
        'width': SIZES,
        'point_step': SIZES,
        'row_step': SIZES,
        'is_bigendian': st.booleans(),
        'data': st.one_of(st.binary(max_size=80), st.binary(min_size=72, max_size=72)),
        'fields': st.lists(FIELDS, max_size=5),
    },
)


@given(CHANGES)
def test_any_message_is_points_or_refused(changes) -> None:
    decoded = np.zeros((0, 3))
    with suppress(InputError):
        decoded = decode_points(changed(**changes))

    assert decoded.shape[1:] == (3,)
    assert np.isfinite(decoded).all()
