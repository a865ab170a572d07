"""Frames in, depth out: each exactly once, in order, whatever happens in between."""

from dataclasses import replace
import gc
import tracemalloc

from backbones import FakeBackbone, LENGTH, OVERLAP
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from streams import (
    assert_same,
    CAMERA,
    EXACT,
    frame,
    indices,
    PERIOD_NS,
    pipeline,
    run,
    STRIDE,
    together,
)

from depthsync_ros.core.errors import ConfigError, InputError
from depthsync_ros.core.frames import Output


@given(st.lists(st.sampled_from(['push'] * 12 + ['blank', 'flush', 'reset']), max_size=60))
@settings(max_examples=40)
def test_every_frame_leaves_once_in_order_or_is_said_to_be_dropped(actions) -> None:
    running, pushed, outputs = pipeline(), 0, []
    for action in actions:
        if action in ('push', 'blank'):
            outputs.append(running.push(frame(pushed, blank=action == 'blank')))
            pushed += 1
        else:
            outputs.append(running.flush() if action == 'flush' else running.reset())
        so_far = together(outputs)
        lost = [stamp for loss in so_far.dropped for stamp in loss.stamps_ns]
        assert len(so_far.frames) + len(lost) + running.pending == pushed, 'counts add up'
    outputs.append(running.flush())

    done = together(outputs)
    lost = [stamp // PERIOD_NS for loss in done.dropped for stamp in loss.stamps_ns]
    left = indices(done.frames)
    assert left == sorted(left)
    assert sorted(left + lost) == list(range(pushed))
    assert running.pending == 0
    assert all(loss.reason for loss in done.dropped)


@pytest.mark.parametrize('count', [1, 2, LENGTH - 1, LENGTH, LENGTH + 1, 17])
def test_video_of_any_length_comes_out_whole(count) -> None:
    done = run(pipeline(), [frame(index) for index in range(count)])

    assert indices(done.frames) == list(range(count))
    assert [one.index for one in done.frames] == list(range(count))
    assert not done.dropped
    for one in done.frames:
        assert one.depth.shape == (24, 32)
        assert one.depth.dtype == np.float32
        assert one.frame_id == 'camera'
        assert one.camera == CAMERA
        assert not one.metric


def test_frames_leave_as_soon_as_no_later_window_changes_them() -> None:
    running = pipeline()

    left = [len(running.push(frame(index)).frames) for index in range(LENGTH + STRIDE)]

    assert left == [0] * (LENGTH - 1) + [STRIDE] + [0] * (STRIDE - 1) + [STRIDE]
    assert running.pending == OVERLAP


def test_reports_say_which_frames_and_how_many() -> None:
    done = run(pipeline(), [frame(index) for index in range(LENGTH + STRIDE + 1)])

    assert [
        (one.index, one.first_index, one.frame_count, one.new_frames) for one in done.reports
    ] == [
        (0, 0, LENGTH, LENGTH),
        (1, STRIDE, LENGTH, STRIDE),
        (2, STRIDE + 1, LENGTH, 1),
    ]
    assert sum(one.new_frames for one in done.reports) == len(done.frames)
    assert done.reports[1].first_stamp_ns == STRIDE * PERIOD_NS
    assert done.reports[1].last_stamp_ns == (STRIDE + LENGTH - 1) * PERIOD_NS
    assert np.isnan(done.reports[0].seam_residual_after)
    assert 'not metres' in done.reports[0].unit


def test_windows_of_random_gauges_come_out_on_one_scale() -> None:
    frames = [frame(index) for index in range(40)]
    plain = run(pipeline(**EXACT), frames)

    random = FakeBackbone(random_gauges=True)
    aligned = run(pipeline(random, **EXACT), frames)

    # The first window's gauge remains: one affine for the whole run.
    shift = aligned.reports[0].disparity_shift
    one, other = (
        np.concatenate([1.0 / done.frames[i].depth - shift for i in range(40)]).ravel()
        for done in (plain, aligned)
    )
    slope, offset = np.polyfit(one, other, 1)
    np.testing.assert_allclose(other, slope * one + offset, atol=1e-3)  # float32, ten windows
    first, last = aligned.reports[0], aligned.reports[-1]
    assert first.scale == 1.0
    assert len({round(report.scale, 3) for report in aligned.reports}) > 5, 'the gauges differed'
    assert last.seam_residual_after < 1e-3


def test_residual_before_the_fit_is_that_of_the_predecessors_gauge() -> None:
    class Settling(FakeBackbone):
        """Change the gauge once, after the first window's five calls."""

        def gauge(self, conditioning):
            return (1.0, 0.0) if len(self.calls) <= 5 else (0.5, 0.1)

    done = run(pipeline(Settling(), **EXACT), [frame(index) for index in range(14)])

    _, changed, same = done.reports
    assert changed.seam_residual_before > 0.05
    assert changed.seam_residual_after < 1e-3
    assert same.seam_residual_before < 1e-3


def test_without_alignment_random_gauges_show() -> None:
    frames = [frame(index) for index in range(20)]
    random = FakeBackbone(random_gauges=True)

    done = run(pipeline(random, scale__align=False, **EXACT), frames)

    assert {report.scale for report in done.reports} == {1.0}
    assert {report.shift for report in done.reports} == {0.0}


def test_lost_window_leaves_the_runs_unit_and_its_neighbours_alone() -> None:
    running = pipeline(**EXACT)
    blanks = {6, 7, 8, 9}
    outputs = []

    class Refusing(FakeBackbone):
        def decode(self, latents):
            decoded = super().decode(latents)
            return decoded[:] * 0.0 if self.refuse else decoded

    refusing = Refusing(random_gauges=True)
    refusing.refuse = False
    running.backbone = refusing
    for index in range(30):
        refusing.refuse = index in blanks
        outputs.append(running.push(frame(index)))
    outputs.append(running.flush())
    done = together(outputs)
    losses = [stamp // PERIOD_NS for loss in done.dropped for stamp in loss.stamps_ns]
    whole = run(
        pipeline(FakeBackbone(random_gauges=True), **EXACT),
        [frame(index) for index in range(30)],
    )

    assert losses == [6, 7, 8, 9]
    assert 'no positive scale' in done.dropped[0].reason
    # The window after the loss shares the last frames that were solved, 4 and 5.
    assert [one.first_index for one in done.reports] == [0, 4, 12, 16, 20, 24]
    assert indices(done.frames) == [index for index in range(30) if index not in blanks]
    by_index = {one.index: one for one in whole.frames}
    for one in done.frames:
        np.testing.assert_allclose(one.depth, by_index[one.index].depth, rtol=1e-3)


def test_two_runs_are_equal_to_the_bit() -> None:
    frames = [frame(index) for index in range(15)]
    poses = {'poses__derive': True, 'poses__min_tracks': 6}

    once = run(pipeline(FakeBackbone(noise_share=0.1), **poses), frames)
    twice = run(pipeline(FakeBackbone(noise_share=0.1), **poses), frames)

    assert_same(once, twice)


def test_seed_changes_the_result() -> None:
    frames = [frame(index) for index in range(LENGTH)]

    one = run(pipeline(FakeBackbone(noise_share=0.1), sampling__seed=1), frames)
    other = run(pipeline(FakeBackbone(noise_share=0.1), sampling__seed=2), frames)

    assert not np.array_equal(one.frames[0].depth, other.frames[0].depth)


def test_run_after_reset_equals_a_fresh_one() -> None:
    running = pipeline(FakeBackbone(noise_share=0.1))
    for index in range(9):
        running.push(frame(index))

    dropped = running.reset().dropped
    frames = [frame(index) for index in range(100, 115)]

    assert [stamp // PERIOD_NS for loss in dropped for stamp in loss.stamps_ns] == [4, 5, 6, 7, 8]
    assert dropped[0].reason == 'the run was reset'
    assert_same(run(running, frames), run(pipeline(FakeBackbone(noise_share=0.1)), frames))


def test_frames_say_which_run_they_belong_to() -> None:
    running = pipeline()
    outputs = [running.push(frame(index)) for index in range(5)]
    outputs += [running.flush(), running.reset()]
    outputs += [running.push(frame(index)) for index in range(10, 15)]

    done = together([*outputs, running.flush()])

    assert [one.run for one in done.frames] == [1] * 5 + [2] * 5


def test_reset_of_nothing_drops_nothing() -> None:
    assert pipeline().reset() == Output()
    assert pipeline().flush() == Output()


def test_flush_between_two_windows_keeps_the_unit() -> None:
    running = pipeline(FakeBackbone(random_gauges=True), **EXACT)
    frames = [frame(index) for index in range(20)]

    outputs = []
    for index, one in enumerate(frames):
        outputs.append(running.push(one))
        if index in (7, 8, 14):
            outputs.append(running.flush())
            assert running.pending == 0
    done = together([*outputs, running.flush()])
    whole = run(pipeline(FakeBackbone(random_gauges=True), **EXACT), frames)

    for one, other in zip(done.frames, whole.frames, strict=True):
        assert one.index == other.index
        np.testing.assert_allclose(one.depth, other.depth, rtol=1e-3)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'stamp_ns': 2 * PERIOD_NS}, r'stamps must rise; call reset'),
        ({'stamp_ns': PERIOD_NS}, r'stamped 33333333 ns, the one before it 66666666 ns'),
        ({'frame_id': 'other'}, r"changed from 'camera' to 'other' within a run: feed one"),
    ],
)
def test_frame_that_does_not_follow_is_refused_and_the_run_goes_on(changes, message) -> None:
    running = pipeline(FakeBackbone(noise_share=0.1))
    frames = [frame(index) for index in range(10)]
    outputs = [running.push(one) for one in frames[:3]]
    wrong = replace(frames[3], **changes)

    with pytest.raises(InputError, match=message):
        running.push(wrong)

    outputs += [running.push(one) for one in frames[3:]]
    done = together([*outputs, running.flush()])
    assert_same(done, run(pipeline(FakeBackbone(noise_share=0.1)), frames))


