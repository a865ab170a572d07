"""Conditionings: one row a frame."""

import torch

from depthsync_ros.core.backbone import concatenate, Conditioning


def test_rows_taken_apart_and_put_together_are_the_same() -> None:
    whole = Conditioning(torch.rand(5, 2, 3, 4), torch.rand(5, 1, 6))

    again = concatenate([whole.frame(position) for position in range(len(whole))])

    assert len(whole) == 5
    assert torch.equal(again.image_latents, whole.image_latents)
    assert torch.equal(again.tokens, whole.tokens)
