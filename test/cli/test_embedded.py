"""The command with the model that the package carries: nothing is faked here."""

import cv2
import numpy as np
from synthetic import camera_info, image, log_of, Row, stamp_of, write_rows

from depthsync_ros.bags.storage import BagReader, BagVocabulary
from depthsync_ros.cli.main import main
from depthsync_ros.messages import nanoseconds

N, WIDTH, HEIGHT = 6, 128, 96
SMALL = (
    '--window.length', '4', '--window.overlap', '2', '--sampling.steps', '2',
    '--model.max_side', '64', '--scale.min_pixels', '10', '--model.threads', '1',
)  # fmt: skip


def sliding_view():
    """Look at a blurred random wall that slides by: enough texture for tracks."""
    noise = np.random.default_rng(0).integers(0, 256, (140, 180, 3)).astype(np.uint8)
    wall = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    k = np.array([110.0, 0, 63.5, 0, 110.0, 47.5, 0, 0, 1])
    for n in range(N):
        view = wall[2 * n : 2 * n + HEIGHT, 3 * n : 3 * n + WIDTH]
        yield Row('/cam/image_raw', log_of(n), image(stamp_of(n), view))
        info = camera_info(stamp_of(n), width=WIDTH, height=HEIGHT, k=k)
        yield Row('/cam/camera_info', log_of(n), info)


def test_the_embedded_model_gives_every_frame_its_depth(tmp_path, capsys) -> None:
    source = write_rows(tmp_path / 'in', list(sliding_view()))

    assert main(['bag', str(source), str(tmp_path / 'out'), *SMALL]) == 0

    assert '6 frames in, 6 depth out, 0 dropped' in capsys.readouterr().out
    words = BagVocabulary()
    with BagReader(tmp_path / 'out') as bag:
        images = [words.deserialize(x.data, x.msgtype) for x in bag.messages(['/depthsync/depth'])]
    assert [nanoseconds(x.header.stamp) for x in images] == [stamp_of(n) for n in range(N)]
    for x in images:
        assert (x.height, x.width) == (HEIGHT, WIDTH)
        assert np.nanmin(x.data.view('<f4')) > 0.0
