from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('mujoco', reason='mujoco is not installed: make training-setup')

from training.scenes.room import Block, overlap, Room

TABLE = Block(x=0, y=0, yaw_rad=0, half_width=0.5, half_depth=0.25, bottom=0, top=0.75)


def test_distance_to_a_turned_block_is_that_to_its_nearest_side() -> None:
    turned = replace(TABLE, yaw_rad=np.pi / 2)
    points = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0], [0.0, 0.0, 0.3]])

    assert turned.distance(points) == pytest.approx([0.75, 0.5, 0.25, 0.0])


def test_blocks_overlap_only_if_their_heights_do() -> None:
    lamp = replace(TABLE, bottom=0.75, top=1.2)

    assert overlap(TABLE, replace(TABLE, x=0.9))
    assert not overlap(TABLE, replace(TABLE, x=1.1))
    assert not overlap(TABLE, lamp)


def test_a_diagonal_neighbour_fits_where_its_bounding_box_would_not() -> None:
    diagonal = replace(TABLE, x=0.85, y=0.55, yaw_rad=-np.pi / 4, half_depth=0.05)

    corners = diagonal.corners()

    assert corners[:, 0].min() < 0.5
    assert corners[:, 1].min() < 0.25
    assert not overlap(TABLE, diagonal)


def test_clearance_counts_walls_and_furniture() -> None:
    room = Room(kind='office', size_m=(4.0, 3.0, 2.5), blocks=[TABLE])
    points = np.array([[1.8, 0.0, 1.2], [0.0, 0.0, 1.15], [0.0, 1.0, 0.1]])

    assert room.clearance(points) == pytest.approx([0.2, 0.4, 0.1])
