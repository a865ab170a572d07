"""The book of every image balances."""

from hypothesis import given
from hypothesis import strategies as st

from depthsync_ros.ros.ledger import DEACTIVATED, Ledger, NO_CAMERA_INFO, QUEUE_FULL


@given(
    images=st.integers(0, 50),
    matched=st.floats(0, 1),
    published=st.floats(0, 1),
    dropped=st.floats(0, 1),
)
def test_received_is_published_and_dropped_once_closed(images, matched, published, dropped):
    n_matched = int(images * matched)
    n_published = int(n_matched * published)
    n_dropped = int((n_matched - n_published) * dropped)
    ledger = Ledger()
    ledger.count('images', images)
    ledger.count('matched', n_matched)
    for _ in range(n_published):
        ledger.published(0.1)
    ledger.dropped(n_dropped, QUEUE_FULL)

    before = ledger.counts()
    rest = ledger.close(DEACTIVATED)
    after = ledger.counts()

    assert before.images == before.published + before.dropped + before.waiting
    assert before.unmatched == images - n_matched
    assert rest == n_matched - n_published - n_dropped
    assert (after.waiting, after.unmatched) == (0, 0)
    assert after.images == after.published + after.dropped
    assert after.dropped_for.get(NO_CAMERA_INFO, 0) == images - n_matched


def test_the_account_reads_as_a_sentence() -> None:
    ledger = Ledger()
    ledger.count('images', 3)
    ledger.count('matched', 3)
    ledger.published(0.1)
    ledger.dropped(1, QUEUE_FULL)

    assert str(ledger.counts()) == (
        '3 images in, 1 published, 1 dropped (1 queue full), 1 waiting'
    )
