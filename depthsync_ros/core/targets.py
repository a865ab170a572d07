"""
What guidance pulls towards: z_aligned, for scale across windows and geometry inside one.

Both parts work on decoded disparity, in the window's own range, and share one decode and one
encode a step. z_aligned is z0 plus what the encoder makes of the *change*: where nothing is to be
corrected guidance does nothing, and the autoencoder's own error stays out of the sample.
"""

from dataclasses import replace

import numpy as np
import torch

from depthsync_ros.core.context import WindowContext
from depthsync_ros.core.errors import AlignmentError
from depthsync_ros.core.guidance import corrected, Correction, forward_guided, pull
from depthsync_ros.core.losses import GeometryLoss
from depthsync_ros.core.sampler import Denoiser
from depthsync_ros.core.scale import Gauge
from depthsync_ros.core.settings import with_values
from depthsync_ros.core.settle import first_shift, fit_gauge, settle
from depthsync_ros.core.shapes import Latents, Maps
from depthsync_ros.core.tracks import WindowTracks

MIN_KEY_FRAMES = 8
RESOLVES, DESCENT_STEPS, DESCENT_RATE = 2, 8, 0.03


def guide(denoise: Denoiser, context: WindowContext, tracks: WindowTracks) -> Denoiser:
    """
    Wrap a denoiser with the guidance that the settings ask for and the window supports.

    Source: the DepthSync poster: scale guidance, geometry guidance, interleaved with the steps.
    """
    guidance = context.settings.guidance
    scale, geometry = guidance.scale > 0.0 and bool(context.known), guidance.geometry > 0.0
    if not (scale or geometry):
        return denoise
    if not guidance.exact:
        guided = corrected(denoise, [fast_correction(context, tracks)])
    else:
        guided = denoise
        if scale:
            guided = forward_guided(guided, scale_aligned(context, tracks), guidance.scale)
        if geometry:
            guided = corrected(guided, [geometry_descent(context, tracks)])
    return within(guided, denoise, guidance.min_sigma, guidance.max_sigma)


def within(guided: Denoiser, plain: Denoiser, low: float, high: float) -> Denoiser:
    """Guide only the steps whose noise level lies between two bounds."""

    def denoise(z: Latents, sigma: float) -> Latents:
        return guided(z, sigma) if low <= sigma <= high else plain(z, sigma)

    return denoise


def fast_correction(context: WindowContext, tracks: WindowTracks) -> Correction:
    """
    Give both parts in closed form, without a gradient through any network.

    Every `guidance.every`-th frame is decoded, corrected and encoded; the frames between take the
    change of their neighbours, in proportion.
    """
    rows = key_frames(len(context.frames), context.settings.guidance.every)
    thin_context, thin_tracks = context.thinned(rows), tracks.frames(rows)

    def correct(z0: Latents, sigma: float) -> Latents:
        own = _decode(context, z0[rows])
        target = aim(thin_context, thin_tracks, own)
        change = _encode(context, target) - _encode(context, own)
        return z0 + between(change, rows, len(z0))

    return correct


def scale_aligned(context: WindowContext, tracks: WindowTracks) -> Correction:
    """Give scale guidance's whole z_aligned, which forward guidance differentiates towards."""
    changes = {'guidance.scale': 1.0, 'guidance.geometry': 0.0}
    whole = replace(context, settings=with_values(context.settings, changes))

    def align(z0: Latents, sigma: float) -> Latents:
        own = _decode(context, z0)
        return z0 + _encode(context, aim(whole, tracks, own)) - _encode(context, own)

    return align


def geometry_descent(context: WindowContext, tracks: WindowTracks) -> Correction:
    """
    Give backward guidance: descend the geometry loss on the clean sample, through the decoder.

        z_aligned = argmin_z L(decode(z)), started from z0; cameras and points are solved again
        as the depth changes.

    Source: the DepthSync poster, geometry guidance; Kingma and Ba 2015 for the descent.
    """
    weight = context.settings.guidance.geometry

    def correct(z0: Latents, sigma: float) -> Latents:
        z_aligned = z0
        for _ in range(RESOLVES):
            loss = _geometry_loss(context, tracks, z_aligned)
            if loss is None:
                return z0
            z_aligned = _descend(context, loss, z_aligned)
        return pull(z0, z_aligned, weight)

    return correct


