"""Depth in whole millimetres, as 16UC1 images hold it (REP 118)."""

import numpy as np

from depthsync_ros.core.shapes import Map

LARGEST_MM = 65535


def millimetres(depth_m: Map) -> np.ndarray:
    """
    Round depth to millimetres; 0 where it is unknown or beyond what 16 bits hold.

    Shapes: as depth_m, uint16.

    >>> millimetres(np.array([[1.5004, np.nan, 65.5356]])).tolist()
    [[1500, 0, 0]]
    """
    rounded = np.nan_to_num(np.rint(1e3 * depth_m.astype(np.float64)), nan=0.0, posinf=np.inf)
    return np.where(rounded <= LARGEST_MM, rounded, 0.0).astype(np.uint16)
