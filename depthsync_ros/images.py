"""
From a camera driver's bytes to RGB, and from depth to bytes: sensor_msgs/Image without ROS.

numpy and OpenCV only. cv_bridge does the same on a ROS installation, but its released binaries
crash under NumPy 2, and PyPI's reads 16UC1 as garbage and ignores row padding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.shapes import Map, RgbImage


class ImageLike(Protocol):
    """The fields of sensor_msgs/Image that are read here; any object that has them will do."""

    encoding: str
    height: int
    width: int
    step: int
    is_bigendian: Any
    data: Any


class CompressedImageLike(Protocol):
    """The fields of sensor_msgs/CompressedImage that are read here."""

    format: str
    data: Any


class UnknownEncodingError(InputError):
    """An encoding that this module does not decode; cv_bridge might, where it works."""


# ---- raw images ---------------------------------------------------------------------------------


def decode(image: ImageLike) -> RgbImage:
    """
    Decode a raw image to RGB.

    The result owns its memory: it is writable, contiguous and never a view of the message.
    16-bit samples become 8-bit ones by their full range, round(value / 257).

    :raises UnknownEncodingError: the encoding is not one of ENCODINGS.
    :raises InputError: the sizes contradict each other.
    """
    layout = ENCODINGS.get(image.encoding)
    if layout is None:
        raise UnknownEncodingError(
            f'image encoding {image.encoding!r} is unknown; known are {", ".join(ENCODINGS)}; '
            'set the driver to one of them, or republish the image as bgr8'
        )
    rows = _rows(image, layout)
    if layout.sample_bytes == 1:
        samples = rows
    else:
        order = '>u2' if image.is_bigendian else '<u2'
        samples = np.ascontiguousarray(rows).view(order).astype(np.uint16)
    return np.array(layout.to_rgb(samples, image.height, image.width), np.uint8, order='C')


@dataclass(frozen=True)
class Layout:
    """
    How an encoding lays its samples out, and what turns them into RGB.

    samples is how many of them a row holds for each pixel. rows_per_two is how many rows of
    `step` bytes there are for every two rows of the image (nv12 has half a row of colour each).
    keep_padding hands to_rgb whole rows of `step` bytes.
    """

    samples: int
    sample_bytes: int
    to_rgb: Callable[[np.ndarray, int, int], np.ndarray]
    rows_per_two: int = 2
    even_width: bool = False
    even_height: bool = False
    keep_padding: bool = False


def _rows(image: ImageLike, layout: Layout) -> np.ndarray:
    """Cut the padding off: (rows, bytes that count), still of the message's memory."""
    height, width, step = int(image.height), int(image.width), int(image.step)
    seen = f'image {image.encoding} {width}x{height}, step {step}, {len(image.data)} bytes'
    if min(height, width) < 1:
        raise InputError(f'{seen}: an image has at least one pixel; check the driver')
    if (layout.even_width and width % 2) or (layout.even_height and height % 2):
        which = 'width and height' if layout.even_height else 'width'
        raise InputError(f'{seen}: {image.encoding} needs an even {which}; check the driver')
    needed = width * layout.samples * layout.sample_bytes
    if step < needed:
        raise InputError(
            f'{seen}: a row takes at least {needed} bytes; correct step or width in the driver'
        )
    total = step * height * layout.rows_per_two // 2
    if len(image.data) != total:
        raise InputError(
            f'{seen}: these sizes need {total} bytes; the message is cut off or its fields '
            'are wrong'
        )
    rows = np.frombuffer(memoryview(image.data), np.uint8).reshape(-1, step)
    return rows if layout.keep_padding else rows[:, :needed]


def _channels(order: tuple[int, int, int], samples: int) -> Callable[..., np.ndarray]:
    def to_rgb(rows: np.ndarray, height: int, width: int) -> np.ndarray:
        return _to_8bit(rows.reshape(height, width, samples)[..., list(order)])

    return to_rgb


def _bayer(code: int) -> Callable[..., np.ndarray]:
    def to_rgb(rows: np.ndarray, height: int, width: int) -> np.ndarray:
        if min(height, width) < MIN_MOSAIC:
            raise InputError(
                f'a Bayer image of {width}x{height} is too small: OpenCV answers black below '
                f'{MIN_MOSAIC}x{MIN_MOSAIC}'
            )
        return _to_8bit(cv2.cvtColor(np.ascontiguousarray(rows), code))

    return to_rgb


