from pathlib import Path
import sys

sys.path.append(str(Path(__file__).parent))

from backbones import Remembering
import pytest

from depthsync_ros.core.settings import ModelSettings
from depthsync_ros.models.load import load_backbone


@pytest.fixture(scope='session')
def remembering():
    """Give the embedded model on one thread; several runs over one video cost one."""
    return Remembering(load_backbone(ModelSettings(threads=1)))
