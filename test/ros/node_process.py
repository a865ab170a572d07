"""The node with a fake network, for tests to start as a process of its own."""

import sys

from fakes import load_fake

from depthsync_ros.ros.main import run

if __name__ == '__main__':
    sys.exit(run(load_fake))
