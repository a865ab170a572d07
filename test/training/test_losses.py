import pytest
import torch
from torch import Tensor

from training import losses
from training.losses import affine_error, clean_loss, clip_loss, draw_sigmas, estimate_loss


def disparity() -> Tensor:
    return torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(0)) + 0.2


def test_any_affine_of_the_truth_has_no_affine_error() -> None:
    # The fit's denominator carries 1e-4 beside a spread of 1/48; steps count again.
    assert float(affine_error(0.5 * disparity() + 3.0, disparity())) < 0.015
    assert float(affine_error(-disparity(), disparity())) < 0.015, 'the fit may turn it over'
    assert float(affine_error(torch.zeros_like(disparity()), disparity())) > 0.3


def test_each_clip_has_an_affine_of_its_own_and_its_frames_share_it() -> None:
    by_clip, by_frame = disparity(), disparity()
    by_clip[1] = 2.0 * by_clip[1] + 1.0
    by_frame[:, 1] = 2.0 * by_frame[:, 1] + 1.0

    assert float(affine_error(by_clip, disparity())) < 0.015  # as above
    assert float(affine_error(by_frame, disparity())) > 0.1


def test_flicker_costs_more_than_a_steady_error() -> None:
    steady, flicker = disparity(), disparity()
    steady += 0.1
    flicker[:, ::2] += 0.1
    flicker[:, 1::2] -= 0.1

    true = disparity()
    assert float(clip_loss(flicker, true)) > 1.5 * float(clip_loss(steady, true))


def test_an_estimate_in_another_unit_costs_only_its_unit() -> None:
    perfect, scaled = (
        estimate_loss(disparity(), disparity()),
        estimate_loss(2 * disparity(), disparity()),
    )

    assert float(perfect) < 0.015  # as above
    assert 0.2 < float(scaled) < 0.6  # half of a relative error of one, with a floor below


def test_noise_levels_keep_to_the_range_and_visit_all_of_it_evenly() -> None:
    torch.manual_seed(0)
    sigmas = draw_sigmas(50_000)

    low, high = losses.LEAST_TRAINED_SIGMA, losses.NOISE_RANGE[1]
    assert low * 0.999 <= float(sigmas.min())  # float32 powers
    assert float(sigmas.max()) <= high * 1.001
    rest = sigmas[sigmas < losses.TOP_SIGMA] ** (1 / losses.RHO)
    halfway = (low ** (1 / losses.RHO) + losses.TOP_SIGMA ** (1 / losses.RHO)) / 2
    assert float((rest < halfway).double().mean()) == pytest.approx(0.5, abs=0.01)  # 4 deviations
    assert float((sigmas > losses.TOP_SIGMA).double().mean()) > losses.TOP_SHARE


def test_a_perfect_clean_sample_costs_nothing_and_large_noise_counts_once() -> None:
    clean = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([1000.0, 1000.0])

    assert float(clean_loss(clean, clean, sigma)) == 0.0
    assert float(clean_loss(clean + 0.1, clean, sigma)) == pytest.approx(0.01, rel=1e-4)
    near = torch.tensor([0.01, 0.01])
    assert float(clean_loss(clean + 0.1, clean, near)) == pytest.approx(0.04, rel=1e-4)
