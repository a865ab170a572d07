from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from wall import check, Wall
from wall_folder import CAMERA, write

from depthsync_ros.bags.folder import FolderJob, import_folder
from depthsync_ros.bags.storage import BagWriter
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.bag import decode_depth, open_bag
from depthsync_ros.messages import Messages


def test_an_imported_folder_comes_back_from_the_bag(tmp_path) -> None:
    wall = Wall(CAMERA)
    write(tmp_path / 'kitchen', wall)
    (tmp_path / 'bags').mkdir()
    import_folder(FolderJob(tmp_path / 'kitchen', tmp_path / 'bags/kitchen'))

    (video,) = open_bag(tmp_path / 'bags')

    check(video, wall, step_m=0.0005)
    assert video.counts == {}


@dataclass(frozen=True)
class Recording:
    """
    A bag of the wall as a robot records it: 32FC1 depth, coarser than colour, and late.

    Messages are written in the order of writing, whatever their stamps.
    """

    late_ns: int = 8_000_000  # of depth and odometry, after the image
    coarse: int = 2
    child: str = 'camera'
    depth: bool = True
    writing: tuple[int, ...] = (0, 1, 2)

    def write(self, path, wall):
        with BagWriter(path, 'mcap') as out:
            make = Messages(out.words)
            topics = {
                '/camera/image_raw': 'sensor_msgs/msg/Image',
                '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
                '/truth/odometry': 'nav_msgs/msg/Odometry',
            } | ({'/truth/depth': 'sensor_msgs/msg/Image'} if self.depth else {})
            connections = {topic: out.add(topic, kind) for topic, kind in topics.items()}
            for log_ns, index in enumerate(self.writing):
                for topic, message in self.messages(make, wall, index).items():
                    if topic in connections:
                        out.write(connections[topic], log_ns, message)

    def messages(self, make, wall, index):
        stamp = 10**9 + 100_000_000 * index
        depth = wall.depth_m(index)[:: self.coarse, :: self.coarse].astype(np.float32)
        return {
            '/camera/image_raw': make.image(stamp, 'camera', 'rgb8', wall.rgb()),
            '/camera/camera_info': make.camera_info(stamp, 'camera', wall.camera),
            '/truth/depth': make.image(stamp + self.late_ns, 'camera', '32FC1', depth),
            '/truth/odometry': make.odometry(
                stamp + self.late_ns, 'map', self.child, wall.world_T_cam(index)
            ),
        }


def test_depth_and_poses_of_the_nearest_stamp_belong_to_an_image(tmp_path) -> None:
    wall = Wall(CAMERA)
    Recording(coarse=1, writing=(2, 0, 1)).write(tmp_path / 'run', wall)

    (video,) = open_bag(tmp_path / 'run')

    check(video, wall, step_m=0.0)
    assert [shot.stamp_ns for shot in video.shots] == [10**9, 11 * 10**8, 12 * 10**8]
    assert video.counts == {}


def test_coarser_depth_has_the_camera_of_its_own_grid(tmp_path) -> None:
    Recording().write(tmp_path / 'run', Wall(CAMERA))

    (video,) = open_bag(tmp_path / 'run')

    assert (video.camera.width, video.camera.height) == (160, 120)
    assert (video.camera.fx, video.camera.fy) == (CAMERA.fx / 2.0, CAMERA.fy / 2.0)
    assert video.read(0).frame.rgb.shape == (120, 160, 3)


def test_truth_that_comes_too_late_is_none_and_counted(tmp_path) -> None:
    Recording(late_ns=20_000_001).write(tmp_path / 'run', Wall(CAMERA))

    (video,) = open_bag(tmp_path / 'run')

    assert video.counts == {'frames without true depth': 3, 'frames without a true pose': 3}


def test_odometry_of_another_frame_and_a_bag_without_depth_are_refused(tmp_path) -> None:
    Recording(child='base_link').write(tmp_path / 'base', Wall(CAMERA))
    Recording(depth=False).write(tmp_path / 'blind', Wall(CAMERA))

    with pytest.raises(InputError, match="is of 'base_link', the images' frame is 'camera'"):
        open_bag(tmp_path / 'base')
    with pytest.raises(InputError, match='holds no depth on /truth/depth'):
        open_bag(tmp_path / 'blind')


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
        image('mono16', whole, big=big, padding=padding),
        image('32FC1', expected.astype(np.float32), big=big, padding=padding),
    ):
        assert decode_depth(message) == pytest.approx(expected, nan_ok=True)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(InputError, match="'rgb8'; known are 16UC1"):
        decode_depth(image('rgb8', np.zeros((2, 2), np.uint16)))


def test_a_folder_without_bags_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match='is no bag and holds none'):
        open_bag(tmp_path)
