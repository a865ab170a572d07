import numpy as np

from training.sheet import CELL, strip
from training.validate import Clip


def test_an_affine_of_the_truth_is_drawn_as_the_truth_and_unknown_is_black() -> None:
    depth_m = np.random.default_rng(0).uniform(1.0, 5.0, (3, 150, 200)).astype(np.float32)
    depth_m[:, :40] = np.nan
    disparity = 0.3 / np.nan_to_num(depth_m, nan=2.0) + 0.1

    drawn = strip(Clip(np.zeros((3, 150, 200, 3), np.uint8), depth_m), disparity)

    width, height = CELL
    assert drawn.shape == (height, 3 * width, 3)
    ours, true = drawn[:, width : 2 * width], drawn[:, 2 * width :]
    assert not true[:40].any()
    assert true[41:].any()
    different = np.abs(ours[41:].astype(int) - true[41:]).max()
    assert different <= 6, 'one colour of 256 off, where rounding falls the other way'
