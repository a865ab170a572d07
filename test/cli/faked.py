"""
The depthsync command around a pipeline that needs no model.

Arguments: seconds to spend on each image, then the command's own.
"""

import signal
import sys
import time
import types
from unittest import mock

from synthetic import FakePipeline

from depthsync_ros.cli.main import main


def faked(delay_s=0.0, seen=None):
    """Put the fake where `depthsync bag` looks for the model; `seen` collects its settings."""
    loader = types.ModuleType('depthsync_ros.models.load')
    loader.load_backbone = lambda settings: settings
    pipeline = types.ModuleType('depthsync_ros.core.pipeline')

    def make(backbone, settings):
        if seen is not None:
            seen.append(settings)
        return FakePipeline(lambda index: time.sleep(delay_s))

    pipeline.Pipeline = make
    modules = {'depthsync_ros.models.load': loader, 'depthsync_ros.core.pipeline': pipeline}
    return mock.patch.dict(sys.modules, modules)


if __name__ == '__main__':
    # A test run in a shell's background hands on that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import depthsync_ros.bags.process  # noqa: F401  it names the real pipeline's type

    with faked(float(sys.argv[1])):
        sys.exit(main(sys.argv[2:]))
