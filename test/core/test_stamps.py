import pytest

from depthsync_ros.core.stamps import ByStamp


def test_of_equal_stamps_the_oldest_leaves_first() -> None:
    kept: ByStamp[int] = ByStamp()
    kept.add(5, 1)
    kept.add(5, 2)
    kept.add(5, 3)
    kept.take_back(5)

    assert (kept.look_up(5, 0), kept.look_up(6, 9)) == (1, 9)
    assert [kept.leave(5), kept.leave(5)] == [1, 2]
    assert len(kept) == 0
    with pytest.raises(KeyError):
        kept.leave(5)
