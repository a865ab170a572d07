"""Following points."""

import cv2
import numpy as np
import pytest

from depthsync_ros.core.tracks import FrameTracks, PointTracker, tabulate


def texture(height: int = 300, width: int = 500) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4), dtype=np.uint8)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(smooth, cv2.COLOR_GRAY2RGB)


def shifted(
    image: np.ndarray, u: float, v: float, size: tuple[int, int] = (320, 240)
) -> np.ndarray:
    """Cut out a view whose content has moved by (u, v) pixels."""
    centre = (size[0] / 2 + 30.0 - u - 0.5, size[1] / 2 + 25.0 - v - 0.5)
    return cv2.getRectSubPix(image, size, centre)


def follow(shifts: list[tuple[float, float]], max_tracks: int = 200) -> list[FrameTracks]:
    tracker, image = PointTracker(max_tracks), texture()
    return [tracker.track(shifted(image, *shift)) for shift in shifts]


def test_points_are_followed_to_a_tenth_of_a_pixel() -> None:
    shifts = [(1.3 * i, -0.7 * i) for i in range(6)]

    frames = follow(shifts)

    errors = []
    for frame, shift in zip(frames, shifts, strict=True):
        _, first, now = np.intersect1d(frames[0].ids, frame.ids, return_indices=True)
        assert len(now) > 100, 'most points stay in view for six frames'
        errors.append(frame.pixels[now] - frames[0].pixels[first] - shift)
    # What a patch of 15 x 15 pixels of noise-free texture gives; bilinear views blur a little.
    assert np.median(np.linalg.norm(np.concatenate(errors[1:]), axis=1)) < 0.1


def test_ids_persist_and_are_never_used_again() -> None:
    frames = follow([(-15.0 * i, 0.0) for i in range(8)])

    for frame in frames:
        assert len(np.unique(frame.ids)) == len(frame.ids) == len(frame.pixels)
    gone = set(frames[0].ids) - set(frames[1].ids)
    later = set(np.concatenate([frame.ids for frame in frames[2:]]))
    assert gone, 'points that leave the image are lost'
    assert not gone & later
    assert max(frames[-1].ids) > max(frames[0].ids), 'lost points are replaced'


def test_wide_image_is_tracked_smaller_and_told_in_its_own_pixels() -> None:
    image = cv2.resize(texture(), (1600, 1200), interpolation=cv2.INTER_CUBIC)
    tracker = PointTracker(200)

    first = tracker.track(shifted(image, 0.0, 0.0, (1280, 960)))
    second = tracker.track(shifted(image, 8.0, 4.0, (1280, 960)))

    _, before, after = np.intersect1d(first.ids, second.ids, return_indices=True)
    moved = np.median(second.pixels[after] - first.pixels[before], axis=0)
    np.testing.assert_allclose(moved, (8.0, 4.0), atol=0.2)  # a tenth of a tracked pixel
    assert first.pixels.max() > 700.0


def test_corners_of_a_mirrored_image_are_mirrored() -> None:
    """An offset of the pixels' centres, of whichever size, would show twice."""
    image = cv2.resize(texture(), (1280, 960), interpolation=cv2.INTER_CUBIC)

    seen = PointTracker(60).track(image).pixels
    mirrored = PointTracker(60).track(np.ascontiguousarray(image[:, ::-1])).pixels

    back = mirrored * (-1.0, 1.0) + (1279.0, 0.0)
    distance = np.linalg.norm(seen[:, None] - back, axis=-1).min(axis=1)
    assert np.median(distance) == 0.0


def test_blank_image_has_no_tracks_and_ends_those_there_were() -> None:
    tracker, blank = PointTracker(200), np.full((240, 320, 3), 128, np.uint8)

    assert len(tracker.track(blank).ids) == 0
    seen = tracker.track(shifted(texture(), 0.0, 0.0))
    assert len(tracker.track(blank).ids) == 0
    again = tracker.track(shifted(texture(), 0.0, 0.0))

    assert len(seen.ids) > 100
    assert not set(seen.ids) & set(again.ids)


def test_new_image_size_starts_anew() -> None:
    tracker = PointTracker(200)
    first = tracker.track(shifted(texture(), 0.0, 0.0))

    second = tracker.track(shifted(texture(), 0.0, 0.0, (160, 120)))

    assert len(second.ids)
    assert not set(first.ids) & set(second.ids)


def test_two_trackers_find_the_same() -> None:
    shifts = [(2.0 * i, 0.0) for i in range(4)]

    for one, other in zip(follow(shifts), follow(shifts), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.pixels, other.pixels)


def seen(ids: list[int]) -> FrameTracks:
    return FrameTracks(
        np.array(ids, np.int64), np.array([[10.0 * i, i] for i in ids]).reshape(-1, 2)
    )


def test_table_keeps_points_seen_often_enough_and_nan_elsewhere() -> None:
    table = tabulate([seen([1, 2, 9]), seen([2, 1]), seen([1, 5])], min_views=2)

    assert table.pixels.shape == (3, 2, 2)
    np.testing.assert_array_equal(table.visible, [[True, True], [True, True], [True, False]])
    np.testing.assert_array_equal(table.pixels[:, 0], [[10.0, 1.0]] * 3)
    np.testing.assert_array_equal(table.pixels[1, 1], [20.0, 2.0])
    assert np.isnan(table.pixels[2, 1]).all()


@pytest.mark.parametrize('frames', [[[], []], [[1], [2]], [[], [3]]])
def test_frames_that_share_nothing_give_an_empty_table(frames) -> None:
    table = tabulate([seen(ids) for ids in frames])

    assert table.pixels.shape == (2, 0, 2)
    assert table.visible.shape == (2, 0)
