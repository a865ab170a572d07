"""From a v-prediction network to a denoiser."""

import math

from depthsync_ros.core.backbone import Backbone, Conditioning
from depthsync_ros.core.sampler import Denoiser
from depthsync_ros.core.shapes import Latents


def v_denoiser(backbone: Backbone, conditioning: Conditioning) -> Denoiser:
    """
    Bind a window's conditioning to the network and return its denoiser.

        F  = network(z / sqrt(sigma^2 + 1), ln(sigma) / 4)
        z0 = z / (sigma^2 + 1) - sigma / sqrt(sigma^2 + 1) * F

    Source: Salimans and Ho 2022 (arXiv:2202.00512), v-prediction, written with sigma as in
    Karras et al. 2022 (arXiv:2206.00364), equation 7; Stable Video Diffusion's preconditioning.
    """

    def denoise(z: Latents, sigma: float) -> Latents:
        variance = sigma**2 + 1.0
        predicted = backbone.predict(z / math.sqrt(variance), math.log(sigma) / 4.0, conditioning)
        return z / variance - (sigma / math.sqrt(variance)) * predicted

    return denoise
