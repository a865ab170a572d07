"""
The bytes of a compressedDepth image: twelve of header and a PNG of 16 bits.

Source: ros-perception/image_transport_plugins, compressed_depth_image_transport: its header is an
int32 and two float32; its subscriber reads depth = a / (value - b), and 0 as unknown.
"""

import struct

import cv2
import numpy as np

from depthsync_ros.core.shapes import Map

HEADER = struct.Struct('<iff')
INVERSE_DEPTH = 0  # the only kind there is
LEVELS = 65534  # of inverse depth; 0 is unknown
NARROWEST = 0.05  # range of inverse depth, in 1 / far: float32 decoders resolve every level of it


def compress_depth(depth: Map) -> bytes:
    """
    Compress 32FC1 depth, in whatever unit; NaN stays unknown.

    Inverse depth is cut into equal steps between the image's own nearest and farthest, so the
    relative error is at most depth / nearest / 131068.
    """
    known = np.isfinite(depth) & (depth > 0.0)
    if not known.any():
        return _pack(1.0, 0.0, np.zeros(depth.shape, np.uint16))
    inverse = 1.0 / np.where(known, depth, 1.0).astype(np.float64)
    lowest = float(inverse[known].min())
    a = LEVELS / max(float(inverse[known].max()) - lowest, NARROWEST * lowest)
    b = 1.0 - a * lowest
    values = np.where(known, np.clip(np.rint(a * inverse + b), 1, LEVELS + 1), 0)
    return _pack(a, b, values.astype(np.uint16))


def compress_millimetres(depth_mm: np.ndarray) -> bytes:
    """Compress 16UC1 depth without loss."""
    return _pack(0.0, 0.0, depth_mm)


def _pack(a: float, b: float, values: np.ndarray) -> bytes:
    _, png = cv2.imencode('.png', values)
    return HEADER.pack(INVERSE_DEPTH, a, b) + png.tobytes()