def _yuv_422(code: int) -> Callable[..., np.ndarray]:
    def to_rgb(rows: np.ndarray, height: int, width: int) -> np.ndarray:
        return cv2.cvtColor(np.ascontiguousarray(rows).reshape(height, width, 2), code)

    return to_rgb


def _yuv_420(code: int) -> Callable[..., np.ndarray]:
    def to_rgb(rows: np.ndarray, _height: int, _width: int) -> np.ndarray:
        return cv2.cvtColor(np.ascontiguousarray(rows), code)

    return to_rgb


def _yuv_444(code: int) -> Callable[..., np.ndarray]:
    """Decode a full-size colour plane: doubled, it is the 4:2:0 image OpenCV can decode."""

    def to_rgb(rows: np.ndarray, height: int, width: int) -> np.ndarray:
        luma = rows[:height, :width]
        colour = rows[height:].reshape(height, -1)[:, : 2 * width]
        doubled = np.concatenate([luma.repeat(2, axis=0).repeat(2, axis=1), colour])
        return cv2.cvtColor(doubled, code)[::2, ::2]

    return to_rgb


def _to_8bit(samples: np.ndarray) -> np.ndarray:
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


RGB, BGR, MONO = (0, 1, 2), (2, 1, 0), (0, 0, 0)
MIN_MOSAIC = 3  # pixels a side

# Names of sensor_msgs/image_encodings.hpp, and nv12, which drivers use though it is not there.
# 8UC1, 8UC3, 8UC4 and 16UC1 are what OpenCV programs publish for mono8, bgr8, bgra8, mono16.
ENCODINGS = {
    'rgb8': Layout(3, 1, _channels(RGB, 3)),
    'bgr8': Layout(3, 1, _channels(BGR, 3)),
    'rgba8': Layout(4, 1, _channels(RGB, 4)),
    'bgra8': Layout(4, 1, _channels(BGR, 4)),
    'mono8': Layout(1, 1, _channels(MONO, 1)),
    'rgb16': Layout(3, 2, _channels(RGB, 3)),
    'bgr16': Layout(3, 2, _channels(BGR, 3)),
    'rgba16': Layout(4, 2, _channels(RGB, 4)),
    'bgra16': Layout(4, 2, _channels(BGR, 4)),
    'mono16': Layout(1, 2, _channels(MONO, 1)),
    '8UC1': Layout(1, 1, _channels(MONO, 1)),
    '8UC3': Layout(3, 1, _channels(BGR, 3)),
    '8UC4': Layout(4, 1, _channels(BGR, 4)),
    '16UC1': Layout(1, 2, _channels(MONO, 1)),
    'yuv422': Layout(2, 1, _yuv_422(cv2.COLOR_YUV2RGB_UYVY), even_width=True),
    'uyvy': Layout(2, 1, _yuv_422(cv2.COLOR_YUV2RGB_UYVY), even_width=True),
    'yuv422_yuy2': Layout(2, 1, _yuv_422(cv2.COLOR_YUV2RGB_YUY2), even_width=True),
    'yuyv': Layout(2, 1, _yuv_422(cv2.COLOR_YUV2RGB_YUY2), even_width=True),
    'nv12': Layout(
        1,
        1,
        _yuv_420(cv2.COLOR_YUV2RGB_NV12),
        rows_per_two=3,
        even_width=True,
        even_height=True,
    ),
    'nv21': Layout(
        1,
        1,
        _yuv_420(cv2.COLOR_YUV2RGB_NV21),
        rows_per_two=3,
        even_width=True,
        even_height=True,
    ),
    'nv24': Layout(1, 1, _yuv_444(cv2.COLOR_YUV2RGB_NV12), rows_per_two=6, keep_padding=True),
    'bayer_rggb8': Layout(1, 1, _bayer(cv2.COLOR_BayerRGGB2RGB)),
    'bayer_bggr8': Layout(1, 1, _bayer(cv2.COLOR_BayerBGGR2RGB)),
    'bayer_gbrg8': Layout(1, 1, _bayer(cv2.COLOR_BayerGBRG2RGB)),
    'bayer_grbg8': Layout(1, 1, _bayer(cv2.COLOR_BayerGRBG2RGB)),
    'bayer_rggb16': Layout(1, 2, _bayer(cv2.COLOR_BayerRGGB2RGB)),
    'bayer_bggr16': Layout(1, 2, _bayer(cv2.COLOR_BayerBGGR2RGB)),
    'bayer_gbrg16': Layout(1, 2, _bayer(cv2.COLOR_BayerGBRG2RGB)),
    'bayer_grbg16': Layout(1, 2, _bayer(cv2.COLOR_BayerGRBG2RGB)),
}

