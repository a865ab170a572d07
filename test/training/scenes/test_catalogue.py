import pytest

from training.scenes.catalogue import (
    CATALOGUE_DIR,
    CatalogueMissingError,
    credits_markdown,
    read_catalogues,
    read_properties,
)
from training.scenes.stock import Stock

needs_furniture = pytest.mark.skipif(
    not CATALOGUE_DIR.exists(), reason=f'{CATALOGUE_DIR} is absent: sweethome3d-furniture'
)


def test_a_property_keeps_what_follows_its_first_equals_sign() -> None:
    entries = read_properties('name#3=a=b\nversion=1.8\nwidth#3=10')

    assert entries == {3: {'name': 'a=b', 'width': '10'}}


def test_a_missing_package_is_named(tmp_path) -> None:
    with pytest.raises(CatalogueMissingError, match='apt-get install sweethome3d-furniture'):
        read_catalogues(tmp_path)


@needs_furniture
def test_some_furniture_is_kept_for_test_scenes_alone() -> None:
    pieces = read_catalogues()
    training = {p.key for role in Stock(pieces, testing=False).roles.values() for p in role}
    testing = {p.key for role in Stock(pieces, testing=True).roles.values() for p in role}

    kept = {piece.key for piece in pieces if piece.test_only}

    assert not training & kept
    assert testing & kept
    assert 0.07 < len(kept) / len(pieces) < 0.13  # a tenth, chosen by hash


@needs_furniture
@pytest.mark.parametrize('testing', [False, True])
def test_every_role_can_be_filled(testing: bool) -> None:  # noqa: FBT001
    roles = Stock(read_catalogues(), testing=testing).roles

    assert roles
    assert not [role for role, pieces in roles.items() if not pieces]


@needs_furniture
def test_every_creator_is_credited() -> None:
    pieces = read_catalogues()

    credited = credits_markdown(pieces)

    assert pieces
    for piece in pieces:
        assert (piece.creator or 'unnamed author') in credited
        assert piece.key.split('/')[1] in credited
