from depthsync_ros.datasets.folder import open_folder
from depthsync_ros.evaluation.benchmark import measure, noisy, write_noise
from depthsync_ros.evaluation.scoring import decode, score

FRAMES = 26  # two windows


def test_the_benchmark_prints_both_times_and_their_ratio(tmp_path, capsys) -> None:
    ratio = measure(write_noise(tmp_path / 'noise', FRAMES), FRAMES)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '26 frames of 320x240'
    assert [line.split()[0] for line in lines[1:]] == ['reading', 'scoring', 'scoring']
    assert lines[-1] == f'scoring / reading = {ratio:.2f}'
    assert ratio > 0.0


def test_every_score_is_computed_in_it(tmp_path) -> None:
    (video,) = open_folder(write_noise(tmp_path / 'noise', FRAMES))
    _, truth = decode(video, FRAMES, video.max_depth_m)

    row = score(noisy(truth), truth, 'video').row

    scores = ('absrel', 'delta3', 'log10', 'mfc', 'tae_percent', 'oracle_absrel', 'ate_m')
    assert all(row[name] >= 0.0 for name in scores)
    assert 0.0 < row['absrel'] < 0.2
    assert len(row['window_scales']) == 2