# What depth cameras publish; a topic that holds one of these is not a camera to look through.
DEPTH_ENCODINGS = ('16UC1', '32FC1', '64FC1')


def decode_depth(image: ImageLike) -> Map:
    """
    Decode a depth image to metres by REP 118; NaN unknown.

    16UC1 is millimetres, 0 unknown; 32FC1 and 64FC1 are metres, and what is not finite and
    positive is unknown.

    :raises InputError: another encoding, or sizes that contradict each other.
    """
    kinds = {'16UC1': 'u2', '32FC1': 'f4', '64FC1': 'f8'}
    kind = kinds.get(image.encoding)
    if kind is None:
        raise InputError(
            f'depth image has encoding {image.encoding!r}; known are {", ".join(kinds)}'
        )
    layout = Layout(1, int(kind[1]), _channels((0, 0, 0), 1))
    order = '>' if image.is_bigendian else '<'
    values = np.ascontiguousarray(_rows(image, layout)).view(order + kind).astype(np.float32)
    depth_m = values * np.float32(1e-3) if kind == 'u2' else values
    known = np.isfinite(depth_m) & (depth_m > 0.0)
    decoded: Map = np.where(known, depth_m, np.float32(np.nan))
    return decoded


# ---- compressed images --------------------------------------------------------------------------


def decode_compressed(image: CompressedImageLike) -> RgbImage:
    """
    Decode a compressed image (JPEG, PNG, whatever OpenCV reads) to RGB.

    format follows image_transport: 'jpeg', or 'rgb8; jpeg compressed bgr8' (what the raw image
    was; what was handed to the compressor). A Bayer image inside is demosaiced; an orientation
    in the file's metadata is ignored, because the calibration is of the sensor.

    :raises InputError: not an image, cut off, or a depth image.
    """
    data = np.frombuffer(memoryview(image.data), np.uint8) if len(image.data) else np.empty(0)
    seen = f'compressed image of format {image.format!r}, {data.size} bytes'
    if 'compressedDepth' in image.format:
        raise UnknownEncodingError(f'{seen} holds depth; choose the topic of a colour camera')
    if _cut_off(data):
        raise InputError(f'{seen}: the JPEG has no end; the message is cut off')
    raw_encoding, separator, compressed = (part.strip() for part in image.format.partition(';'))
    mosaic = bool(separator) and raw_encoding.startswith('bayer_')
    flags = cv2.IMREAD_UNCHANGED if mosaic else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(data, flags) if data.size else None
    if pixels is None:
        raise UnknownEncodingError(
            f'{seen} could not be decoded; JPEG and PNG can, video streams (h264 and the like) '
            'cannot: republish the images'
        )
    if mosaic and pixels.ndim == 2:
        return _demosaiced(raw_encoding, pixels)
    if (
        separator
        and raw_encoding.startswith(('rgb', 'bgr'))
        and 'compressed bgr' not in compressed
    ):
        return np.ascontiguousarray(pixels[..., :3])  # stored with red and blue exchanged
    return cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)


def _cut_off(data: np.ndarray) -> bool:
    """Tell a JPEG that lacks its end marker; OpenCV would fill the rest with grey."""
    text = data.tobytes()
    return text.startswith(b'\xff\xd8') and text.rfind(b'\xff\xd9') <= text.rfind(b'\xff\xda')


def _demosaiced(encoding: str, mosaic: np.ndarray) -> RgbImage:
    name = encoding.rstrip('0123456789') + str(8 * mosaic.itemsize)
    layout = ENCODINGS.get(name)
    if layout is None:
        raise UnknownEncodingError(f'compressed image of the unknown encoding {encoding!r}')
    return layout.to_rgb(mosaic, *mosaic.shape)


# ---- encoding -----------------------------------------------------------------------------------


def pixel_bytes(pixels: np.ndarray) -> np.ndarray:
    """Lay pixels out as a message's data: little endian, rows without padding, flat uint8."""
    little = pixels.dtype.newbyteorder('<')
    return np.ascontiguousarray(pixels, little).view(np.uint8).reshape(-1)
