"""cv_bridge is used where it works, and only for what our codec does not know."""

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

import numpy as np
from robot import camera_info, image

from depthsync_ros.core.errors import InputError
from depthsync_ros.ros import bridge
from depthsync_ros.ros.convert import Arrival, frame


def test_an_unknown_encoding_without_cv_bridge_is_an_input_error(monkeypatch) -> None:
    monkeypatch.setattr(bridge, 'works', lambda: False)

    with pytest.raises(InputError, match=r"'yuv999' is unknown; known are .*republish"):
        frame(Arrival(image(0, encoding='yuv999'), camera_info(0), 0.0), rectified=False)


def test_an_unknown_encoding_with_cv_bridge_is_decoded_by_it(monkeypatch) -> None:
    decoded = np.full((48, 64, 3), 7, np.uint8)
    monkeypatch.setattr(bridge, 'works', lambda: True)
    monkeypatch.setattr(bridge, 'decode', lambda _: decoded)

    made = frame(Arrival(image(0, encoding='yuv999'), camera_info(0), 0.0), rectified=False)

    assert made.rgb is decoded


@pytest.mark.parametrize('broken', ['import os; os.abort()', 'import not_there'])
def test_a_cv_bridge_that_crashes_or_is_absent_does_not_work(monkeypatch, broken) -> None:
    monkeypatch.setattr(bridge, 'SELF_CHECK', broken)
    bridge.works.cache_clear()

    assert not bridge.works()
    bridge.works.cache_clear()


def test_a_cv_bridge_that_hangs_does_not_work(monkeypatch) -> None:
    monkeypatch.setattr(bridge, 'SELF_CHECK', 'import time; time.sleep(600)')
    monkeypatch.setattr(bridge, 'SELF_CHECK_S', 0.1)
    bridge.works.cache_clear()

    assert not bridge.works()
    bridge.works.cache_clear()
