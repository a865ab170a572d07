"""A window that is given up ends before its next call of the network, and leaves no trace."""

from backbones import FakeBackbone, LENGTH, OVERLAP
import numpy as np
import pytest
from streams import assert_same, frame, indices, pipeline, run, STRIDE, together
import torch

from depthsync_ros.core.backbone import CHUNK_FRAMES
from depthsync_ros.core.cancel import Interruptible, never
from depthsync_ros.core.frames import Output

GUIDED = {'guidance__scale': 1.0}


class Interrupting(FakeBackbone):
    """Asks to be given up during its so manieth call, whichever method that is."""

    def __init__(self, at: int = -1) -> None:
        super().__init__(noise_share=0.1)
        self.at = at
        self.made: list[str] = []

    def cancelled(self) -> bool:
        return 0 <= self.at < len(self.made)

    def encode_rgb(self, rgb, noise):
        self.made.append('encode_rgb')
        return super().encode_rgb(rgb, noise)

    def predict(self, scaled, noise_label, conditioning):
        self.made.append('predict')
        return super().predict(scaled, noise_label, conditioning)

    def decode(self, latents):
        self.made.append('decode')
        return super().decode(latents)

    def encode(self, disparity):
        self.made.append('encode')
        return super().encode(disparity)


def calls_of(frames: int) -> list[str]:
    backbone = Interrupting()
    running = pipeline(backbone, **GUIDED)
    for index in range(frames):
        running.push(frame(index))
    return backbone.made


@pytest.mark.parametrize('windows', [1, 2])
def test_every_call_of_a_window_can_be_its_last(windows: int) -> None:
    count = LENGTH + (windows - 1) * STRIDE
    first, whole = len(calls_of(count - 1)), calls_of(count)
    assert set(whole[first:]) >= {'encode_rgb', 'predict', 'decode'}
    assert windows == 1 or 'encode' in whole[first:], 'guidance encodes'

    for at in range(first, len(whole)):
        backbone = Interrupting(at)
        running = pipeline(backbone, **GUIDED)
        running.cancelled = backbone.cancelled
        done = together([running.push(frame(index)) for index in range(count)])

        assert len(backbone.made) == at + 1, 'the call under way was the last'
        lost = [stamp for loss in done.dropped for stamp in loss.stamps_ns]
        assert [loss.reason for loss in done.dropped] == [
            'the window was given up before its next step'
        ]
        assert len(done.frames) + len(lost) == count
        assert len(lost) == (LENGTH if windows == 1 else OVERLAP + STRIDE)
        assert running.pending == 0


def test_the_run_after_it_is_as_new() -> None:
    backbone = Interrupting(at=2)
    running = pipeline(backbone)
    running.cancelled = backbone.cancelled
    given_up = [running.push(frame(index)) for index in range(LENGTH)]
    running.cancelled = never

    frames = [frame(index) for index in range(50, 70)]
    assert indices(together(given_up).frames) == []
    assert_same(run(running, frames), run(pipeline(FakeBackbone(noise_share=0.1)), frames))


def test_a_flush_can_be_given_up() -> None:
    backbone = Interrupting(at=0)
    running = pipeline(backbone)
    running.cancelled = backbone.cancelled
    running.push(frame(0))

    done = running.flush()

    assert [len(loss.stamps_ns) for loss in done.dropped] == [1]
    assert running.flush() == Output()


def test_the_network_sees_chunks_and_the_result_has_the_same_bits() -> None:
    class Watched(FakeBackbone):
        seen: tuple[int, ...] = ()

        def decode(self, latents):
            self.seen += (len(latents),)
            return super().decode(latents)

    backbone, count = Watched(), 2 * CHUNK_FRAMES + 3
    latents = torch.from_numpy(np.random.default_rng(0).random((count, 1, 4, 4), np.float32))
    whole = FakeBackbone().decode(latents)

    decoded = Interruptible(backbone, never).decode(latents)

    assert backbone.seen == (CHUNK_FRAMES, CHUNK_FRAMES, 3)
    assert torch.equal(decoded, whole)
