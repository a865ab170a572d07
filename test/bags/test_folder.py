import json

import cv2
import numpy as np
import pytest
from synthetic import rgb_of

from depthsync_ros.bags.folder import FolderJob, import_folder
from depthsync_ros.bags.frames import CameraChoice, find_camera, read_frames
from depthsync_ros.bags.storage import BagReader, BagVocabulary
from depthsync_ros.core.errors import InputError
from depthsync_ros.messages import nanoseconds, rotation_matrix

WORDS = BagVocabulary()
POSE = (0.5, -1.0, 2.0, 0.1, -0.2, 0.3, 0.9)
SECONDS = ('1305031229.528748', '1305031229.564425', '1305031229.596600')
STAMPS_NS = (1305031229528748000, 1305031229564425000, 1305031229596600000)


def depth_of(number):
    return (rgb_of(number)[..., 0].astype(np.uint16) * 20) % 4000


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / 'kitchen'
    for name in ('rgb', 'depth'):
        (source / name).mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(source / f'rgb/{number:06}.png'), rgb_of(number)[..., ::-1])
        cv2.imwrite(str(source / f'depth/{number:06}.png'), depth_of(number))
    poses = [f'{seconds} {" ".join(map(str, POSE))} \n' for seconds in SECONDS]
    (source / 'poses.txt').write_text('# made up\n' + ''.join(poses))
    intrinsics = {'width': 16, 'height': 12, 'fx': 20.5, 'fy': 21.0, 'cx': 7.5, 'cy': 5.5}
    (source / 'intrinsics.json').write_text(json.dumps(intrinsics))
    return source


def make(folder, **options):
    target = folder.parent / 'bag'
    return import_folder(FolderJob(folder, target, **options)), target


def read(bag, topic):
    with BagReader(bag) as reader:
        return [WORDS.deserialize(x.data, x.msgtype) for x in reader.messages([topic])]


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_the_bags_camera_is_the_folders(folder, storage, compressed) -> None:
    (count, shift_s), bag = make(folder, storage=storage, compressed=compressed)

    with BagReader(bag) as reader:
        frames = list(read_frames(reader, find_camera(reader, CameraChoice(), WORDS)))

    assert (count, shift_s) == (3, 0)
    assert [frame.stamp_ns for _, frame in frames] == list(STAMPS_NS)
    assert [log_ns for log_ns, _ in frames] == list(STAMPS_NS)
    for number, (_, frame) in enumerate(frames):
        assert np.array_equal(frame.rgb, rgb_of(number))
        assert frame.frame_id == 'camera_optical_frame'
    camera = frames[0][1].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (20.5, 21.0, 7.5, 5.5)
    assert not camera.distorted


def test_truth_comes_along(folder) -> None:
    _, bag = make(folder)

    depths, odometry = read(bag, '/truth/depth'), read(bag, '/truth/odometry')

    for number, image in enumerate(depths):
        assert (image.encoding, nanoseconds(image.header.stamp)) == ('16UC1', STAMPS_NS[number])
        seen = image.data.view('<u2').reshape(image.height, image.width)
        assert np.array_equal(seen, depth_of(number))
    pose = odometry[2].pose.pose
    assert (pose.position.x, pose.position.y, pose.position.z) == POSE[:3]
    turn = pose.orientation
    assert rotation_matrix(np.array([turn.x, turn.y, turn.z, turn.w])) == pytest.approx(
        rotation_matrix(np.array(POSE[3:])), abs=1e-12
    )
    assert odometry[2].header.frame_id == 'truth_world'


def test_a_folder_without_truth_gets_its_stamps_from_the_rate(folder) -> None:
    (folder / 'poses.txt').unlink()
    for file in (folder / 'depth').iterdir():
        file.unlink()

    (count, shift_s), bag = make(folder, rate_hz=3.0)

    stamps = [nanoseconds(x.header.stamp) for x in read(bag, '/camera/image_raw')]
    # Moved by one second: ROS reads a stamp of 0 as no time at all.
    assert (count, shift_s) == (3, 1)
    assert stamps == [1_000_000_000, 1_333_333_333, 1_666_666_667]
    assert read(bag, '/truth/depth') == []


def test_a_distorted_camera_keeps_its_distortion(folder) -> None:
    file = folder / 'intrinsics.json'
    numbers = json.loads(file.read_text())
    numbers |= {'distortion_model': 'plumb_bob', 'distortion': [0.1, 0, 0, 0, 0]}
    file.write_text(json.dumps(numbers))

    _, bag = make(folder)

    assert read(bag, '/camera/camera_info')[0].d.tolist() == [0.1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ('file', 'text', 'said'),
    [
        ('intrinsics.json', '{"width": 3}', "intrinsics.json does not hold width, .*'height'"),
        ('intrinsics.json', 'none', 'does not hold'),
        ('poses.txt', '1.0 0 0 0 0 0 0 1\n', 'has 1 lines, .* 3 images'),
        ('poses.txt', '1.0 0 0 0 0 0 0 0\n' * 3, "'0 0 0 0 0 0 0' is not tx ty tz qx qy qz qw"),
        ('poses.txt', '1.0 0 0 x 0 0 0 1\n' * 3, 'is not tx ty tz'),
        ('poses.txt', 'soon 0 0 0 0 0 0 1\n' * 3, "'soon' is not a time"),
        ('rgb/000001.png', 'x', '000001.png is not an image'),
        ('depth/000001.png', 'x', '000001.png is not an image'),
    ],
)  # fmt: skip
def test_a_spoilt_folder_is_refused_and_nothing_is_left(folder, file, text, said) -> None:
    (folder / file).write_text(text)

    with pytest.raises(InputError, match=said):
        make(folder)

    assert [path.name for path in folder.parent.iterdir()] == ['kitchen']


def test_images_of_another_size_are_refused(folder) -> None:
    cv2.imwrite(str(folder / 'rgb/000002.png'), np.zeros((12, 18, 3), np.uint8))

    with pytest.raises(InputError, match=r'000002.png is 18x12, intrinsics.json says 16x12'):
        make(folder)


def test_depth_of_eight_bits_is_refused(folder) -> None:
    cv2.imwrite(str(folder / 'depth/000002.png'), np.zeros((12, 16), np.uint8))

    with pytest.raises(InputError, match=r'000002.png is not a 16-bit image'):
        make(folder)


def test_an_empty_folder_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r'rgb holds no .jpg or .png'):
        import_folder(FolderJob(tmp_path, tmp_path / 'bag'))
