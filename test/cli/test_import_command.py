import json

import cv2
import pytest
from synthetic import rgb_of

from depthsync_ros.bags.storage import BagReader
from depthsync_ros.cli.main import main


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'photos' / 'rgb').mkdir(parents=True)
    for number in range(2):
        cv2.imwrite(str(tmp_path / f'photos/rgb/{number:06}.jpg'), rgb_of(number))
    numbers = {'width': 16, 'height': 12, 'fx': 20.0, 'fy': 20.0, 'cx': 7.5, 'cy': 5.5}
    (tmp_path / 'photos' / 'intrinsics.json').write_text(json.dumps(numbers))
    return tmp_path / 'photos'


def test_a_folder_becomes_a_bag(folder, capsys) -> None:
    target = folder.parent / 'bag'

    status = main(
        [
            'import',
            str(folder),
            str(target),
            '--compressed',
            '--rate',
            '10',
            '--storage',
            'sqlite3',
        ]
    )

    assert status == 0
    assert capsys.readouterr().out == f'{target}: 2 images; stamps moved by 1 s, away from 0\n'
    with BagReader(target) as bag:
        counts = {topic.name: topic.count for topic in bag.topics}
        assert bag.storage == 'sqlite3'
    assert counts['/camera/image_raw/compressed'] == counts['/camera/camera_info'] == 2


def test_a_missing_folder_is_an_error_in_one_line(tmp_path, capsys) -> None:
    assert main(['import', str(tmp_path / 'none'), str(tmp_path / 'bag')]) == 1
    assert 'holds no .jpg or .png' in capsys.readouterr().err
