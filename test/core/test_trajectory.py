"""Joining windows' poses."""

import numpy as np
import pytest
from scenes import path

from depthsync_ros.core.poses import WindowPoses
from depthsync_ros.core.rigid import BODY_T_OPTICAL, exponential, invert
from depthsync_ros.core.trajectory import join, world_from

STEP = (0.1, 0.02, -0.03, 0.01, 0.05, -0.02)


def window(world_T_cam: np.ndarray, unposed: tuple[int, ...] = ()) -> WindowPoses:
    """Express poses in their first camera, as the solver does."""
    posed = np.ones(len(world_T_cam), bool)
    posed[list(unposed)] = False
    window_T_cam = invert(world_T_cam[np.argmax(posed)]) @ world_T_cam
    window_T_cam[~posed] = np.nan
    return WindowPoses(window_T_cam, posed, 0.1, 0.1, 100)


def placed(poses: WindowPoses, known: list) -> list:
    return join(poses, world_from(poses, known))


def test_first_camera_makes_the_world_x_forward_z_up() -> None:
    joined = join(window(path(4, STEP)), BODY_T_OPTICAL)

    np.testing.assert_allclose(joined[0], BODY_T_OPTICAL, atol=1e-12)
    np.testing.assert_allclose(np.stack(joined), BODY_T_OPTICAL @ path(4, STEP), atol=1e-12)


def test_windows_join_into_one_path() -> None:
    world_T_cam = path(10, STEP)
    first = join(window(world_T_cam[:6]), BODY_T_OPTICAL)

    second = placed(window(world_T_cam[4:]), first[4:6])

    np.testing.assert_allclose(
        np.stack([*first[:4], *second]), BODY_T_OPTICAL @ world_T_cam, atol=1e-9
    )


def test_one_wrong_link_of_five_does_not_bend_the_path() -> None:
    world_T_cam = path(12, STEP)
    known = list(BODY_T_OPTICAL @ world_T_cam[4:9])
    known[2] = exponential(np.array([0.5, 0.5, 0.5, 0.3, 0.3, 0.3])) @ known[2]

    joined = placed(window(world_T_cam[4:]), known)

    # The L1 mean of four equal links and one wrong one is the four's.
    np.testing.assert_allclose(joined[-1], BODY_T_OPTICAL @ world_T_cam[-1], atol=1e-2)


def test_unposed_frames_stay_without_a_pose() -> None:
    world_T_cam = path(8, STEP)
    known = [None, BODY_T_OPTICAL @ world_T_cam[1]]

    joined = placed(window(world_T_cam, unposed=(3,)), known)

    assert [one is None for one in joined] == [frame == 3 for frame in range(8)]
    np.testing.assert_allclose(joined[7], BODY_T_OPTICAL @ world_T_cam[7], atol=1e-9)


@pytest.mark.parametrize('known', [[], [None, None]])
def test_window_without_a_link_is_not_placed(known) -> None:
    assert placed(window(path(5, STEP)), known) == [None] * 5


def test_link_through_a_frame_unposed_here_is_none() -> None:
    world_T_cam = path(5, STEP)

    joined = placed(window(world_T_cam, unposed=(0,)), [world_T_cam[0]])

    assert joined == [None] * 5
