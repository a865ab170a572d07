"""What is checked at the door."""

import numpy as np
import pytest
from scenes import CAMERA

from depthsync_ros.core.errors import InputError
from depthsync_ros.core.frames import Frame, StageSeconds


def image(height: int = 120, width: int = 160, dtype: type = np.uint8) -> np.ndarray:
    return np.zeros((height, width, 3), dtype)


def test_frame_that_fits_its_calibration_is_taken() -> None:
    assert Frame(0, 'camera', image(), CAMERA).stamp_ns == 0


@pytest.mark.parametrize('rgb', [image(121), image(dtype=np.float32), image()[..., 0]])
def test_image_that_does_not_fit_its_calibration_is_refused(rgb) -> None:
    with pytest.raises(
        InputError, match=r'frame 7: rgb is .* says uint8 \(120, 160, 3\); publish'
    ):
        Frame(7, 'camera', rgb, CAMERA)


@pytest.mark.parametrize('stamp', [-1, 1.5, np.float64(3.0)])
def test_stamp_that_is_no_time_is_refused(stamp) -> None:
    with pytest.raises(InputError, match=r'stamps are integer nanoseconds >= 0'):
        Frame(stamp, 'camera', image(), CAMERA)


def test_total_is_the_sum_of_the_stages() -> None:
    assert StageSeconds(1.0, 2.0, 4.0, 8.0, 16.0).total == 31.0
