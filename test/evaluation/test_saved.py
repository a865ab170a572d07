from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_video import Wave

from depthsync_ros.core.errors import InputError
from depthsync_ros.evaluation.saved import SavedDepth, SavedPoses
from depthsync_ros.evaluation.scoring import decode, score

FRAMES = 6
WAVE = Wave(FRAMES)
TRUTH = np.stack([WAVE.depth_m(i) for i in range(FRAMES)])


def absrel(method, frames=FRAMES):
    video = WAVE.video()
    ((_, prediction),) = method.predict(video, [frames], lambda: None)
    return score(prediction, decode(video, frames, 10.0)[1], 'video').row['absrel']


def write_frames(folder, values):
    (folder / 'wave').mkdir(parents=True)
    for i, steps in enumerate(values):
        cv2.imwrite(str(folder / f'wave/{i:06d}.png'), steps.astype(np.uint16))


@pytest.mark.parametrize(
    ('kind', 'values'),
    [
        ('disparity', 3.0 / TRUTH + 0.4),
        ('depth', 0.2 * TRUTH + 0.1),
        ('metric', TRUTH),
    ],
)
def test_a_true_prediction_scores_perfect_as_what_it_is(tmp_path, kind, values) -> None:
    np.savez(tmp_path / 'wave.npz', depth=values)

    assert absrel(SavedDepth(tmp_path, kind)) == pytest.approx(0.0, abs=1e-5)  # float32


def test_a_prediction_taken_for_what_it_is_not_scores_badly(tmp_path) -> None:
    np.savez(tmp_path / 'wave.npz', depth=1.0 / TRUTH)

    assert absrel(SavedDepth(tmp_path, 'disparity')) < 1e-5
    assert absrel(SavedDepth(tmp_path, 'depth')) > 0.05
    assert absrel(SavedDepth(tmp_path, 'metric')) > 0.5


def test_16_bit_images_hold_disparity_or_millimetres(tmp_path) -> None:
    write_frames(tmp_path / 'disparity', 65000.0 / TRUTH / (1.0 / TRUTH).max())
    write_frames(tmp_path / 'metric', 1000.0 * TRUTH)

    # half a step of 1 in about 2e4, and half a millimetre in about 1.2 m
    assert absrel(SavedDepth(tmp_path / 'disparity', 'disparity')) < 1e-4
    assert absrel(SavedDepth(tmp_path / 'metric', 'metric')) < 1e-3


def test_0_in_an_image_of_depth_is_unknown_and_far_in_one_of_disparity(tmp_path) -> None:
    steps = 1000.0 * TRUTH
    steps[:, :4] = 0.0
    write_frames(tmp_path, steps)

    for kind, unknown in (('metric', True), ('depth', True), ('disparity', False)):
        ((_, prediction),) = SavedDepth(tmp_path, kind).predict(WAVE.video(), [FRAMES], int)
        assert np.isnan(prediction.values[:, :4]).all() == unknown
        assert np.isfinite(prediction.values[:, 4:]).all()


def test_arrays_and_images_of_another_form_are_refused(tmp_path) -> None:
    (tmp_path / 'wave').mkdir()
    cv2.imwrite(str(tmp_path / 'wave/000000.png'), np.ones((24, 32), np.uint8))
    with pytest.raises(InputError, match='is not a 16-bit image of one channel'):
        absrel(SavedDepth(tmp_path, 'metric'), frames=1)
    np.savez(tmp_path / 'wave.npz', depth=TRUTH[0])
    with pytest.raises(InputError, match=r'is \(24, 32\), not \(frames, height, width\)'):
        absrel(SavedDepth(tmp_path, 'metric'), frames=1)


def test_one_npz_a_frame_is_read_in_the_order_of_names(tmp_path) -> None:
    (tmp_path / 'wave').mkdir()
    for i in range(FRAMES):
        np.savez(tmp_path / f'wave/{i:04d}.npz', 1.0 / TRUTH[i][None])

    assert absrel(SavedDepth(tmp_path, 'disparity')) < 1e-5


def test_another_size_is_brought_to_the_truths(tmp_path) -> None:
    large = [cv2.resize(1.0 / t, (64, 48), interpolation=cv2.INTER_NEAREST) for t in TRUTH]
    np.savez(tmp_path / 'wave.npz', disparity=np.stack(large))

    assert absrel(SavedDepth(tmp_path, 'disparity')) < 1e-3


def test_what_is_missing_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r'neither wave.npz nor wave/'):
        absrel(SavedDepth(tmp_path, 'disparity'))
    np.savez(tmp_path / 'wave.npz', disparity=1.0 / TRUTH[:4])
    assert absrel(SavedDepth(tmp_path, 'disparity'), frames=4) < 1e-5
    with pytest.raises(InputError, match='holds 4 frames of wave, 6 are needed'):
        absrel(SavedDepth(tmp_path, 'disparity'))
    np.savez(tmp_path / 'wave.npz', other=TRUTH)
    with pytest.raises(InputError, match='holds other; the array must be called'):
        absrel(SavedDepth(tmp_path, 'disparity'))


def write_poses(folder: Path, times) -> None:
    lines = ''
    for i, time in enumerate(times):
        x, y, z = WAVE.world_T_cam(i)[:3, 3]
        lines += f'{time} {2 * x + 1} {2 * y} {2 * z} 0 0 0 1\n'  # another scale and origin
    (folder / 'wave.txt').write_text(lines)


@pytest.mark.parametrize('times', ['stamps', 'numbers'])
def test_a_true_trajectory_up_to_a_similarity_scores_zero(tmp_path, times) -> None:
    pytest.importorskip('evo', reason='evo is an optional extra')
    video = WAVE.video()
    stamps = [f'{shot.stamp_ns / 1e9:.6f}' for shot in video.shots]
    write_poses(tmp_path, stamps if times == 'stamps' else range(FRAMES))

    ((_, prediction),) = SavedPoses(tmp_path).predict(video, [FRAMES], lambda: None)

    row = score(prediction, decode(video, FRAMES, 10.0)[1], 'video').row
    assert row['posed_frames'] == FRAMES
    assert row['ate_m'] == pytest.approx(0.0, abs=1e-9)


def test_times_of_another_recording_are_refused(tmp_path) -> None:
    write_poses(tmp_path, [f'{1e9 + i:.1f}' for i in range(FRAMES)])

    with pytest.raises(InputError, match='no line is within 20 ms'):
        list(SavedPoses(tmp_path).predict(WAVE.video(), [FRAMES], lambda: None))