def _geometry_loss(
    context: WindowContext, tracks: WindowTracks, z: Latents
) -> GeometryLoss | None:
    """Solve the window's geometry as its depth is now; None where it is not supported."""
    decoded = context.backbone.decode(z).detach()
    own = decoded.cpu().numpy().astype(np.float32)
    try:
        seam = fit_gauge(context, own)
    except AlignmentError:
        return None
    shift = first_shift(context, tracks, own)
    geometry, seam, shift = settle(context, tracks, own, seam, shift)
    if not geometry.is_sound:
        return None
    return GeometryLoss.of(geometry, decoded, seam.gauge, shift, context.camera)


def _descend(context: WindowContext, loss: GeometryLoss, start: Latents) -> Latents:
    with torch.enable_grad():
        z = start.detach().clone().requires_grad_()
        optimiser = torch.optim.Adam([z], lr=DESCENT_RATE)
        for _ in range(DESCENT_STEPS):
            (z.grad,) = torch.autograd.grad(loss(context.backbone.decode(z)), z)
            optimiser.step()
    return z.detach()


def aim(context: WindowContext, tracks: WindowTracks, own: Maps) -> Maps:
    """
    Correct a window's own disparity: its overlap towards what is known, all of it towards 3D.

        overlap: d <- (1 - l) d + l (D_p - b) / a        all: d <- (1 - l) d + l bend(d)

    What leaves [0, 1] presses the whole window into that range: the gauge, which lies outside
    the latents, takes it back, so that a nearer object never saturates.

    Shapes: own (frames, height, width).
    """
    guidance = context.settings.guidance
    try:
        seam = fit_gauge(context, own)
    except AlignmentError:
        return own  # the fit after sampling will say so
    shift = first_shift(context, tracks, own)
    geometry, seam, shift = settle(context, tracks, own, seam, shift)
    target = own.copy()
    for position, solved in enumerate(context.known if guidance.scale > 0.0 else ()):
        away = from_global(solved.disparity, seam.gauge) - target[position]
        target[position] += guidance.scale * np.nan_to_num(away)  # the unknown pulls nowhere
    if guidance.geometry > 0.0:
        bent = geometry.bend(seam.gauge.to_global(target), seam.gauge, shift, context.camera)
        target += guidance.geometry * (from_global(bent, seam.gauge) - target)
    return into_range(target, min(0.0, float(own.min())), max(1.0, float(own.max())))


def key_frames(frames: int, every: int) -> list[int]:
    """
    Choose every so manieth frame, first and last included.

    Short windows keep more: fewer than eight frames do not tell what moves on its own.

    >>> key_frames(24, 3)
    [0, 3, 6, 9, 12, 15, 18, 21, 23]
    """
    step = max(1, min(every, frames // MIN_KEY_FRAMES))
    return sorted({*range(0, frames, step), frames - 1})


def between(change: Latents, rows: list[int], frames: int) -> Latents:
    """Spread the key frames' change linearly over all frames."""
    places = np.interp(np.arange(frames), rows, np.arange(len(rows)))
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, len(rows) - 1)
    share = torch.from_numpy((places - low).astype(np.float32)).to(change.device)
    share = share[:, None, None, None]
    return (1.0 - share) * change[low] + share * change[high]


def from_global(disparity: Maps, gauge: Gauge) -> Maps:
    """Undo Gauge.to_global."""
    return (disparity - gauge.shift) / gauge.scale


def into_range(disparity: Maps, low: float = 0.0, high: float = 1.0) -> Maps:
    """
    Press a window's disparity affinely into a range, only where it leaves it.

    >>> into_range(np.array([0.0, 1.0, 4.0])).tolist()
    [0.0, 0.25, 1.0]
    """
    least, most = min(low, float(disparity.min())), max(high, float(disparity.max()))
    if (least, most) == (low, high):
        return disparity
    return low + (disparity - least) * ((high - low) / (most - least))


def _decode(context: WindowContext, latents: Latents) -> Maps:
    return context.backbone.decode(latents).cpu().numpy().astype(np.float32)


def _encode(context: WindowContext, disparity: Maps) -> Latents:
    device = context.backbone.device
    return context.backbone.encode(torch.from_numpy(disparity.astype(np.float32)).to(device))
