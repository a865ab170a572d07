"""
Every error the package raises on purpose.

DepthSyncError
    ConfigError     a setting is out of range, or two settings contradict each other
    InputError      a frame, calibration or bag breaks the input contract
    AlignmentError  two windows cannot be put on one scale
    PoseError       the tracks do not support a camera pose
    ScaleError      a window does not tell the metric scale
    ModelError      weights are missing or do not fit the network
    Cancelled       whoever runs the pipeline asked it to give a window up

Anything else that escapes is a bug and must reach the user with its traceback.
"""


class DepthSyncError(Exception):
    """Root of the errors a user can act on; str() is one sentence for them."""


class ConfigError(DepthSyncError):
    """A setting is out of range, or two settings contradict each other."""


class InputError(DepthSyncError):
    """A frame, calibration or bag breaks the input contract."""


class AlignmentError(DepthSyncError):
    """Two windows cannot be put on one scale."""


class PoseError(DepthSyncError):
    """The tracks do not support a camera pose."""


class ScaleError(DepthSyncError):
    """A window does not tell the metric scale."""


class ModelError(DepthSyncError):
    """Weights are missing or do not fit the network."""


class Cancelled(DepthSyncError):
    """Whoever runs the pipeline asked it to give a window up."""
