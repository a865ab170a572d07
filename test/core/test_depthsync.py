"""One window: what it starts from, what it keeps, and what it fades."""

from backbones import FakeBackbone
import numpy as np
import pytest
from scenes import CAMERA, path, render
import torch

from depthsync_ros.core.context import Accepted, WindowContext
from depthsync_ros.core.depthsync import solve_window, WindowResult
from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.noise import frame_noise, LATENTS
from depthsync_ros.core.rigid import angle_rad, BODY_T_OPTICAL, invert
from depthsync_ros.core.settings import DepthSyncSettings, Value, with_values
from depthsync_ros.core.tracks import PointTracker

LENGTH, OVERLAP = 6, 2
# Brightness is no depth: bending it onto true points would be nonsense.
PLAIN: dict[str, Value] = {'scale.min_pixels': 10, 'geometry.refine': False}
STEP = (0.06, 0.0, 0.02, 0.0, 0.01, 0.0)


class Watched(FakeBackbone):
    """Remember what the network was given first."""

    def __init__(self, **options: float) -> None:
        super().__init__(**options)
        self.given: list[torch.Tensor] = []
        self.encoded = 0

    def encode_rgb(self, rgb, noise):
        self.encoded += len(rgb)
        return super().encode_rgb(rgb, noise)

    def predict(self, scaled, noise_label, conditioning):
        self.given.append(scaled)
        return super().predict(scaled, noise_label, conditioning)


@pytest.fixture(scope='module')
def frames() -> list[Accepted]:
    tracker, accepted = PointTracker(200), []
    for index, world_T_cam in enumerate(path(10, STEP)):
        rgb = render(world_T_cam).rgb
        frame = Frame(index, 'camera', rgb, CAMERA)
        accepted.append(Accepted(index, frame, tracker.track(rgb)))
    return accepted


def solve(
    backbone: FakeBackbone,
    frames: list[Accepted],
    before: WindowResult | None = None,
    *,
    held: int = OVERLAP,
    **changes: Value,
) -> WindowResult:
    values = {name.replace('__', '.'): value for name, value in changes.items()}
    settings = with_values(DepthSyncSettings(), {**PLAIN, **values})
    known, run = (before.solved[-OVERLAP:], before.run) if before else ((), None)
    return solve_window(
        WindowContext(backbone, settings, tuple(frames), known, held if before else 0, run)
    )


def noise_of(frames: list[Accepted], like: torch.Tensor) -> torch.Tensor:
    indices = [accepted.index for accepted in frames]
    return frame_noise(0, LATENTS, indices, tuple(like.shape[1:]), torch.device('cpu'))


