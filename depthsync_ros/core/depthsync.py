"""The method in one file: one window of video to depth on the run's scale, and poses."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from depthsync_ros.core.backbone import concatenate, Conditioning
from depthsync_ros.core.context import Run, Solved, WindowContext
from depthsync_ros.core.denoiser import v_denoiser
from depthsync_ros.core.frames import StageSeconds
from depthsync_ros.core.geometry import Geometry
from depthsync_ros.core.landmarks import carry_on, Landmarks, NO_LANDMARKS
from depthsync_ros.core.noise import frame_noise, LATENTS, RGB
from depthsync_ros.core.resolution import network_size, to_network
from depthsync_ros.core.rigid import BODY_T_OPTICAL
from depthsync_ros.core.sampler import karras_sigmas, sample_euler
from depthsync_ros.core.scale import cross_fade, Seam
from depthsync_ros.core.settle import first_shift, fit_gauge, settle
from depthsync_ros.core.shapes import Covariance, Latents, Map, Maps, Transform
from depthsync_ros.core.targets import guide
from depthsync_ros.core.tracks import tabulate, WindowTracks
from depthsync_ros.core.trajectory import join, world_from

NOT_OBSERVED = 'the motion does not tell the disparity shift: depth.prior_shift is used'
LOST = 'the cameras were lost: they go on from the last known place, however far that is now'
LOST_SIGMA = 1.0  # of a place found again after a loss: the run's units, and radians


@dataclass(frozen=True, eq=False)
class WindowResult:
    """
    A solved window: its frames, the run as it goes on, and how it went.

    lost says that nothing ties its cameras to those of earlier windows.

    Shapes: own (frames, height, width), the disparity as it was decoded, in [0, 1] by training
        and in the window's own range.
    """

    solved: tuple[Solved, ...]
    own: Maps
    run: Run
    seam: Seam
    tracks: int
    pose_residual_px: float
    seconds: StageSeconds
    notes: tuple[str, ...]
    lost: bool


def solve_window(context: WindowContext) -> WindowResult:
    """
    Solve one window: encode, sample under guidance, decode, align, agree.

    Source: DepthSync (arXiv:2507.01603); DepthCrafter (arXiv:2409.02095) for the overlap's start.

    :raises AlignmentError: the window cannot be put on the run's scale.
    :raises Cancelled: context.go_on or the backbone raised it.
    """
    clock = _Clock()
    conditioning = _encode(context)
    tracks = tabulate([accepted.tracks for accepted in context.frames])
    encode = clock.lap()
    latents = _sample(context, conditioning, tracks)
    denoise = clock.lap()
    own = context.backbone.decode(latents).cpu().numpy().astype(np.float32)
    decode = clock.lap()
    context.go_on()
    seam = fit_gauge(context, own)
    align = clock.lap()
    context.go_on()
    geometry, seam, shift = settle(context, tracks, own, seam, first_shift(context, tracks, own))
    aligned = seam.gauge.to_global(own).astype(np.float32)
    context.go_on()
    refine = context.settings.geometry.refine
    disparity = geometry.bend(aligned, seam.gauge, shift, context.camera) if refine else aligned
    place = _place(context, geometry)
    world_T_cam = _join(context, geometry, place.world_T_window)
    covariance = _covariances(context, geometry, place)
    disparity = _blend(context, [solved.disparity for solved in context.known], disparity)
    aligned = _blend(context, [solved.aligned for solved in context.known], aligned)
    solved = tuple(
        Solved(
            accepted,
            conditioning.frame(i),
            latents[i].clone(),
            disparity[i],
            aligned[i],
            world_T_cam[i],
            covariance[i],
        )
        for i, accepted in enumerate(context.frames)
    )
    run = Run(
        seam.gauge,
        shift,
        _last_pose(context, world_T_cam),
        _landmarks(geometry, place.world_T_window),
    )
    poses = geometry.bundle.poses if geometry.bundle else None
    return WindowResult(
        solved,
        own,
        run,
        seam,
        poses.tracks if poses else 0,
        poses.residual_px if poses else float('nan'),
        StageSeconds(encode, denoise, decode, align, clock.lap()),
        _notes(context, geometry, run, place),
        place.lost,
    )


def _encode(context: WindowContext) -> Conditioning:
    """Encode the new frames; those of the overlap keep what they have."""
    backbone, settings, camera = context.backbone, context.settings, context.camera
    max_side = settings.model.max_side or backbone.preferences.max_side
    size = network_size(camera.width, camera.height, max_side, backbone.size_multiple)
    rgb = to_network([accepted.frame.rgb for accepted in context.new], size).to(backbone.device)
    indices = [accepted.index for accepted in context.new]
    shape = tuple(rgb.shape[1:])
    noise = frame_noise(settings.sampling.seed, RGB, indices, shape, backbone.device)
    fresh = backbone.encode_rgb(rgb, noise)
    return concatenate([*(solved.conditioning for solved in context.known), fresh])


def _sample(context: WindowContext, conditioning: Conditioning, tracks: WindowTracks) -> Latents:
    """Sample the window's latents, the overlap starting from the previous window's."""
    backbone, sampling = context.backbone, context.settings.sampling
    sigmas = karras_sigmas(backbone.noise_range, sampling.steps)
    shape = (backbone.latent_channels, *conditioning.image_latents.shape[2:])
    indices = [accepted.index for accepted in context.frames]
    z = sigmas[0] * frame_noise(sampling.seed, LATENTS, indices, shape, backbone.device)
    if sampling.overlap_start:
        for position, solved in enumerate(context.known):
            z[position] += solved.latents
    if sampling.skip_last:
        sigmas = sigmas[:-1]
    denoise = guide(v_denoiser(backbone, conditioning), context, tracks)
    return sample_euler(denoise, z, sigmas)


@dataclass(frozen=True, eq=False)
class _Place:
    """
    Where the window's first posed camera stands in the world, None where none is posed.

    lost says that no frame links it to earlier windows: it is taken to stand where the last
    camera was seen, so that the world goes on, and its covariance and a note say how little
    that is worth.
    """

    world_T_window: Transform | None
    lost: bool = False


def _place(context: WindowContext, geometry: Geometry) -> _Place:
    """Find where the window's cameras stand in the world; the first that has any makes it."""
    if geometry.bundle is None:
        return _Place(None)
    last_pose = context.run.last_pose if context.run else None
    if last_pose is None:
        return _Place(BODY_T_OPTICAL)
    linked = world_from(geometry.bundle.poses, context.world_T_known)
    return _Place(last_pose, lost=True) if linked is None else _Place(linked)


