"""The demo's picture."""

import cv2
import numpy as np

from depthsync_ros.demo.picture import draw, Row


def test_a_picture_shows_camera_depth_truth_and_path(tmp_path) -> None:
    depth = np.linspace(1.0, 3.0, 48 * 64, dtype=np.float32).reshape(48, 64)
    row = Row(0.5, np.full((48, 64, 3), (250, 0, 250), np.uint8), depth, depth)
    path = np.cumsum(np.ones((5, 3)), axis=0)

    draw([row, row], path, path, 'title', tmp_path / 'demo.png')

    picture = cv2.imread(str(tmp_path / 'demo.png'))
    magenta = (picture == (250, 0, 250)).all(axis=-1)
    assert magenta.mean() > 0.05, 'the camera image is in the picture'
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200, 'so are two depth maps'
