"""
What guidance pulls towards: z_aligned, for scale across windows and geometry inside one.

Each maker binds a window's context into a `Correction`, `(z0, sigma) -> z0'`.
"""

from dataclasses import replace

import numpy as np
import torch

from depthsync_ros.core.context import WindowContext
from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.geometry import agree
from depthsync_ros.core.guidance import Correction, pull
from depthsync_ros.core.scale import fit_seam, Gauge, NO_SEAM, Seam
from depthsync_ros.core.shapes import Latents, Maps
from depthsync_ros.core.shift import Shift
from depthsync_ros.core.tracks import WindowTracks


def corrections(context: WindowContext, tracks: WindowTracks) -> list[Correction]:
    """Give the corrections that the settings ask for and the window supports."""
    guidance, wanted = context.settings.guidance, []
    if guidance.scale > 0.0 and context.known:
        wanted.append(scale_correction(context))
    if guidance.geometry > 0.0 and context.run is not None:
        wanted.append(geometry_correction(context, tracks, context.run.shift))
    return wanted


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
    reference = np.stack([solved.disparity for solved in context.known])
    return fit_seam(
        reference,
        own[: len(reference)],
        context.run.gauge,
        min_pixels=context.settings.scale.min_pixels,
    )


def scale_correction(context: WindowContext) -> Correction:
    """
    Pull the overlap towards its predecessors' depth, in the window's own range.

        z_aligned = encode((D_p - b) / a) in the overlap, z0 elsewhere

    Where the overlap's target leaves [0, 1], the range is widened and every frame re-encoded,
    so that a nearer object never saturates.

    Source: the DepthSync poster, scale guidance.
    """
    reference = np.stack([solved.disparity for solved in context.known])
    count = len(reference)

    def correct(z0: Latents, sigma: float) -> Latents:
        if sigma > context.settings.guidance.max_sigma:
            return z0
        own = _decode(context, z0[:count])
        try:
            gauge = fit_gauge(context, own).gauge
        except AlignmentError:
            return z0  # the fit after sampling will say so
        target = from_global(reference, gauge)
        if target.min() >= 0.0 and target.max() <= 1.0:
            aligned = z0.clone()
            aligned[:count] = _encode(context, target)
        else:
            whole = np.concatenate([target, _decode(context, z0[count:])])
            aligned = _encode(context, into_range(whole))
        return pull(z0, aligned, context.settings.guidance.scale)

    return correct


def geometry_correction(context: WindowContext, tracks: WindowTracks, shift: Shift) -> Correction:
    """
    Pull the window towards depth whose frames agree in 3D.

    Source: the DepthSync poster, geometry guidance: depth, poses and tracks solved together,
    z_aligned taken in place of z0 before the Euler step.
    """

    def correct(z0: Latents, sigma: float) -> Latents:
        if sigma > context.settings.guidance.max_sigma:
            return z0
        own = _decode(context, z0)
        try:
            gauge = fit_gauge(context, own).gauge
        except AlignmentError:
            return z0
        agreed = agree(context, tracks, gauge.to_global(own), shift, bend=True)
        target = into_range(from_global(agreed.disparity, gauge))
        return pull(z0, _encode(context, target), context.settings.guidance.geometry)

    return correct


def from_global(disparity: Maps, gauge: Gauge) -> Maps:
    """Undo Gauge.to_global."""
    return (disparity - gauge.shift) / gauge.scale


def into_range(disparity: Maps) -> Maps:
    """
    Press a window's disparity affinely into [0, 1], only where it leaves that range.

    >>> into_range(np.array([0.0, 1.0, 3.0])).tolist()
    [0.0, 0.3333333333333333, 1.0]
    """
    low, high = min(0.0, float(disparity.min())), max(1.0, float(disparity.max()))
    return (disparity - low) / (high - low)


def _decode(context: WindowContext, latents: Latents) -> Maps:
    return context.backbone.decode(latents).cpu().numpy().astype(np.float32)


def _encode(context: WindowContext, disparity: Maps) -> Latents:
    device = context.backbone.device
    return context.backbone.encode(torch.from_numpy(disparity.astype(np.float32)).to(device))
