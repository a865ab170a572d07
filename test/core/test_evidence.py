"""Measured depth, thinned out and found again by its stamp."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.core.evidence import KEPT, MOST_POINTS, Recent, thin_out


def a_map(value: float):
    return thin_out(np.full((2, 3), value))


def test_what_is_unknown_is_left_out_and_pixels_keep_their_place() -> None:
    depth_m = np.array([[np.nan, 0.0, -1.0], [np.inf, 2.5, 3.5]])

    kept = thin_out(depth_m)

    assert kept.pixels.tolist() == [[1.0, 1.0], [2.0, 1.0]]
    assert kept.depth_m.tolist() == [2.5, 3.5]
    assert kept.size == (3, 2)


def test_a_whole_image_is_thinned_to_a_spread_of_itself() -> None:
    kept = thin_out(np.ones((240, 320)))

    assert len(kept.depth_m) == MOST_POINTS
    assert np.ptp(kept.pixels, axis=0) == pytest.approx([319, 239])
    assert np.histogram(kept.pixels[:, 1], 4)[0] == pytest.approx(MOST_POINTS / 4, rel=0.02)


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=KEPT, unique=True),
    st.integers(0, 10_000),
)
def test_the_nearest_stamp_is_found_and_none_beyond_the_slop(stamps, stamp_ns) -> None:
    memory = Recent(slop_ns=100)
    for one in sorted(stamps):
        memory.add(one, a_map(float(one + 1)))

    found = memory.nearest(stamp_ns)

    offset = min(abs(one - stamp_ns) for one in stamps)
    assert (found is not None) == (offset <= 100)
    if found is not None:
        assert abs(found.depth_m[0] - 1 - stamp_ns) == offset


def test_it_is_settled_once_nothing_nearer_can_come() -> None:
    memory = Recent(slop_ns=100)
    memory.add(50, a_map(1.0))
    assert not memory.is_settled(60)
    memory.add(60, a_map(2.0))

    assert memory.is_settled(60)


def test_a_bag_that_is_played_again_begins_anew() -> None:
    memory = Recent(slop_ns=10)
    memory.add(1000, a_map(1.0))
    memory.add(5, a_map(2.0))

    assert memory.nearest(1000) is None
    assert memory.nearest(5).depth_m[0] == 2.0