def test_overlap_starts_from_its_predecessors_latents_and_the_same_noise(frames) -> None:
    backbone = Watched()
    first = solve(backbone, frames[:LENGTH])
    backbone.given.clear()

    solve(backbone, frames[4:], first)

    sigma = backbone.noise_range.sigma_max
    start = backbone.given[0] * (sigma**2 + 1.0) ** 0.5
    noise = sigma * noise_of(frames[4:], start)
    latents = torch.stack([solved.latents for solved in first.solved[4:]])
    torch.testing.assert_close(start[:2], noise[:2] + latents, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(start[2:], noise[2:], rtol=1e-5, atol=1e-4)


def test_independent_windows_start_from_noise_alone(frames) -> None:
    backbone = Watched()
    first = solve(backbone, frames[:LENGTH], sampling__overlap_start=False)
    backbone.given.clear()

    solve(backbone, frames[4:], first, sampling__overlap_start=False)

    sigma = backbone.noise_range.sigma_max
    start = backbone.given[0] * (sigma**2 + 1.0) ** 0.5
    torch.testing.assert_close(start, sigma * noise_of(frames[4:], start), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(('skip', 'calls'), [(True, 4), (False, 5)])
def test_last_network_call_is_skipped_on_request(frames, skip, calls) -> None:
    backbone = Watched()

    solve(backbone, frames[:LENGTH], sampling__skip_last=skip)

    assert len(backbone.given) == calls


def test_each_frame_is_encoded_once(frames) -> None:
    backbone = Watched()

    first = solve(backbone, frames[:LENGTH])
    solve(backbone, frames[4:], first)

    assert backbone.encoded == 10


def test_published_frames_stay_and_held_ones_fade(frames) -> None:
    backbone = Watched(random_gauges=True)
    first = solve(backbone, frames[:LENGTH])

    published = solve(backbone, frames[4:], first, held=0)
    faded = solve(backbone, frames[4:], first, held=2)

    for position in (0, 1):
        earlier = first.solved[4 + position].disparity
        later = published.seam.gauge.to_global(published.own[position])
        np.testing.assert_array_equal(published.solved[position].disparity, earlier)
        share = (position + 1) / 3
        np.testing.assert_allclose(
            faded.solved[position].disparity, (1 - share) * earlier + share * later, atol=1e-6
        )


def test_windows_own_disparity_and_gauge_make_the_runs(frames) -> None:
    backbone = Watched(random_gauges=True)
    first = solve(backbone, frames[:LENGTH])

    second = solve(backbone, frames[4:], first)

    assert second.run.gauge == second.seam.gauge != first.run.gauge
    assert second.run.shift == first.run.shift
    for position in range(2, LENGTH):
        np.testing.assert_allclose(
            second.solved[position].disparity,
            second.seam.gauge.to_global(second.own[position]),
            atol=1e-6,
        )


def test_window_that_cannot_be_placed_is_an_error(frames) -> None:
    backbone = Watched()
    first = solve(backbone, frames[:LENGTH])

    with pytest.raises(
        AlignmentError, match=r'overlap pixels are valid in both windows, 1000000 are'
    ):
        solve(backbone, frames[4:], first, scale__min_pixels=10**6)


def test_poses_join_across_windows_and_need_no_first_window(frames) -> None:
    backbone = Watched()

    first = solve(backbone, frames[:LENGTH])
    second = solve(backbone, frames[4:], first)
    late_first = solve(backbone, frames[:LENGTH], poses__min_tracks=1000)
    late = solve(backbone, frames[4:], late_first)

    assert all(solved.world_T_cam is not None for solved in (*first.solved, *second.solved))
    np.testing.assert_allclose(first.solved[0].world_T_cam, BODY_T_OPTICAL, atol=1e-9)
    for kept, again in zip(first.solved[4:], second.solved[:2], strict=True):
        np.testing.assert_array_equal(kept.world_T_cam, again.world_T_cam)
    assert all(solved.world_T_cam is None for solved in late_first.solved)
    assert all(solved.world_T_cam is not None for solved in late.solved), 'a world is made later'
    np.testing.assert_allclose(late.solved[0].world_T_cam, BODY_T_OPTICAL, atol=1e-9)


class Truthful(FakeBackbone):
    """Give the room's true disparity, so that poses have a truth."""

    pixels_per_latent = 1
    preferences = FakeBackbone.preferences.__class__(LENGTH, OVERLAP, 160)

    def encode_rgb(self, rgb, noise):
        told = super().encode_rgb(rgb, noise)
        told.image_latents[:] = TRUE_DISPARITY[self.first : self.first + len(rgb), None]
        self.first += len(rgb)
        return told

    first = 0


TRUE_DISPARITY = torch.from_numpy(
    np.stack([1.0 / render(one).depth_m for one in path(10, STEP)]).astype(np.float32)
)


def test_path_of_a_rendered_room_comes_out_over_two_windows(frames) -> None:
    backbone = Truthful()
    # True disparity leaves no shift to be found: the prior is as small as it may be.
    exact = {'sampling__skip_last': False, 'depth__prior_shift': 0.001}

    first = solve(backbone, frames[:LENGTH], **exact)
    second = solve(backbone, frames[4:], first, **exact)

    poses = [solved.world_T_cam for solved in (*first.solved[:4], *second.solved)]
    error = invert(BODY_T_OPTICAL @ path(10, STEP)) @ np.stack(poses)
    assert first.run.shift.value < 0.03
    # 8 % of the path's 0.57: corners that a board's edge makes with the wall are no points.
    assert np.linalg.norm(error[:, :3, 3], axis=1).max() < 0.045
    assert angle_rad(error).max() < 0.015
