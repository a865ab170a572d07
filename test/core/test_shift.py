"""Where infinity lies."""

from dataclasses import replace
import json

import cv2
import numpy as np
import pytest
from scenes import cloud, path, see_cloud

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.poses import PoseLimits, Sightings, sightings
from depthsync_ros.core.shift import find_shift, Shift, to_depth
from depthsync_ros.core.tracks import PointTracker, tabulate

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
LIMITS = PoseLimits()
PRIOR = 0.15
SIDEWAYS = (0.03, 0.005, 0.01, 0.001, 0.003, -0.002)
TURNING = (0.0, 0.0, 0.0, 0.01, 0.02, -0.005)


def find(seen: Sightings, true_shift: float) -> Shift:
    """Search with disparity that is the truth but for its shift and unit."""
    disparity = 1.0 / seen.depth
    unit = 1.0 / (np.nanmax(disparity) * (1.0 - true_shift))
    disparity = disparity * unit - true_shift
    return find_shift(replace(seen, depth=to_depth(disparity, PRIOR)), disparity, PRIOR, LIMITS)


@pytest.mark.parametrize(
    ('true_shift', 'noise_px'), [(0.05, 0.0), (0.15, 0.5), (0.4, 0.0), (0.4, 1.0)]
)
def test_shift_is_found_where_the_camera_translates(true_shift, noise_px) -> None:
    seen = see_cloud(path(24, SIDEWAYS), cloud(250), CAMERA, noise_px=noise_px, outliers=0.2)

    shift = find(seen, true_shift)

    assert shift.observed
    assert shift.value == pytest.approx(true_shift, rel=0.3)  # half octaves, and a parabola


@pytest.mark.parametrize('noise_px', [0.1, 1.0])
@pytest.mark.parametrize('step', [TURNING, (0.0,) * 6], ids=['turning', 'still'])
def test_motion_without_parallax_keeps_the_prior_and_says_so(noise_px, step) -> None:
    seen = see_cloud(path(24, step), cloud(250), CAMERA, noise_px=noise_px, depth_noise=0.03)

    assert find(seen, 0.4) == Shift(PRIOR, observed=False)


@pytest.mark.parametrize('seed', range(3))
def test_parallax_that_drowns_in_noise_is_not_believed(seed) -> None:
    # 1 cm between the first camera and the last, at 1.5 to 5 m, is under two pixels.
    tiny = (0.0005, 0.0, 0.0, 0.002, 0.005, 0.0)
    seen = see_cloud(path(24, tiny), cloud(250), CAMERA, noise_px=1.0, seed=seed)

    shift = find(seen, 0.4)

    assert not shift.observed or shift.value == pytest.approx(0.4, rel=0.3)


def test_too_few_tracks_keep_the_prior() -> None:
    seen = see_cloud(path(24, SIDEWAYS), cloud(10), CAMERA)

    assert find(seen, 0.4) == Shift(PRIOR, observed=False)


def test_depth_is_unknown_where_disparity_is_not_clearly_positive() -> None:
    depth = to_depth(np.array([-0.15, -0.2, 0.0, 0.85], np.float32), 0.15)

    assert depth.dtype == np.float32
    assert np.isnan(depth[:2]).all()
    np.testing.assert_allclose(depth[2:], [1.0 / 0.15, 1.0], rtol=1e-6)


@pytest.mark.parametrize('first', [96, 288])
def test_shift_of_true_depth_is_found_from_a_hand_held_camera(kitchen, first) -> None:
    camera = Camera(**json.loads((kitchen / 'intrinsics.json').read_text()))
    tracker, tracks, depth_m = PointTracker(400), [], []
    for index in range(first, first + 24):
        bgr = cv2.imread(str(kitchen / f'rgb/{index:06d}.jpg'))
        tracks.append(tracker.track(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)))
        millimetres = cv2.imread(str(kitchen / f'depth/{index:06d}.png'), cv2.IMREAD_UNCHANGED)
        depth_m.append(np.where(millimetres > 0, millimetres / 1000.0, np.nan))
    table = tabulate(tracks)
    low, high = np.nanpercentile(1.0 / np.stack(depth_m), (0.5, 99.5))
    u, v = np.nan_to_num(table.pixels).round().astype(int).transpose(2, 0, 1)
    at_tracks = np.stack(depth_m)[np.arange(24)[:, None], v, u]
    disparity = np.where(table.visible, (1.0 / at_tracks - low) / (high - low), np.nan)

    seen = sightings(table, camera, to_depth(disparity, PRIOR))
    shift = find_shift(seen, disparity, PRIOR, LIMITS)

    assert shift.observed
    assert shift.value == pytest.approx(low / (high - low), rel=0.3)
