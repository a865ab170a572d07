"""Scale-consistent video depth and camera poses from one camera: DepthSync for ROS 2."""

import pkgutil

# The messages generated from msg/ are installed elsewhere under this package's name.
__path__ = pkgutil.extend_path(__path__, __name__)
__version__ = '0.1.0'
