"""From a window's own disparity to its place in the run: gauge, shift, cameras, points."""

from dataclasses import replace

import numpy as np

from depthsync_ros.core.context import WindowContext
from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.geometry import Geometry, reconstruct, sample_maps, see
from depthsync_ros.core.poses import PoseLimits
from depthsync_ros.core.scale import fit_seam, Gauge, NO_SEAM, regress, Seam, weigh_in
from depthsync_ros.core.shapes import Maps
from depthsync_ros.core.shift import find_shift, Shift
from depthsync_ros.core.tracks import WindowTracks

SHIFTS = (0.01, 3.0)  # a shift outside, in first windows' ranges, is no believable scene
# Median deviation of the points' depth above which it is still too much the network's own, made
# with the shift that is sought. Chosen on rendered validation rooms.
TELLING_DEVIATION = 0.03


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
    return geometry, _anchored(context, own, seam, geometry, shift), shift


def _anchored(
    context: WindowContext, own: Maps, seam: Seam, geometry: Geometry, shift: Shift
) -> Seam:
    """Let the points that earlier windows placed have their say; without any the seam stays."""
    placed = geometry.placed if geometry.is_anchored else None
    if placed is None:
        return seam
    reference = _reference(context)
    try:
        return weigh_in(seam, reference, own[: len(reference)], placed, shift.value)
    except AlignmentError:
        return seam  # points that do not rise with the window's depth are no anchors


def _told_shift(geometry: Geometry, shift: Shift) -> Shift:
    """Read the shift off the points: their inverse depth is a line in the window's disparity."""
    told = geometry.is_sound and geometry.deviation < TELLING_DEVIATION
    placed = geometry.placed if told else None
    if placed is None:
        return shift
    try:
        line = regress(placed)
    except AlignmentError:
        return shift  # the network's depth and the points have nothing in common
    value = line.shift / line.scale
    return Shift(value, observed=True) if SHIFTS[0] < value < SHIFTS[1] else shift


def _reference(context: WindowContext) -> Maps:
    return np.stack([solved.aligned for solved in context.known])
