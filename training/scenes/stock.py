"""Sorts the catalogue into the roles that furniture plays in a room."""

from collections.abc import Callable
import re

import numpy as np

from training.scenes.catalogue import Piece

TEST_ONLY_WEIGHT = 4.0  # how much likelier a test scene takes a piece that training never saw


def named(pattern: str, piece: Piece) -> bool:
    return re.search(pattern, piece.name, re.IGNORECASE) is not None


def in_rooms(piece: Piece, *rooms: str) -> bool:
    return piece.category in rooms


def low(piece: Piece) -> bool:
    return piece.elevation_m < 0.03


NOT_SMALL = (
    r'socket|switch|plug|dimmer|bill |detector|frame|fence|wall|towel rack|hanger|RJ|antenna|'
    r'sign|ring|electric|saw|shovel|glove|helmet|carpet|pliers|french fries|fork|knife|spoon'
)
PLANTS = r'plant|bamboo|orchid|tulip|lily|ficus|yucca|spathi|cactus|bonsai|flowers|christmas'
ROLES: dict[str, Callable[[Piece], bool]] = {
    'sofa': lambda p: named(r'sofa|couch', p) and p.size_m[1] < 1.2,
    'armchair': lambda p: named(r'armchair', p) and in_rooms(p, 'Living room'),
    'chair': lambda p: (
        named(r'chair', p)
        and not named(r'arm|wheel|baby|child|desk|beach', p)
        and in_rooms(p, 'Living room', 'Kitchen')
        and p.size_m[0] < 0.62
        and p.size_m[2] > 0.7
    ),
    'office_chair': lambda p: (
        in_rooms(p, 'Office') and named(r'chair|seat', p) and not named('wheel', p)
    ),
    'stool': lambda p: named(r'stool|bar chair', p),
    'table': lambda p: (
        named(r'table', p)
        and in_rooms(p, 'Living room', 'Office')
        and 0.6 < p.size_m[2] < 0.82
        and p.size_m[0] > 0.75
    ),
    'coffee_table': lambda p: (
        named(r'table', p) and in_rooms(p, 'Living room') and 0.3 < p.size_m[2] < 0.6
    ),
    'desk': lambda p: in_rooms(p, 'Office') and named(r'desk|table', p) and p.size_m[1] < 1.0,
    'bookcase': lambda p: (
        named(r'bookcase|shelves|cupboard|dresser|locker|filing|cabinet$', p)
        and not in_rooms(p, 'Kitchen', 'Bathroom')
        and p.size_m[0] < 2.7
    ),
    'tv_stand': lambda p: named(r'TV stand|television cabinet|box$', p) and p.size_m[0] > 1.0,
    'tv': lambda p: named(r'^TV', p) and p.size_m[0] < 1.2,
    'bed': lambda p: named(r'\bbed$', p) and in_rooms(p, 'Bedroom') and not named('baby|hosp', p),
    'bedside': lambda p: named(r'bedside', p),
    'wardrobe': lambda p: named(r'wardrobe|chest$|changing', p) and in_rooms(p, 'Bedroom'),
    'appliance': lambda p: (
        named(r'washing|dryer|stove|oven|freezer|dishwasher', p)
        and 0.5 < p.size_m[2] < 1.15
        and p.size_m[0] > 0.5
    ),
    'cabinet': lambda p: (
        in_rooms(p, 'Kitchen')
        and named(r'cabinet|sink|island', p)
        and 0.8 < p.size_m[2] < 1.25
        and p.size_m[0] < 1.3
    ),
    'upper': lambda p: in_rooms(p, 'Kitchen') and p.elevation_m > 1.3 and named('cabinet', p),
    'hood': lambda p: in_rooms(p, 'Kitchen') and named('hood', p),
    'fridge': lambda p: named(r'fridge|refrigerator|high cabinet', p),
    'plant_big': lambda p: named(PLANTS, p) and 0.6 < p.size_m[2] < 2.1,
    'lamp_big': lambda p: (
        in_rooms(p, 'Lights') and low(p) and 1.2 < p.size_m[2] < 2.0 and max(p.size_m[:2]) < 0.8
    ),
    'lamp_ceiling': lambda p: (
        named(r'hanging|pendant|chandelier|ceiling lamp|ceiling fan', p)
        and p.elevation_m > 1.2
    ),
    'radiator': lambda p: named(r'radiator', p) and p.size_m[1] < 0.25 and p.elevation_m < 0.3,
    'door': lambda p: (
        named(r'door$|door with', p) and 0.6 < p.size_m[0] < 1.2 and p.size_m[2] > 1.9
    ),
    'window': lambda p: named(r'window', p) and in_rooms(p, 'Doors and windows')
    and not named('shutter|blind', p),
    'curtain': lambda p: named(r'^curtain', p),
    'person': lambda p: (
        in_rooms(p, 'Characters', 'People')
        and p.size_m[2] > 1.5
        and max(p.size_m[:2]) < 0.85
    ),
    'pet': lambda p: named(r'\bcat\b|dog\b|rabbit', p) and p.category == 'Characters',
    'bath': lambda p: (
        in_rooms(p, 'Bathroom') and max(p.size_m[:2]) > 0.33 and p.size_m[2] > 0.3
        and not named('towel|shower head|curtain|door', p)
    ),
    'floor': lambda p: (
        in_rooms(p, 'Miscellaneous', 'Bedroom', 'Kitchen', 'Office', 'Living room', 'Bathroom')
        and named(
            r'\bbox|crate|suitcase|backpack|dustbin|trash|bin$|trunk|guitar|fan$|ball$|briefcase|'
            r'basket|puff|safe|logs|speaker|cooler|extinguisher|slippers|sneakers|horse|chest|'
            r'vase|ladder|bench|broom|barrel|printer|amplifier|doll|piano|heater|screen$',
            p,
        )
        and 0.2 < max(p.size_m) < 1.5
        and low(p)
    ),
    'small': lambda p: (
        not in_rooms(p, 'Characters', 'Doors and windows')
        and low(p)
        and 0.05 < max(p.size_m) < 0.5
        and max(p.size_m[0], p.size_m[1]) > 0.04
        and p.size_m[2] > 0.015
        and not named(NOT_SMALL, p)
    ),
}  # fmt: skip


class Stock:
    """The pieces one split may use, by role."""

    def __init__(self, pieces: list[Piece], *, testing: bool) -> None:
        usable = [piece for piece in pieces if testing or not piece.test_only]
        self.roles: dict[str, list[Piece]] = {}
        self.weights: dict[str, np.ndarray] = {}
        for role, test in ROLES.items():
            self.roles[role] = [piece for piece in usable if test(piece)]
            weights = [TEST_ONLY_WEIGHT if p.test_only else 1.0 for p in self.roles[role]]
            self.weights[role] = np.asarray(weights) / max(sum(weights), 1e-9)

    def pick(self, rng: np.random.Generator, role: str) -> Piece:
        return self.roles[role][int(rng.choice(len(self.roles[role]), p=self.weights[role]))]
