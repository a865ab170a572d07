"""Domains that programs on one machine do not share."""

from contextlib import ExitStack
from pathlib import Path
import socket
import tempfile

import pytest

from depthsync_ros.ros import domain
from depthsync_ros.ros.domain import NoDomainError, own_domain


@pytest.fixture(autouse=True)
def _claims_of_this_test_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))


def test_no_two_claims_share_a_domain_and_the_last_is_told() -> None:

    claimed: list[int] = []

    def claim_all() -> None:
        with ExitStack() as claims:
            for _ in range(102):
                claimed.append(claims.enter_context(own_domain()))

    with pytest.raises(NoDomainError, match='each of the DDS domains 1 to 101 is in use'):
        claim_all()
    assert len(claimed) > 1
    assert len(set(claimed)) == len(claimed)


def test_a_domain_is_free_again_afterwards(monkeypatch) -> None:
    with own_domain() as number:
        monkeypatch.setattr(domain, 'DOMAINS', range(number, number + 1))

    with own_domain() as again:
        assert again == number


def test_a_domain_that_another_program_speaks_in_is_left_alone(monkeypatch) -> None:
    with own_domain() as number:
        monkeypatch.setattr(domain, 'DOMAINS', range(number, number + 1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('', 7400 + 250 * number + 10))

        with pytest.raises(NoDomainError), own_domain():
            pass