def _last_pose(context: WindowContext, world_T_cam: list[Transform | None]) -> Transform | None:
    posed = [pose for pose in world_T_cam if pose is not None]
    if posed:
        return posed[-1]
    return context.run.last_pose if context.run else None


def _join(
    context: WindowContext, geometry: Geometry, world_T_window: Transform | None
) -> list[Transform | None]:
    """Place the frames in the world; those that were placed or published keep what they have."""
    kept = context.world_T_known
    if geometry.bundle is None:
        return kept + [None] * len(context.new)
    joined = join(geometry.bundle.poses, world_T_window)
    published = len(kept) - context.held
    for position, world_T_cam in enumerate(kept):
        if world_T_cam is not None or position < published:
            joined[position] = world_T_cam
    return joined


def _covariances(context: WindowContext, geometry: Geometry, place: _Place) -> Covariance:
    """Give each frame's covariance about the world's axes; poses that are kept keep theirs."""
    covariances = np.full((len(context.frames), 6, 6), np.nan)
    if geometry.bundle is not None and place.world_T_window is not None:
        turn = np.kron(np.eye(2), place.world_T_window[:3, :3])
        covariances = turn @ geometry.bundle.pose_covariance @ turn.T
        covariances += place.lost * LOST_SIGMA**2 * np.eye(6)
    for position, solved in enumerate(context.known):
        if solved.world_T_cam is not None:
            covariances[position] = solved.pose_covariance
    return covariances


def _landmarks(geometry: Geometry, world_T_window: Transform | None) -> Landmarks:
    """Hand on the points that are still tracked; a window without a place leaves none."""
    if geometry.bundle is None or world_T_window is None:
        return NO_LANDMARKS
    return carry_on(geometry.bundle, geometry.tracks, world_T_window)


def _notes(context: WindowContext, geometry: Geometry, run: Run, place: _Place) -> tuple[str, ...]:
    told = run.shift.observed or context.run is not None
    opening = () if told else (NOT_OBSERVED,)
    return (*opening, *((LOST,) if place.lost else ()), *geometry.notes)


def _blend(context: WindowContext, earlier: Sequence[Map], disparity: Maps) -> Maps:
    """Keep what has been published, and fade from the earlier window to this one on the rest."""
    held = context.held
    blended = disparity.copy()
    for position, known in enumerate(earlier):
        place = position - (len(earlier) - held)
        if place < 0:
            blended[position] = known
        else:
            blended[position] = cross_fade(known, disparity[position], place, held)
    return blended


class _Clock:
    """Wall seconds between laps."""

    def __init__(self) -> None:
        self._last = perf_counter()

    def lap(self) -> float:
        now = perf_counter()
        seconds, self._last = now - self._last, now
        return seconds
