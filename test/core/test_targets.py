"""What guidance pulls towards."""

from dataclasses import replace

from backbones import FakeBackbone
import numpy as np
import pytest
from scenes import CAMERA, path, render
import torch

from depthsync_ros.core.backbone import Conditioning
from depthsync_ros.core.context import Accepted, Run, Solved, WindowContext
from depthsync_ros.core.frames import Frame
from depthsync_ros.core.landmarks import NO_LANDMARKS
from depthsync_ros.core.scale import Gauge
from depthsync_ros.core.settings import DepthSyncSettings, Value, with_values
from depthsync_ros.core.shift import Shift
from depthsync_ros.core.targets import aim, between, fast_correction, guide, into_range
from depthsync_ros.core.tracks import PointTracker, tabulate, WindowTracks

FRAMES, KNOWN = 8, 3
VIEWS = [render(one) for one in path(FRAMES, (0.08, 0.0, 0.02, 0.0, 0.01, 0.0))]
TRUE = np.stack([1.0 / view.depth_m for view in VIEWS]).astype(np.float32)
LOW, HIGH = float(TRUE.min()), float(TRUE.max())
OWN = (TRUE - LOW) / (HIGH - LOW)  # the window's own range, min-max
GAUGE = Gauge(HIGH - LOW, LOW)  # which takes it to the true disparity
RUN = Run(Gauge(), Shift(0.001, observed=True), last_pose=None, landmarks=NO_LANDMARKS)


class Pixelwise(FakeBackbone):
    """Latents are pixels, so that what a correction does can be read off."""

    pixels_per_latent = 1


def context_of(known: np.ndarray, **changes: Value) -> tuple[WindowContext, WindowTracks]:
    tracker, frames = PointTracker(200), []
    for index, view in enumerate(VIEWS):
        frame = Frame(index, 'camera', view.rgb, CAMERA)
        frames.append(Accepted(index, frame, tracker.track(view.rgb)))
    nothing = Conditioning(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1))
    solved = tuple(
        Solved(
            one, nothing, torch.zeros(1, 1, 1), disparity, disparity, None, np.full((6, 6), np.nan)
        )
        for one, disparity in zip(frames, known, strict=False)
    )
    values = {name.replace('__', '.'): value for name, value in changes.items()}
    settings = with_values(DepthSyncSettings(), {'scale.min_pixels': 10, **values})
    context = WindowContext(Pixelwise(), settings, tuple(frames), solved, len(solved), RUN)
    return context, tabulate([one.tracks for one in frames])


def test_overlap_that_agrees_up_to_a_gauge_is_left_alone() -> None:
    context, tracks = context_of(TRUE[:KNOWN], guidance__scale=1.0, poses__derive=False)

    np.testing.assert_allclose(aim(context, tracks, OWN), OWN, atol=2e-4)


@pytest.mark.parametrize('share', [0.25, 1.0])
def test_overlap_is_moved_its_share_towards_what_is_known(share: float) -> None:
    known = TRUE[:KNOWN].copy()
    known[:, 5:20, 100:140] += 0.05  # a patch that the earlier window saw otherwise
    context, tracks = context_of(known, guidance__scale=share, poses__derive=False)

    moved = aim(context, tracks, OWN) - OWN

    patch = np.median(moved[:KNOWN, 8:17, 105:135])
    assert patch == pytest.approx(share * 0.05 / GAUGE.scale, rel=0.1)
    assert np.abs(moved[KNOWN:]).max() == 0.0


def test_nearer_thing_in_a_later_window_does_not_saturate() -> None:
    known = TRUE[:KNOWN].copy()
    known[:, 50:60, 60:70] = 3.0 * HIGH  # beyond what the window's own range can say
    context, tracks = context_of(known, guidance__scale=1.0, poses__derive=False)

    target = aim(context, tracks, OWN)

    assert target.max() <= 1.0
    assert target.min() >= 0.0
    near = target[0, 50:60, 60:70].min()
    rest = np.delete(target[0].ravel(), np.ravel_multi_index(np.mgrid[50:60, 60:70], (120, 160)))
    assert near > 1.5 * rest.max(), 'the nearer thing is still nearer than all else'


def test_geometry_pulls_depth_that_is_bent_straight() -> None:
    context, tracks = context_of(TRUE[:KNOWN], guidance__geometry=1.0, scale__anchors=False)
    target = aim(context, tracks, BENT.numpy()) * (HIGH - LOW) + LOW

    def error(disparity: np.ndarray) -> float:
        # Depth tells the scale, and half of it is wrong: what frames disagree on is left.
        ratio = np.log(np.maximum(disparity, 1e-3) / TRUE)
        return float(np.median(np.abs(ratio - np.median(ratio))))

    assert error(TRUE * TURNING) > 0.04
    assert error(target) < 0.03


