"""The method in one file: one window of video to depth on the run's scale, and poses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import cv2
from depthsync_ros.core.backbone import Backbone, concatenate, Conditioning
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.denoiser import v_denoiser
from depthsync_ros.core.errors import PoseError
from depthsync_ros.core.frames import Frame, StageSeconds
from depthsync_ros.core.noise import frame_noise, LATENTS, RGB
from depthsync_ros.core.poses import PoseLimits, Sightings, sightings, solve_poses, WindowPoses
from depthsync_ros.core.resolution import network_size, to_network
from depthsync_ros.core.sampler import karras_sigmas, sample_euler
from depthsync_ros.core.scale import cross_fade, fit_seam, Gauge, NO_SEAM, Seam
from depthsync_ros.core.settings import DepthSyncSettings
from depthsync_ros.core.shapes import Latents, Map, Maps, Transform
from depthsync_ros.core.shift import find_shift, Shift, to_depth
from depthsync_ros.core.tracks import FrameTracks, tabulate
from depthsync_ros.core.trajectory import join
import numpy as np


@dataclass(frozen=True, eq=False)
class Accepted:
    """A frame that has its place in the run, and the points tracked into it."""

    index: int
    frame: Frame
    tracks: FrameTracks


@dataclass(frozen=True, eq=False)
class Solved:
    """
    What is known of a frame after a window has had it.

    Shapes: latents (channels, rows, cols); disparity (height, width) at the network's size.
    Units: disparity is the run's global disparity.
    """

    accepted: Accepted
    conditioning: Conditioning
    latents: Latents
    disparity: Map
    world_T_cam: Transform | None


@dataclass(frozen=True)
class Run:
    """What stays the same, or goes on, from window to window of one run."""

    gauge: Gauge
    shift: Shift


@dataclass(frozen=True, eq=False)
class WindowResult:
    """A solved window: its frames, the run as it goes on, and how it went."""

    solved: tuple[Solved, ...]
    run: Run
    seam: Seam
    tracks: int
    pose_residual_px: float
    seconds: StageSeconds
    notes: tuple[str, ...]


def solve_window(
    backbone: Backbone,
    settings: DepthSyncSettings,
    window: Sequence[Accepted],
    known: Sequence[Solved],
    held: int,
    run: Run | None,
) -> WindowResult:
    """
    Solve one window: encode, sample, decode, align, pose.

    known are the window's leading frames as earlier windows left them; the last `held` of them
    have not been published and are blended with this window's view. run is None for the
    first window of a run.

    Source: DepthSync (arXiv:2507.01603); DepthCrafter (arXiv:2409.02095) for the overlap's start.

    :raises AlignmentError: the window cannot be put on the run's scale.
    """
    clock = [perf_counter()]

    def lap() -> float:
        clock.append(perf_counter())
        return clock[-1] - clock[-2]

    conditioning = _encode(backbone, settings, window, known)
    encode = lap()
    latents = _sample(backbone, settings, window, known, conditioning)
    denoise = lap()
    own = backbone.decode(latents).cpu().numpy().astype(np.float32)
    decode = lap()
    seam = _align(settings, own, known, run)
    disparity = _blend(seam.gauge.to_global(own).astype(np.float32), known, held)
    align = lap()
    shift, poses, notes = _derive_poses(settings, window, disparity, run)
    world_T_cam = _join(poses, window, known, first=run is None)
    seconds = StageSeconds(encode, denoise, decode, align, lap())
    solved = tuple(
        Solved(accepted, conditioning.frame(i), latents[i].clone(), disparity[i], world_T_cam[i])
        for i, accepted in enumerate(window)
    )
    return WindowResult(
        solved,
        Run(seam.gauge, shift),
        seam,
        poses.tracks if poses else 0,
        poses.residual_px if poses else float('nan'),
        seconds,
        notes,
    )


def _encode(
    backbone: Backbone,
    settings: DepthSyncSettings,
    window: Sequence[Accepted],
    known: Sequence[Solved],
) -> Conditioning:
    """Encode the new frames; those of the overlap keep what they have."""
    new = window[len(known) :]
    camera = new[0].frame.camera
    max_side = settings.model.max_side or backbone.preferences.max_side
    size = network_size(camera.width, camera.height, max_side, backbone.size_multiple)
    rgb = to_network([accepted.frame.rgb for accepted in new], size).to(backbone.device)
    indices = [accepted.index for accepted in new]
    noise = frame_noise(
        settings.sampling.seed, RGB, indices, tuple(rgb.shape[1:]), backbone.device
    )
    fresh = backbone.encode_rgb(rgb, noise)
    return concatenate([*(solved.conditioning for solved in known), fresh])


def _sample(
    backbone: Backbone,
    settings: DepthSyncSettings,
    window: Sequence[Accepted],
    known: Sequence[Solved],
    conditioning: Conditioning,
) -> Latents:
    """Sample the window's latents, the overlap starting from the previous window's."""
    sampling = settings.sampling
    sigmas = karras_sigmas(backbone.noise_range, sampling.steps)
    shape = (backbone.latent_channels, *conditioning.image_latents.shape[2:])
    indices = [accepted.index for accepted in window]
    z = sigmas[0] * frame_noise(sampling.seed, LATENTS, indices, shape, backbone.device)
    if sampling.overlap_start:
        for position, solved in enumerate(known):
            z[position] += solved.latents
    if sampling.skip_last:
        sigmas = sigmas[:-1]
    return sample_euler(v_denoiser(backbone, conditioning), z, sigmas)


def _align(
    settings: DepthSyncSettings, own: Maps, known: Sequence[Solved], run: Run | None
) -> Seam:
    if run is None or not known:
        return NO_SEAM
    if not settings.scale.align:
        return replace(NO_SEAM, gauge=run.gauge)
    reference = np.stack([solved.disparity for solved in known])
    return fit_seam(reference, own[: len(known)], run.gauge, min_pixels=settings.scale.min_pixels)


def _blend(disparity: Maps, known: Sequence[Solved], held: int) -> Maps:
    """Keep what has been published, and fade from the earlier window to this one on the rest."""
    for position, solved in enumerate(known):
        place = position - (len(known) - held)
        if place < 0:
            disparity[position] = solved.disparity
        else:
            disparity[position] = cross_fade(solved.disparity, disparity[position], place, held)
    return disparity


def _derive_poses(
    settings: DepthSyncSettings, window: Sequence[Accepted], disparity: Maps, run: Run | None
) -> tuple[Shift, WindowPoses | None, tuple[str, ...]]:
    """Find the shift on a run's first window, then the window's poses."""
    prior = Shift(settings.depth.prior_shift, observed=False)
    shift = run.shift if run else prior
    if not settings.poses.derive:
        return shift, None, ()
    limits = PoseLimits(settings.poses.min_tracks, settings.poses.max_error_px)
    tracks = tabulate([accepted.tracks for accepted in window])
    camera = window[0].frame.camera
    sampled = sample_maps(disparity, tracks.pixels, camera)
    notes: tuple[str, ...] = ()
    if run is None:
        shift = find_shift(_sighted(tracks, camera, sampled, shift), sampled, shift.value, limits)
        if not shift.observed:
            notes = ('the motion does not tell the disparity shift: depth.prior_shift is used',)
    try:
        return shift, solve_poses(_sighted(tracks, camera, sampled, shift), limits), notes
    except PoseError as error:
        return shift, None, (*notes, str(error))


def _sighted(tracks, camera: Camera, sampled: np.ndarray, shift: Shift) -> Sightings:
    return sightings(tracks, camera, to_depth(sampled, shift.value))


def _join(
    poses: WindowPoses | None, window: Sequence[Accepted], known: Sequence[Solved], *, first: bool
) -> list[Transform | None]:
    """Place the new frames in the world; the known ones keep their poses."""
    kept = [solved.world_T_cam for solved in known]
    if poses is None:
        return kept + [None] * (len(window) - len(known))
    return kept + join(poses, kept, first=first)[len(known) :]


def sample_maps(maps: Maps, pixels: np.ndarray, camera: Camera) -> np.ndarray:
    """
    Read maps at full-image pixels, bilinearly; NaN where a pixel is NaN.

    Shapes: maps (frames, height, width) at any size; pixels (frames, points, 2); the result
        (frames, points).
    """
    height, width = maps.shape[1:]
    ratio = (width / camera.width, height / camera.height)
    places = ((pixels + 0.5) * ratio - 0.5).astype(np.float32)
    rows = [
        cv2.remap(grid, place[None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        for grid, place in zip(maps, np.nan_to_num(places), strict=True)
    ]
    return np.where(np.isfinite(pixels[..., 0]), np.stack(rows), np.nan)