def test_memory_is_constant_in_the_videos_length() -> None:
    running = pipeline()

    def memory_after(first: int, last: int) -> int:
        for index in range(first, last):
            running.push(frame(index))
        running.backbone.calls.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early = memory_after(0, 5 * STRIDE)
        late = memory_after(5 * STRIDE, 30 * STRIDE)
    finally:
        tracemalloc.stop()

    # 100 frames of 2304 bytes came in between; a tenth is left to Python's own bookkeeping.
    assert late - early < 100 * 2304 / 10


def test_video_without_texture_has_depth_and_no_poses() -> None:
    running = pipeline(poses__derive=True, scale__align=False)

    done = run(running, [frame(index, blank=True) for index in range(LENGTH + STRIDE)])

    assert len(done.frames) == LENGTH + STRIDE
    assert all(one.world_T_cam is None for one in done.frames)
    assert any('no two of 6 frames share' in note for note in done.reports[0].notes)
    assert done.reports[0].posed_frames == 0


def test_settings_that_contradict_the_model_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r'window.length = 2 and window.overlap = 2 \(0 takes'):
        pipeline(window__length=2)
    with pytest.raises(ConfigError, match=r'model.max_side = 4 pixels is below the 8'):
        pipeline(model__max_side=4)


@pytest.mark.parametrize(('length', 'overlap'), [(6, 2), (6, 4), (6, 5), (8, 5)])
def test_no_frame_leaves_twice_when_a_window_is_lost(length: int, overlap: int) -> None:
    class Refusing(FakeBackbone):
        windows = 0

        def decode(self, latents):
            self.windows += 1
            return super().decode(latents) * (0.0 if self.windows == 2 else 1.0)

    running = pipeline(Refusing(), window__length=length, window__overlap=overlap, **EXACT)

    done = run(running, [frame(index) for index in range(30)])

    lost = [stamp // PERIOD_NS for loss in done.dropped for stamp in loss.stamps_ns]
    assert lost == list(range(length, 2 * length - overlap))
    assert indices(done.frames) == [index for index in range(30) if index not in lost]