def test_correction_of_nothing_changes_no_latent() -> None:
    context, tracks = context_of(
        TRUE[:KNOWN], guidance__scale=1.0, poses__derive=False, guidance__max_sigma=10.0
    )
    z0 = torch.from_numpy(OWN)[:, None]

    correct = fast_correction(context, tracks)

    torch.testing.assert_close(correct(z0, 2.5), z0, atol=5e-4, rtol=0.0)


def test_steps_outside_the_noise_range_are_left_alone() -> None:
    known = TRUE[:KNOWN] + 0.05 * np.random.default_rng(0).random((KNOWN, 120, 160))
    context, tracks = context_of(known, guidance__scale=1.0, poses__derive=False)
    z0 = torch.from_numpy(OWN)[:, None]

    guided = guide(lambda *_: z0, context, tracks)

    assert torch.equal(guided(z0, 80.0), z0)
    assert torch.equal(guided(z0, 0.01), z0)
    assert not torch.equal(guided(z0, 2.5), z0)


def test_without_weights_the_denoiser_is_left_as_it_is() -> None:
    def denoise(z: torch.Tensor, _: float) -> torch.Tensor:
        return z

    assert guide(denoise, *context_of(TRUE[:KNOWN], guidance__scale=0.0)) is denoise


@pytest.mark.parametrize('sigma', [0.7, 2.5])
def test_exact_scale_guidance_is_the_fast_one_for_a_network_that_ignores_its_noise(sigma) -> None:
    known = TRUE[:KNOWN].copy()
    known[:, 5:20, 100:140] += 0.05
    values = {'guidance__scale': 0.5, 'guidance__every': 1, 'poses__derive': False}
    z = torch.from_numpy(OWN)[:, None]

    def denoise(noisy: torch.Tensor, level: float) -> torch.Tensor:
        return noisy / (level**2 + 1.0) + z * (level**2 / (level**2 + 1.0))

    context, tracks = context_of(known, **values)
    fast = guide(denoise, context, tracks)(z, sigma)
    context, tracks = context_of(known, guidance__exact=True, **values)
    exact = guide(denoise, context, tracks)(z, sigma)

    assert (fast - z).abs().max() > 0.05
    torch.testing.assert_close(exact, fast, atol=1e-3, rtol=0.0)


class Smooth(Pixelwise):
    """Latents are a coarse change of a window's bent disparity."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        change = torch.nn.functional.interpolate(latents, size=BENT.shape[1:], mode='bilinear')
        return BENT + change[:, 0]


TILT = np.linspace(1.0, 1.25, TRUE.shape[2], dtype=np.float32)
TURNING = np.where(np.arange(FRAMES)[:, None, None] < KNOWN, np.float32(1.0), TILT)
BENT = torch.from_numpy((TRUE * TURNING - LOW) / (HIGH - LOW))


def test_exact_geometry_guidance_descends_through_the_decoder() -> None:
    context, tracks = context_of(
        TRUE[:KNOWN], guidance__geometry=1.0, guidance__exact=True, scale__anchors=False
    )
    context = replace(context, backbone=Smooth())
    z0 = torch.zeros(FRAMES, 1, 4, 6)

    corrected = guide(lambda *_: z0, context, tracks)(z0, 2.5)

    def disagreement(latents: torch.Tensor) -> float:
        disparity = Smooth().decode(latents).numpy() * (HIGH - LOW) + LOW
        ratio = np.log(np.maximum(disparity, 1e-3) / TRUE)
        return float(np.median(np.abs(ratio - np.median(ratio))))

    assert disagreement(z0) > 0.04
    assert disagreement(corrected) < 0.6 * disagreement(z0)


def test_frames_between_take_their_neighbours_change_in_proportion() -> None:
    change = torch.tensor([0.0, 3.0, 9.0]).reshape(3, 1, 1, 1)

    spread = between(change, [0, 3, 5], 6).flatten()

    torch.testing.assert_close(spread, torch.tensor([0.0, 1.0, 2.0, 3.0, 6.0, 9.0]))


def test_range_is_pressed_only_where_it_is_left() -> None:
    inside = np.array([0.2, 0.9])

    assert into_range(inside) is inside
    np.testing.assert_allclose(into_range(np.array([-1.0, 1.0]), -0.5, 1.0), [-0.5, 1.0])
