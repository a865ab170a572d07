"""rclpy's message classes, for the one place that spells our messages."""

import array
from functools import cache
import importlib
from typing import Any

import numpy as np


class RosWords:
    """The vocabulary of `depthsync_ros.messages` in rclpy's classes."""

    @staticmethod
    @cache
    def message(name: str) -> Any:
        """Return the class of a message named as 'package/msg/Name'."""
        package, kind, message = name.split('/')
        return getattr(importlib.import_module(f'{package}.{kind}'), message)

    @staticmethod
    def sequence(values: np.ndarray) -> 'array.array[Any]':
        """Wrap a flat array; an array.array is taken whole, a list element by element."""
        return array.array(values.dtype.char, values.tobytes())
