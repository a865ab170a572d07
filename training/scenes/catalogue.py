"""
What the furniture catalogues hold, who made it, and which split may use it.

Source: Debian's package sweethome3d-furniture, five .sh3f files: zip archives with a
PluginFurnitureCatalog.properties that gives every OBJ model its name, size and category.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
from pathlib import Path
import re
import zipfile

CATALOGUE_DIR = Path('/usr/share/sweethome3d/furniture')
INSTALL_HINT = 'install it with: apt-get install sweethome3d-furniture'
OUTDOORS = ('Exterior', 'Vehicles', 'Staircases')
TEST_ONLY_PERCENT = 10


class CatalogueMissingError(FileNotFoundError):
    """The furniture catalogues are not installed."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """
    One catalogue entry.

    Units: size_m = (width, depth, height) in metres, elevation_m above the floor.
    Convention: rotation is the catalogue's 3x3 model rotation, row by row.
    """

    key: str
    archive: str
    model: str
    name: str
    category: str
    creator: str
    size_m: tuple[float, float, float]
    elevation_m: float
    rotation: tuple[float, ...]

    @property
    def test_only(self) -> bool:
        """Whether only test scenes may contain it: decided by the name's hash, for ever."""
        digest = hashlib.sha256(self.key.encode()).digest()
        return digest[0] * 100 < TEST_ONLY_PERCENT * 256


def read_properties(text: str) -> dict[int, dict[str, str]]:
    r"""
    Read the numbered `field#number=value` lines of a catalogue.

    >>> read_properties('id#1=a#b\nwidth#1=10')
    {1: {'id': 'a#b', 'width': '10'}}
    """
    entries: dict[int, dict[str, str]] = defaultdict(dict)
    for line in text.splitlines():
        match = re.match(r'(\w+)#(\d+)=(.*)', line)
        if match:
            entries[int(match[2])][match[1]] = match[3].strip()
    return dict(entries)


def make_piece(archive: Path, entry: dict[str, str]) -> Piece:
    centimetres = [float(entry[side]) for side in ('width', 'depth', 'height')]
    rotation = entry.get('modelRotation', '1 0 0 0 1 0 0 0 1')
    return Piece(
        key=f'{archive.stem}/{entry["id"].split("#")[-1]}',
        archive=str(archive),
        model=entry['model'].lstrip('/'),
        name=entry['name'],
        category=entry['category'],
        creator=entry.get('creator', ''),
        size_m=(centimetres[0] / 100, centimetres[1] / 100, centimetres[2] / 100),
        elevation_m=float(entry.get('elevation', 0.0)) / 100,
        rotation=tuple(float(value) for value in rotation.split()),
    )


def read_catalogues(directory: Path = CATALOGUE_DIR) -> list[Piece]:
    """
    List every indoor piece, in an order that does not change.

    :raises CatalogueMissingError: the package is not installed.
    """
    archives = sorted(directory.glob('*.sh3f'))
    if not archives:
        raise CatalogueMissingError(f'no .sh3f catalogue in {directory}; {INSTALL_HINT}')
    pieces = []
    for archive in archives:
        with zipfile.ZipFile(archive) as file:
            text = file.read('PluginFurnitureCatalog.properties').decode('latin-1')
        entries = read_properties(text)
        pieces += [make_piece(archive, entries[number]) for number in sorted(entries)]
    return [piece for piece in pieces if piece.category not in OUTDOORS]


LICENCES = {
    'BlendSwap-CC-0': 'CC0 (public domain)',
    'BlendSwap-CC-BY': 'CC BY 3.0 (https://creativecommons.org/licenses/by/3.0/)',
    'KatorLegaz': (
        'CC BY 3.0 US (https://creativecommons.org/licenses/by/3.0/us/), '
        '(c) 2003-2008 Andrew Kator & Jennifer Legaz'
    ),
    'Reallusion': (
        'CC BY 3.0 US (https://creativecommons.org/licenses/by/3.0/us/), '
        '(c) 2008-2016 Reallusion, http://www.reallusion.com'
    ),
    'Scopia': (
        'CC BY 3.0 (https://creativecommons.org/licenses/by/3.0/), '
        '(c) 2006-2020 Scopia Visual Interfaces Systems, s.l. '
        '(http://www.scopia.es) and Emmanuel Puybaret / eTeks <info@eteks.com>'
    ),
}


def credits_markdown(pieces: Sequence[Piece]) -> str:
    """Credit the author of every model that a scene may show."""
    lines = [
        '# Credits for the rendered rooms',
        '',
        'Written by `python -m training.scenes.credits`. The furniture is that of the Debian',
        'package `sweethome3d-furniture` 1.8 (converted to OBJ by Emmanuel Puybaret), simplified',
        'and re-coloured for rendering. No model is part of this repository.',
    ]
    grouped: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for piece in pieces:
        catalogue, _, model = piece.key.partition('/')
        grouped[catalogue][piece.creator or 'unnamed author'].append(model)
    for catalogue, creators in grouped.items():
        lines += ['', f'## {catalogue}: {LICENCES[catalogue]}', '']
        for creator in sorted(creators, key=str.lower):
            lines.append(f'- {creator}: {", ".join(creators[creator])}')
    return '\n'.join(lines) + '\n'
