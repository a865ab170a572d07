"""What the networks are judged by, in disparity."""

import math

import torch
from torch import Tensor

FAR_FLOOR = 0.06  # of a clip's range
METRIC_FLOOR = 0.1  # image widths per metre
LEAST_DISPARITY = 0.03  # what a fitted disparity counts as at least
LARGEST_ERROR = 2.0  # in log depth
STEP_WEIGHT = 0.5

NOISE_RANGE = (0.002, 120.0)
RHO = 7.0
LEAST_TRAINED_SIGMA = 0.05
TOP_SIGMA, TOP_SHARE = 60.0, 0.2
LARGEST_WEIGHT = 4.0


def affine_error(ours: Tensor, true: Tensor) -> Tensor:
    """
    Mean error of log depth after the best affine in disparity: what AbsRel measures.

    The error's own steps, from pixel to pixel and from frame to frame, count as well: edges
    should be where they are and nothing should flicker.

    Shapes: (clips, frames, rows, cols) both; each clip has its affine, fitted by least squares.

    Source: Li and Snavely 2018 (arXiv:1804.00607), equation 4, for the steps.
    """
    whole = (1, 2, 3)
    mean_ours, mean_true = ours.mean(whole, keepdim=True), true.mean(whole, keepdim=True)
    x, y = ours - mean_ours, true - mean_true
    spread = x.square().mean(whole, keepdim=True) + 1e-4
    fitted = mean_true + (x * y).mean(whole, keepdim=True) / spread * x
    error = fitted.clamp(min=LEAST_DISPARITY).log() - true.clamp(min=LEAST_DISPARITY).log()
    error = error.clamp(-LARGEST_ERROR, LARGEST_ERROR)
    return error.abs().mean() + STEP_WEIGHT * _steps(error)


def _steps(maps: Tensor) -> Tensor:
    between = maps.diff(dim=2).abs().mean() + maps.diff(dim=3).abs().mean()
    return between + maps.diff(dim=1).abs().mean() if maps.shape[1] > 1 else between


def estimate_loss(ours: Tensor, true: Tensor) -> Tensor:
    """
    Compare the conditioner's disparity with the truth: up to an affine, and as it is.

    As it is, disparity is in image widths per metre, so that one image can tell it whatever the
    field of view. Shapes: (clips, frames, rows, cols) both.
    """
    plain = ((ours - true).abs() / (true + METRIC_FLOOR)).clamp(max=LARGEST_ERROR).mean()
    return affine_error(ours, true) + 0.5 * plain


def clip_loss(ours: Tensor, true: Tensor) -> Tensor:
    """
    Compare decoded disparity in [0, 1] with the clip's own, weighed by what it does to depth.

    Shapes: (clips, frames, rows, cols) both.
    """
    weight = 1.0 / (true + FAR_FLOOR)
    return (weight / weight.mean() * (ours - true).abs()).mean() + _steps(ours - true)


def draw_sigmas(count: int) -> Tensor:
    """Draw noise levels evenly along Karras' spacing, and a share more near its top."""
    top = NOISE_RANGE[1] ** (1 / RHO)
    spread = torch.where(
        torch.rand(count) < TOP_SHARE,
        TOP_SIGMA ** (1 / RHO) - top,
        LEAST_TRAINED_SIGMA ** (1 / RHO) - top,
    )
    return (top + torch.rand(count) * spread) ** RHO


def clean_loss(estimate: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """
    Compare the clean latents that the network implies with the true ones.

    The weight (sigma^2 + 1) / sigma^2 would make it v's own error; it is capped, because what
    is left below the last sampled level is never seen.

    Shapes: (clips, frames, channels, rows, cols) twice, and (clips,).
    """
    weight = (1.0 + sigma**-2).clamp(max=LARGEST_WEIGHT)[:, None, None, None, None]
    return (weight * (estimate - clean).square()).mean()


def cosine(progress: float) -> float:
    """Fall from 1 to 0 as progress goes from 0 to 1."""
    return 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))
