from types import SimpleNamespace

import numpy as np
import pytest
from wall import check, Wall
from wall_folder import CAMERA, write

from depthsync_ros.bags.folder import FolderJob, import_folder
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.bag import decode_depth, open_bag


def test_an_imported_folder_comes_back_from_the_bag(tmp_path) -> None:
    wall = Wall(CAMERA)
    write(tmp_path / 'kitchen', wall)
    (tmp_path / 'bags').mkdir()
    import_folder(FolderJob(tmp_path / 'kitchen', tmp_path / 'bags/kitchen'))

    (video,) = open_bag(tmp_path / 'bags')

    check(video, wall, step_m=0.0005)
    assert video.counts == {}


def image(encoding, values, *, big=False, padding=0):
    rows = values.astype(('>' if big else '<') + values.dtype.str[1:])
    data = np.pad(rows.view(np.uint8).reshape(len(rows), -1), ((0, 0), (0, padding)))
    height, width = values.shape
    step = data.shape[1]
    return SimpleNamespace(
        encoding=encoding,
        height=height,
        width=width,
        step=step,
        is_bigendian=big,
        data=data.ravel(),
    )


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('padding', [0, 3])
def test_depth_images_are_metres_whatever_their_encoding(big, padding) -> None:
    expected = np.array([[1.5, np.nan, 0.25], [2.0, 65.0, np.nan]])
    whole = np.nan_to_num(expected * 1000.0).astype(np.uint16)

    for message in (
        image('16UC1', whole, big=big, padding=padding),
        image('32FC1', expected.astype(np.float32), big=big, padding=padding),
    ):
        assert decode_depth(message) == pytest.approx(expected, nan_ok=True)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(InputError, match="'rgb8'; known are 16UC1"):
        decode_depth(image('rgb8', np.zeros((2, 2), np.uint16)))


def test_a_folder_without_bags_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match='is no bag and holds none'):
        open_bag(tmp_path)
