"""Confidence of depth."""

import numpy as np
import pytest

from depthsync_ros.core.confidence import edge_confidence


def step(width: int = 320) -> np.ndarray:
    """Give a wall at 3 m, and a thing at 1 m before its right half."""
    depth = np.full((width * 3 // 4, width), 3.0, np.float32)
    depth[:, width // 2 :] = 1.0
    return depth


def test_edges_of_depth_are_trusted_least() -> None:
    confidence = edge_confidence(step())

    middle = confidence[120]
    assert middle[159] < 0.2
    assert middle[160] < 0.2
    assert middle[:140].min() > 0.99
    assert middle[180:].min() > 0.99
    assert confidence.dtype == np.float32


def test_unit_does_not_matter_and_size_hardly() -> None:
    metres, millimetres = edge_confidence(step()), edge_confidence(1000.0 * step())

    np.testing.assert_allclose(metres, millimetres, atol=1e-4)
    larger = edge_confidence(step(640))
    assert larger[240, 320] == pytest.approx(metres[120, 160], abs=0.02)
    assert larger[240, 330] == pytest.approx(metres[120, 165], abs=0.05)


def test_unknown_depth_has_no_confidence_and_makes_no_edge() -> None:
    depth = np.full((60, 80), 2.0, np.float32)
    depth[20:30, 30:40] = np.nan

    confidence = edge_confidence(depth)

    unknown = np.isnan(depth)
    assert np.isnan(confidence[unknown]).all()
    assert (confidence[~unknown] == 1.0).all()
