import numpy as np
import pytest

from training.scenes.shapes import ball, box, Mesh, moved, tube, turned

RADIUS, HEIGHT = 0.3, 0.5


def volume(mesh: Mesh) -> float:
    """Sum the signed tetrahedra: positive when the faces look outwards."""
    corners = mesh.vertices[mesh.faces]
    return float(np.einsum('fi,fi->', corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def test_a_box_holds_its_volume_and_looks_outwards() -> None:
    assert volume(box((0.4, 0.5, 0.6))) == pytest.approx(0.4 * 0.5 * 0.6)
    assert volume(box((0.4, 0.5, 0.6), cell_m=0.1)) == pytest.approx(0.4 * 0.5 * 0.6)


def test_a_turned_cylinder_approaches_the_round_one() -> None:
    mesh = turned([(0, 0), (RADIUS, 0), (RADIUS, HEIGHT), (0, HEIGHT)], sides=64)

    # an inscribed 64-gon has sin(x)/x of the circle's area, x = 2 pi / 64
    share = np.sin(2 * np.pi / 64) / (2 * np.pi / 64)
    assert volume(mesh) == pytest.approx(np.pi * RADIUS**2 * HEIGHT * share)


def test_a_flat_ball_stands_on_the_ground() -> None:
    mesh = ball(RADIUS, flat=0.5, sides=48)

    assert mesh.vertices[:, 2].min() == pytest.approx(0.0, abs=1e-9)
    assert mesh.vertices[:, 2].max() == pytest.approx(RADIUS)
    # 48 sides lose less than 1.5 % of the volume
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * RADIUS**3 * 0.5, rel=0.015)


@pytest.mark.parametrize('mesh', [box((1, 2, 3)), ball(0.2), turned([(0.1, 0), (0.1, 1)])])
def test_normals_agree_with_the_faces(mesh: Mesh) -> None:
    corners = mesh.vertices[mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    solid = np.linalg.norm(across, axis=1) > 1e-9

    agreement = np.einsum('fi,fci->fc', across, mesh.normals[mesh.faces])[solid]

    assert solid.any()
    assert (agreement > 0).all()


def test_a_tube_keeps_its_radius() -> None:
    line = np.stack([np.linspace(0, 1, 5), np.zeros(5), np.zeros(5)], 1)

    mesh = tube(line, 0.01)

    assert np.hypot(mesh.vertices[:, 1], mesh.vertices[:, 2]) == pytest.approx(0.01)


def test_moving_turns_before_it_shifts() -> None:
    mesh = moved(box((2.0, 1.0, 1.0)), (10.0, 0.0, 0.0), np.pi / 2)

    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([1.0, 2.0, 1.0])
    assert mesh.vertices[:, 0].mean() == pytest.approx(10.0)
