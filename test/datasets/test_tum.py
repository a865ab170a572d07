import numpy as np
import pytest
from wall import check, tum_line, Wall, write_image

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.errors import InputError
from depthsync_ros.datasets.tum import associate, open_bonn, open_icl, open_tum

START_S = 1305031102
# As the datasets' pages print them.
FREIBURG1 = Camera(640, 480, 517.3, 516.5, 318.6, 255.3)
KINECTS = {
    'freiburg1': (FREIBURG1, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    'freiburg2': (
        Camera(640, 480, 520.9, 521.0, 325.1, 249.7),
        (0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
    ),
    'freiburg3': (Camera(640, 480, 535.4, 539.2, 320.1, 247.6), ()),  # rectified already
}
BONN = Camera(640, 480, 542.822841, 542.576870, 315.593520, 237.756098)
ICL = Camera(640, 480, 481.2, 480.0, 319.5, 239.5)
T_ROS = np.array([[-1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
T_M = np.array([
    [1.0157, 0.1828, -0.2389, 0.0113],
    [0.0009, -0.8431, -0.6413, -0.0098],
    [-0.3009, 0.6147, -0.8085, 0.0111],
    [0, 0, 0, 1],
])  # fmt: skip
HALF_STEP_M = 0.5 / 5000.0


def write_recorded(path, wall, published):
    colour, depth, truth = '# color images\n', '# depth maps\n', '# ground truth trajectory\n'
    for index in range(wall.frames):
        # colour at 30 Hz; depth 8 ms later; poses at 100 Hz, the nearest 3 ms before colour
        time = START_S + 0.0333 * index
        write_image(path / f'rgb/{time:.6f}.png', wall.rgb())
        write_image(path / f'depth/{time + 0.008:.6f}.png', wall.steps(index, 5000.0))
        colour += f'{time:.6f} rgb/{time:.6f}.png\n'
        depth += f'{time + 0.008:.6f} depth/{time + 0.008:.6f}.png\n'
        truth += tum_line(f'{time - 0.003:.4f}', published(wall.world_T_cam(index)))
    (path / 'rgb.txt').write_text(colour)
    (path / 'depth.txt').write_text(depth)
    (path / 'groundtruth.txt').write_text(truth)


@pytest.mark.parametrize('kinect', KINECTS)
def test_tum_depth_is_5000_a_metre_and_poses_are_of_the_optical_frame(tmp_path, kinect) -> None:
    camera, distortion = KINECTS[kinect]
    wall = Wall(camera)
    write_recorded(tmp_path / f'rgbd_dataset_{kinect}_desk', wall, lambda pose: pose)

    (video,) = open_tum(tmp_path)

    check(video, wall, step_m=HALF_STEP_M)
    assert video.view.distortion == distortion
    assert video.view.distortion_model == ('plumb_bob' if distortion else 'none')
    assert video.shots[1].stamp_ns - video.shots[0].stamp_ns == pytest.approx(33_300_000, abs=500)


def test_tum_images_without_depth_are_skipped_and_counted(tmp_path) -> None:
    path = tmp_path / 'rgbd_dataset_freiburg3_walking'
    write_recorded(path, Wall(FREIBURG1), lambda pose: pose)
    with (path / 'rgb.txt').open('a') as stream:
        for after in (0.5, 0.6):
            stream.write(f'{START_S + after:.6f} rgb/later.png\n')
    with (path / 'depth.txt').open('a') as stream:
        stream.write(f'{START_S + 0.521:.6f} depth/too_late.png\n')

    (video,) = open_tum(path)

    assert len(video) == 3
    assert video.counts == {'colour images without depth within 20 ms': 2}


def test_tum_depth_and_pose_are_those_nearest_to_the_colour_image_itself(tmp_path) -> None:
    # Poses at 100 Hz, each of another place; depth is 8 ms after colour, a pose nearer to it.
    path = tmp_path / 'rgbd_dataset_freiburg1_desk'
    write_recorded(path, Wall(FREIBURG1), lambda pose: pose)
    lines = ''
    for step in range(12):
        pose = np.eye(4)
        pose[0, 3] = step
        lines += tum_line(f'{START_S + 0.01 * step:.4f}', pose)
    (path / 'groundtruth.txt').write_text(lines)

    (video,) = open_tum(tmp_path)

    assert [shot.world_T_cam[0, 3] for shot in video.shots] == [0.0, 3.0, 7.0]


@pytest.mark.parametrize(
    ('file', 'text', 'said'),
    [
        ('depth.txt', None, r'depth.txt is missing'),
        ('rgb.txt', 'no numbers here\n', "a line is not 'seconds file'"),
        ('depth.txt', '1.5\n', "a line is not 'seconds file'"),
        ('groundtruth.txt', None, r'groundtruth.txt is missing'),
        ('groundtruth.txt', '1.5 0 0 0\n', '4 columns; a trajectory has 8'),
    ],
)
def test_lists_that_are_missing_or_damaged_are_named(tmp_path, file, text, said) -> None:
    path = tmp_path / 'rgbd_dataset_freiburg1_desk'
    write_recorded(path, Wall(FREIBURG1, frames=1), lambda pose: pose)
    (path / file).unlink()
    if text:
        (path / file).write_text(text)

    with pytest.raises(InputError, match=said):
        open_tum(tmp_path)


def test_depth_that_is_listed_and_not_there_is_named(tmp_path) -> None:
    path = tmp_path / 'rgbd_dataset_freiburg1_desk'
    write_recorded(path, Wall(FREIBURG1, frames=1), lambda pose: pose)
    next((path / 'depth').iterdir()).unlink()
    (video,) = open_tum(tmp_path)

    with pytest.raises(InputError, match=r'depth/\S+.png is missing, or not an image'):
        video.read(0)


def test_tum_frames_without_a_pose_are_kept_and_counted(tmp_path) -> None:
    path = tmp_path / 'rgbd_dataset_freiburg2_xyz'
    write_recorded(path, Wall(FREIBURG1), lambda pose: pose)
    lines = (path / 'groundtruth.txt').read_text().splitlines(keepends=True)
    (path / 'groundtruth.txt').write_text(''.join(lines[:-1]))

    (video,) = open_tum(path)

    assert video.read(2).world_T_cam is None
    assert video.counts == {'frames without a true pose': 1}


def test_a_folder_that_does_not_name_its_kinect_is_refused(tmp_path) -> None:
    write_recorded(tmp_path / 'desk', Wall(FREIBURG1), lambda pose: pose)

    with pytest.raises(InputError, match='must keep its name'):
        open_tum(tmp_path)


def test_association_takes_the_nearest_and_each_only_once() -> None:
    first, second = np.array([0.0, 0.010, 0.5]), np.array([0.009, 0.9])

    assert associate(first, second, 0.02) == [(1, 0)]
    # 3 ms before beats 4 ms after, whatever the order
    assert associate(np.array([0.0, 0.007]), np.array([0.003, 0.1]), 0.02) == [(0, 0)]
    assert associate(np.array([0.0, 0.007]), np.array([0.004, 0.1]), 0.02) == [(1, 0)]


def test_bonn_poses_are_taken_from_the_marker_to_the_optical_frame(tmp_path) -> None:
    # The page: the sensor's pose is T_ros^-1 T T_ros T_m. T_m as printed has a scale of 1.06.
    left, _, right = np.linalg.svd(T_M[:3, :3])
    marker = T_M.copy()
    marker[:3, :3] = left @ right
    wall = Wall(BONN)
    published = lambda pose: T_ROS @ pose @ np.linalg.inv(marker) @ np.linalg.inv(T_ROS)  # noqa: E731
    write_recorded(tmp_path / 'rgbd_bonn_balloon', rotated(wall, published), published)

    (video,) = open_bonn(tmp_path)

    check(video, wall, step_m=HALF_STEP_M)
    assert video.shots[1].world_T_cam == pytest.approx(wall.world_T_cam(1), abs=1e-6)
    assert video.view.distortion == (0.039903, -0.099343, -0.000730, -0.000144, 0.0)
    assert video.view.distortion_model == 'plumb_bob'


def rotated(wall, published):
    """Say that the quaternion of wall.py is enough: the published rotations are not half turns."""
    for index in range(wall.frames):
        assert np.trace(published(wall.world_T_cam(index))[:3, :3]) > -0.9
    return wall


def write_rendered(path, wall):
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    associations, truth = '', ''
    for index in range(wall.frames):
        write_image(path / f'rgb/{index}.png', wall.rgb())
        write_image(path / f'depth/{index}.png', wall.steps(index, 5000.0))
        associations += f'{index} depth/{index}.png {index} rgb/{index}.png\n'
        truth += tum_line(str(index), mirror @ wall.world_T_cam(index) @ mirror)  # y up
    (path / 'associations.txt').write_text(associations)
    (path / 'livingRoom2.gt.freiburg').write_text(truth)


def test_icl_poses_are_reflected_into_the_optical_frame(tmp_path) -> None:
    wall = Wall(ICL)
    write_rendered(tmp_path / 'living_room_traj2_frei_png', wall)

    (video,) = open_icl(tmp_path)

    check(video, wall, step_m=HALF_STEP_M)
    assert video.shots[1].world_T_cam == pytest.approx(wall.world_T_cam(1), abs=1e-6)
    assert [shot.stamp_ns for shot in video.shots] == [0, 33_333_333, 66_666_666]  # 30 Hz


def test_an_icl_line_of_another_form_is_refused(tmp_path) -> None:
    write_rendered(tmp_path / 'traj0', Wall(ICL, frames=1))
    (tmp_path / 'traj0/associations.txt').write_text('0 depth/0.png\n')

    with pytest.raises(InputError, match="a line is 'frame depth frame rgb'"):
        open_icl(tmp_path)


def test_icl_without_its_trajectory_is_refused(tmp_path) -> None:
    write_rendered(tmp_path / 'traj0', Wall(ICL))
    (tmp_path / 'traj0/livingRoom2.gt.freiburg').unlink()

    with pytest.raises(InputError, match=r'0 files \*.gt.freiburg'):
        open_icl(tmp_path)
