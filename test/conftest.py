"""What the tests of several directories share."""

import os
from pathlib import Path

from hypothesis import settings
import pytest

DATA = Path(os.environ.get('DEPTHSYNC_DATA', Path(__file__).parents[1] / '../shared/data'))


@pytest.fixture(scope='session')
def kitchen() -> Path:
    """Give the folder of a real hand-held sequence with depth and poses, or skip."""
    folder = DATA / '7scenes_redkitchen'
    if not folder.is_dir():
        pytest.skip(f'real sequences are absent: no folder {folder}; set DEPTHSYNC_DATA')
    return folder


# The same examples on every machine, and no limit on time: a busy machine is not a bug.
settings.register_profile('here', deadline=None, derandomize=True, max_examples=60)
settings.load_profile('here')
