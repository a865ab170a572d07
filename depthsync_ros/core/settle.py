"""From a window's own disparity to its place in the run: gauge, shift, cameras, points."""

from dataclasses import replace

import numpy as np

from depthsync_ros.core.context import WindowContext
from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.geometry import Geometry, reconstruct, sample_maps, see
from depthsync_ros.core.poses import PoseLimits
from depthsync_ros.core.scale import fit_line, fit_seam, Gauge, NO_SEAM, Seam, weigh_in
from depthsync_ros.core.shapes import Maps
from depthsync_ros.core.shift import find_shift, Shift
from depthsync_ros.core.tracks import WindowTracks

SHIFTS = (0.01, 3.0)  # a shift outside, in first windows' ranges, is no believable scene


def fit_gauge(context: WindowContext, own: Maps) -> Seam:
    """
    Put the window's own disparity on the run's scale by what is known of its leading frames.

    Shapes: own (frames, height, width), at least the known frames.

    :raises AlignmentError: the overlap does not support a fit.
    """
    if context.run is None or not context.known:
        return NO_SEAM
    if not context.settings.scale.align:
        return replace(NO_SEAM, gauge=context.run.gauge)
    reference = _reference(context)
    return fit_seam(
        reference,
        own[: len(reference)],
        context.run.gauge,
        min_pixels=context.settings.scale.min_pixels,
    )


def first_shift(context: WindowContext, tracks: WindowTracks, own: Maps) -> Shift:
    """Search where infinity lies, on a run's first window; later ones keep what was found."""
    if context.run is not None:
        return context.run.shift
    prior = Shift(context.settings.depth.prior_shift, observed=False)
    poses = context.settings.poses
    if not poses.derive:
        return prior
    sampled = sample_maps(own, tracks.pixels, context.camera)
    seen = see(tracks, sampled, Gauge(), prior, context.camera)
    limits = PoseLimits(poses.min_tracks, poses.max_error_px)
    return find_shift(seen, sampled, prior.value, limits)


def settle(
    context: WindowContext, tracks: WindowTracks, own: Maps, seam: Seam, shift: Shift
) -> tuple[Geometry, Seam, Shift]:
    """
    Solve gauge, shift, cameras and points together, in turn.

    A run's first window has its unit and its gauge by definition, and its points tell the
    shift; in a later one the points that earlier windows placed tell the gauge.

    Shapes: own (frames, height, width); the tracks are of the same frames.
    """
    if not context.settings.poses.derive:
        nothing = np.zeros(tracks.visible.shape)
        return Geometry(tracks, nothing, None), seam, shift
    geometry = reconstruct(context, tracks, own, seam.gauge, shift)
    if context.run is None:
        found = _told_shift(geometry, shift)
        if found is not shift:
            geometry = reconstruct(context, tracks, own, seam.gauge, found)
        return geometry, seam, found
    if context.uses_landmarks and (placed := geometry.placed(shift)):
        reference = _reference(context)
        seam = weigh_in(seam, reference, own[: len(reference)], placed)
    return geometry, seam, shift


def _told_shift(geometry: Geometry, shift: Shift) -> Shift:
    """Read the shift off the points: their inverse depth is a line in the window's disparity."""
    placed = geometry.placed(Shift(0.0, observed=False)) if geometry.is_sound else None
    if placed is None:
        return shift
    try:
        line = fit_line(placed.own, placed.disparity, placed.weights)
    except AlignmentError:
        return shift  # the network's depth and the points have nothing in common
    value = line.shift / line.scale
    return Shift(value, observed=True) if SHIFTS[0] < value < SHIFTS[1] else shift


def _reference(context: WindowContext) -> Maps:
    return np.stack([solved.disparity for solved in context.known])
