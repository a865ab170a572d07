"""The packaged clip."""

from pathlib import Path

import numpy as np

from depthsync_ros.datasets.folder import open_folder

CLIP = Path(__file__).parents[2] / 'depthsync_ros' / 'demo' / 'clip'


def test_the_clip_is_small_and_has_its_truth() -> None:
    (video,) = open_folder(CLIP)

    assert len(video) == 150
    assert sum(file.stat().st_size for file in CLIP.rglob('*') if file.is_file()) < 5_000_000
    assert all(shot.world_T_cam is not None for shot in video.shots)
    with_depth = [shot for shot in video.shots if shot.read_depth is not None]
    assert len(with_depth) == 25  # every sixth: 16-bit depth is most of the clip's size
    assert 0.5 < np.nanmedian(with_depth[0].read_depth()) < 10.0, 'metres'
