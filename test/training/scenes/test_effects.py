from dataclasses import replace

import numpy as np
import pytest

from training.scenes import effects

FX, CENTRE = 200.0, (79.5, 59.5)
FLAT = np.full((120, 160), 2.0, np.float32)


def test_a_plane_has_no_creases_however_it_is_tilted() -> None:
    columns = np.linspace(0.3, 0.6, 160, dtype=np.float32)
    tilted = np.broadcast_to(1.0 / columns, (120, 160)).copy()  # disparity is linear

    light = effects.occlude(tilted, 1.0)[:, 20:140]

    assert light == pytest.approx(1.0, abs=1e-3)


def test_a_corner_is_dark_but_a_wall_far_behind_a_thing_is_not() -> None:
    corner = (2.0 - np.abs(np.arange(160) - 80) * 0.01).astype(np.float32)
    step = np.where(np.arange(160) < 80, 1.0, 3.0).astype(np.float32)

    dark = effects.occlude(np.tile(corner, (120, 1)), 0.5)
    light = effects.occlude(np.tile(step, (120, 1)), 0.5)

    assert dark[60, 80] < 0.8
    assert light == pytest.approx(1.0, abs=1e-3)


def test_pixels_move_by_the_pinhole_formula() -> None:
    later_T_cam = np.eye(4)
    later_T_cam[0, 3] = 0.05  # the camera went 5 cm to the left: everything moves right

    motion = effects.pixel_motion(FLAT, later_T_cam, FX, CENTRE)

    assert motion[..., 0] == pytest.approx(FX * 0.05 / 2.0, abs=1e-4)
    assert motion[..., 1] == pytest.approx(0.0, abs=1e-4)


def test_blur_spreads_an_edge_by_its_motion_and_keeps_even_colour() -> None:
    edge = np.zeros((8, 64, 3), np.float32)
    edge[:, 32:] = 1.0
    motion = np.zeros((8, 64, 2), np.float32)
    motion[..., 0] = 8.0

    blurred = effects.motion_blur(edge, motion)[4, :, 0]

    assert blurred[:27] == pytest.approx(0.0)
    assert blurred[37:] == pytest.approx(1.0)
    assert 0.3 < blurred[32] < 0.7
    assert (np.diff(blurred) >= -1e-6).all()


def test_a_neutral_lens_gives_back_the_picture() -> None:
    rng = np.random.default_rng(0)
    neutral = replace(
        effects.plain_lens(),
        defocus=0.0,
        gains=(1.0, 1.0, 1.0),
        gamma=1.0,
        contrast=1.0,
        saturation=1.0,
        shot_noise=0.0,
        read_noise=0.0,
    )
    film = replace(
        effects.load_film(rng, neutral, (120, 160)),
        fall=np.ones((120, 160, 1), np.float32),
    )
    picture = rng.uniform(0, 0.75, (120, 160, 3)).astype(np.float32)

    developed = effects.develop(picture, film, 1.0, rng)

    # the tone curve has 2048 steps over 0 to 4: half a grey level each
    assert np.abs(developed - 255 * picture).max() <= 1.0
