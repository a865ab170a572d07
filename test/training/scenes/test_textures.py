import numpy as np
import pytest

from training.scenes import textures

MAKERS = sorted(
    {*textures.WALLS, *textures.FLOORS, *textures.TOPS, *textures.RUGS, *textures.ANY}
    | {textures.poster, textures.paper, textures.cover, textures.spines, textures.screen}
    | {textures.keyboard, textures.landscape},
    key=lambda maker: maker.__name__,
)


@pytest.mark.parametrize('maker', MAKERS, ids=lambda maker: maker.__name__)
def test_the_same_seed_paints_the_same_picture(maker) -> None:
    first, again = (maker(np.random.default_rng(5)) for _ in range(2))

    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert np.array_equal(first, again)


def test_noise_falls_off_with_its_slope() -> None:
    field = textures.noise(np.random.default_rng(0), slope=2.0)

    spectrum = np.abs(np.fft.rfft2(field))
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None]) * 256
    low = np.median(spectrum[(frequency > 4) & (frequency < 8)])
    high = np.median(spectrum[(frequency > 32) & (frequency < 64)])
    # eight times the frequency has 8**-2 of the amplitude; medians of 150 bins vary
    assert low / high == pytest.approx(64.0, rel=0.2)
