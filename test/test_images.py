import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

from depthsync_ros.core.errors import InputError
from depthsync_ros.images import (
    decode,
    decode_compressed,
    decode_depth,
    ENCODINGS,
    pixel_bytes,
    UnknownEncodingError,
)


class Fields:
    """A message: just its fields."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def message(encoding, rows, width, height, *, padding=0, big_endian=False, data_type=bytes):
    """Lay rows (n, bytes) out as an image message whose rows are padded with rubbish."""
    rubbish = np.full((len(rows), padding), 0xA5, np.uint8)
    padded = np.concatenate([rows, rubbish], axis=1)
    return Fields(
        encoding=encoding,
        width=width,
        height=height,
        step=padded.shape[1],
        is_bigendian=int(big_endian),
        data=data_type(padded.tobytes()),
    )


def wire(samples, *, big_endian=False):
    """Turn (height, samples) into bytes in the order that the message says."""
    order = samples.dtype.newbyteorder('>' if big_endian else '<')
    return np.ascontiguousarray(samples, order).view(np.uint8).reshape(len(samples), -1)


PACKED = {  # which channel of RGBA each sample holds
    'rgb8': 'rgb', 'bgr8': 'bgr', 'rgba8': 'rgba', 'bgra8': 'bgra', '8UC3': 'bgr', '8UC4': 'bgra',
    'rgb16': 'rgb', 'bgr16': 'bgr', 'rgba16': 'rgba', 'bgra16': 'bgra',
}  # fmt: skip
GREY = ('mono8', '8UC1', 'mono16', '16UC1')
YUV_422 = {'yuv422': 'uyvy', 'uyvy': 'uyvy', 'yuv422_yuy2': 'yuyv', 'yuyv': 'yuyv'}
YUV_PLANES = ('nv12', 'nv21', 'nv24')
BAYER = [f'bayer_{cell}{bits}' for cell in ('rggb', 'bggr', 'gbrg', 'grbg') for bits in (8, 16)]

sides = st.integers(1, 7)
paddings = st.integers(0, 5)
seeds = st.integers(0, 2**32 - 1)


def random_samples(seed, shape, bits):
    return np.random.default_rng(seed).integers(0, 2**bits, shape).astype(f'u{bits // 8}')


def to_8bit(samples):
    return samples if samples.dtype == np.uint8 else np.floor(samples / 257 + 0.5).astype(np.uint8)


def test_every_known_encoding_is_covered_here() -> None:
    assert sorted(ENCODINGS) == sorted([*PACKED, *GREY, *YUV_422, *YUV_PLANES, *BAYER])


@given(st.sampled_from(sorted(PACKED)), sides, sides, paddings, st.booleans(), seeds)
def test_packed_colours_come_back(encoding, width, height, padding, big_endian, seed) -> None:
    order = PACKED[encoding]
    samples = random_samples(seed, (height, width, len(order)), 16 if '16' in encoding else 8)
    rows = wire(samples.reshape(height, -1), big_endian=big_endian)

    rgb = decode(message(encoding, rows, width, height, padding=padding, big_endian=big_endian))

    assert np.array_equal(rgb, to_8bit(samples[..., [order.index(c) for c in 'rgb']]))


@given(st.sampled_from(GREY), sides, sides, paddings, st.booleans(), seeds)
def test_grey_comes_back_in_all_three_channels(
    encoding, width, height, padding, big_endian, seed
) -> None:
    grey = random_samples(seed, (height, width), 16 if '16' in encoding else 8)
    rows = wire(grey, big_endian=big_endian)

    rgb = decode(message(encoding, rows, width, height, padding=padding, big_endian=big_endian))

    assert np.array_equal(rgb, np.repeat(to_8bit(grey)[..., None], 3, axis=2))


def rgb_of_yuv(y, u, v):
    """ITU-R BT.601 with the limited range of video, in floating point."""
    y = 1.164383 * np.maximum(y.astype(float) - 16, 0.0)  # below black is black
    u, v = u.astype(float) - 128, v.astype(float) - 128
    rgb = np.stack([y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u], axis=-1)
    return np.clip(rgb, 0, 255)


@given(st.sampled_from(sorted(YUV_422)), sides, sides, paddings, seeds)
def test_yuv_422_comes_back(encoding, half_width, height, padding, seed) -> None:
    width = 2 * half_width
    y = random_samples(seed, (height, width), 8)
    u, v = random_samples(seed + 1, (2, height, half_width), 8)
    parts = {'y': [y[:, 0::2], y[:, 1::2]], 'u': [u], 'v': [v]}
    rows = np.stack([parts[letter].pop(0) for letter in YUV_422[encoding]], axis=-1)

    rgb = decode(message(encoding, rows.reshape(height, -1), width, height, padding=padding))

    expected = rgb_of_yuv(y, u.repeat(2, axis=1), v.repeat(2, axis=1))
    assert np.abs(rgb - expected).max() <= 1.5  # OpenCV rounds to integers, once or twice


@given(st.sampled_from(YUV_PLANES), sides, sides, paddings, seeds)
def test_yuv_planes_come_back(encoding, half_width, half_height, padding, seed) -> None:
    width, height, block = 2 * half_width, 2 * half_height, 1 if encoding == 'nv24' else 2
    y = random_samples(seed, (height, width), 8)
    u, v = random_samples(seed + 1, (2, height // block, width // block), 8)
    colour = np.stack([v, u] if encoding == 'nv21' else [u, v], axis=-1)
    # A plane's row of colour is as long as one of brightness, in nv24 twice as long.
    rubbish = np.full((height // block, padding * 2 // block), 0xA5, np.uint8)
    colour = np.concatenate([colour.reshape(height // block, -1), rubbish], axis=1)
    y_rows = np.concatenate([y, np.full((height, padding), 0xA5, np.uint8)], axis=1)
    image = message(encoding, y_rows, width, height)
    image.data += colour.tobytes()

    rgb = decode(image)

    expected = rgb_of_yuv(y, *(x.repeat(block, axis=0).repeat(block, axis=1) for x in (u, v)))
    assert np.abs(rgb - expected).max() <= 1.5  # OpenCV rounds to integers, once or twice


@given(
    st.sampled_from(BAYER), st.integers(3, 8), st.integers(3, 8), paddings, st.booleans(), seeds
)
def test_a_bayer_mosaic_of_one_colour_is_that_colour(
    encoding, width, height, padding, big_endian, seed
) -> None:
    bits = 16 if encoding.endswith('16') else 8
    colour = random_samples(seed, 3, bits)
    cell = encoding.removeprefix('bayer_')[:4]
    mosaic = np.empty((height, width), colour.dtype)
    for place, letter in enumerate(cell):
        mosaic[place // 2 :: 2, place % 2 :: 2] = colour['rgb'.index(letter)]
    rows = wire(mosaic, big_endian=big_endian)

    rgb = decode(message(encoding, rows, width, height, padding=padding, big_endian=big_endian))

    assert np.array_equal(rgb, np.broadcast_to(to_8bit(colour), (height, width, 3)))


@pytest.mark.parametrize('data_type', [bytes, bytearray, memoryview, np.array], ids=str)
def test_the_result_owns_its_memory(data_type) -> None:
    make = (lambda x: np.frombuffer(x, np.uint8)) if data_type is np.array else data_type
    image = message('rgb8', np.zeros((2, 6), np.uint8), 2, 2, data_type=make)

    rgb = decode(image)

    assert rgb.flags.owndata
    assert rgb.flags.writeable
    assert rgb.flags.c_contiguous


def test_an_unknown_encoding_names_the_known_ones() -> None:
    image = message('h264', np.zeros((2, 6), np.uint8), 2, 2)

    with pytest.raises(
        UnknownEncodingError, match=r"'h264' is unknown; known are rgb8, bgr8.*nv24"
    ):
        decode(image)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'step': 17}, r'step 17, 96 bytes: a row takes at least 18 bytes'),
        ({'step': 25}, r'step 25, 96 bytes: these sizes need 100 bytes'),
        ({'height': 5}, r'these sizes need 120 bytes; the message is cut off'),
        ({'height': 0}, r'at least one pixel'),
        ({'width': 9}, r'a row takes at least 27 bytes'),
        ({'data': b''}, r'0 bytes: these sizes need 96'),
        ({'encoding': 'yuyv', 'width': 7}, r'yuyv needs an even width'),
        ({'encoding': 'nv12', 'height': 3}, r'nv12 needs an even width and height'),
        ({'encoding': 'nv12'}, r'these sizes need 144 bytes'),
        ({'encoding': 'bayer_rggb8', 'width': 2}, r'2x4 is too small'),
    ],
)  # fmt: skip
def test_sizes_that_contradict_each_other_are_refused(change, said) -> None:
    image = message('rgb8', np.zeros((4, 24), np.uint8), 6, 4)
    image.__dict__.update(change)

    with pytest.raises(InputError, match=said):
        decode(image)


def photo():
    """Make a smooth picture, which JPEG keeps nearly as it is; red and blue differ clearly."""
    ramp = np.linspace(20, 120, 32).astype(np.uint8)
    return np.stack(
        [np.tile(ramp + 100, (24, 1)), np.full((24, 32), 90), np.tile(ramp, (24, 1))], 2
    )


def compressed(pixels, kind, text):
    return Fields(format=text, data=cv2.imencode(f'.{kind}', pixels)[1].tobytes())


@pytest.mark.parametrize(
    'text', ['jpeg', 'jpg', '', 'rgb8; jpeg compressed bgr8', 'bgr8; jpeg compressed bgr8']
)
def test_a_jpeg_keeps_its_colours(text) -> None:
    rgb = photo().astype(np.uint8)

    seen = decode_compressed(compressed(rgb[..., ::-1], 'jpg', text))

    assert np.abs(seen.astype(int) - rgb).max() <= 8  # JPEG at quality 95 on a smooth picture
    assert seen.flags.writeable


def test_a_jpeg_that_was_compressed_as_rgb_is_turned_back() -> None:
    rgb = photo().astype(np.uint8)

    # OpenCV takes what it is given for BGR: red lies where blue belongs.
    seen = decode_compressed(compressed(rgb, 'jpg', 'rgb8; jpeg compressed rgb8'))

    assert np.abs(seen.astype(int) - rgb).max() <= 8  # JPEG at quality 95 on a smooth picture


@settings(max_examples=20)
@given(arrays(np.uint8, (5, 7, 3)))
def test_a_png_is_exact(rgb) -> None:
    image = compressed(np.ascontiguousarray(rgb[..., ::-1]), 'png', 'rgb8; png compressed bgr8')

    assert np.array_equal(decode_compressed(image), rgb)


def test_a_grey_png_becomes_three_channels() -> None:
    grey = random_samples(3, (6, 5), 8)

    rgb = decode_compressed(compressed(grey, 'png', 'mono8; png compressed mono8'))

    assert np.array_equal(rgb, np.repeat(grey[..., None], 3, axis=2))


def test_a_compressed_bayer_mosaic_is_demosaiced() -> None:
    mosaic = np.tile(np.array([[200, 100], [100, 50]], np.uint8), (4, 4))

    rgb = decode_compressed(compressed(mosaic, 'png', 'bayer_rggb8; png compressed '))

    assert np.array_equal(rgb, np.broadcast_to(np.uint8([200, 100, 50]), (8, 8, 3)))


@pytest.mark.parametrize(
    ('image', 'said'),
    [
        (Fields(format='jpeg', data=b''), '0 bytes could not be decoded'),
        (Fields(format='h264', data=b'\0\0\0\1gB\0'), r"format 'h264', 7 bytes could not be"),
        (Fields(format='16UC1; compressedDepth png', data=b'x'), 'holds depth'),
        (Fields(format='bayer_abcd8; png compressed', data=None), 'unknown encoding'),
    ],
    ids=['empty', 'video', 'depth', 'mosaic'],
)
def test_what_is_no_picture_is_refused(image, said) -> None:
    if image.data is None:
        image.data = cv2.imencode('.png', np.zeros((4, 4), np.uint8))[1].tobytes()

    with pytest.raises(UnknownEncodingError, match=said):
        decode_compressed(image)


def test_a_jpeg_without_its_end_is_refused() -> None:
    image = compressed(photo().astype(np.uint8), 'jpg', 'jpeg')
    image.data = image.data[: len(image.data) * 3 // 4]

    with pytest.raises(InputError, match='cut off'):
        decode_compressed(image)


@given(arrays(np.float32, st.tuples(sides, sides), elements=st.floats(width=32)))
def test_depth_bytes_are_little_endian_floats_in_reading_order(depth) -> None:
    data = pixel_bytes(depth)

    assert data.dtype == np.uint8
    assert np.array_equal(data.view('<f4').reshape(depth.shape), depth, equal_nan=True)


class DepthImage:
    def __init__(self, values: np.ndarray, encoding: str, *, big: bool = False, pad: int = 0):
        rows = values.astype(values.dtype.newbyteorder('>' if big else '<'))
        raw = np.ascontiguousarray(rows).view(np.uint8).reshape(len(values), -1)
        padded = np.pad(raw, ((0, 0), (0, pad)), constant_values=7)
        self.height, self.width, self.step = *values.shape, padded.shape[1]
        self.encoding, self.is_bigendian, self.data = encoding, int(big), padded.tobytes()


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('pad', [0, 4])
@pytest.mark.parametrize(
    ('encoding', 'values'),
    [
        ('16UC1', np.array([[0, 1500], [65535, 1]], np.uint16)),
        ('32FC1', np.array([[np.nan, 1.5], [65.535, 0.001]], np.float32)),
        ('64FC1', np.array([[-1.0, 1.5], [65.535, 0.001]])),
    ],
)
def test_depth_is_metres_and_nan_where_unknown(encoding, values, big, pad) -> None:
    depth_m = decode_depth(DepthImage(values, encoding, big=big, pad=pad))

    expected = np.array([[np.nan, 1.5], [65.535, 0.001]], np.float32)
    np.testing.assert_allclose(depth_m, expected, rtol=1e-6)


def test_a_colour_image_is_no_depth() -> None:
    with pytest.raises(InputError, match="encoding 'rgb8'; known are 16UC1"):
        decode_depth(DepthImage(np.zeros((2, 2), np.uint8), 'rgb8'))
