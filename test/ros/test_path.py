"""The way so far: whole, and bounded."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
import numpy as np

from depthsync_ros.ros.path import Path


@given(most=st.integers(2, 9), count=st.integers(1, 200))
def test_a_path_is_bounded_and_reaches_from_the_start_to_nearly_the_end(most, count) -> None:
    path = Path(most)
    for number in range(count):
        path.add(number, np.eye(4) * number)

    assert len(path.poses) == len(path.stamps_ns) <= most
    assert path.stamps_ns[0] == 0
    gaps = {b - a for a, b in pairwise([*path.stamps_ns])}
    assert len(gaps) <= 1, 'evenly spread'
    assert count - 1 - path.stamps_ns[-1] < max(gaps, default=count)
    assert [pose[0, 0] for pose in path.poses] == path.stamps_ns
