import array

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from depthsync_ros.core.camera import Camera
from depthsync_ros.core.frames import DepthFrame, StageSeconds, WindowReport
from depthsync_ros.messages import Messages, nanoseconds, quat_xyzw, rotation_matrix

STAMP_NS = 1_700_000_000_123_456_789
CAMERA = Camera(4, 3, 5.0, 6.0, 1.5, 1.0, 'plumb_bob', (0.1, 0.0, 0.0, 0.0, 0.0))
REPORT = WindowReport(
    index=2,
    first_index=32,
    frame_count=24,
    new_frames=16,
    first_stamp_ns=STAMP_NS - 5,
    last_stamp_ns=STAMP_NS,
    frame_id='cam',
    scale=1.5,
    shift=-0.25,
    disparity_shift=0.1,
    metric=False,
    seam_pixels=1234,
    seam_residual_before=float('nan'),
    seam_residual_after=0.5,
    tracks=77,
    posed_frames=15,
    pose_residual_px=0.75,
    seconds=StageSeconds(1.0, 2.0, 3.0, 4.0, 5.0),
    notes=('one', 'two'),
)


def bag_words():
    from depthsync_ros.bags.storage import BagVocabulary  # noqa: PLC0415

    return BagVocabulary()


def ros_words():
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    from depthsync_ros.ros.words import RosWords  # noqa: PLC0415

    return RosWords()


@pytest.fixture(params=[bag_words, ros_words], ids=['rosbags', 'rclpy'])
def make(request):
    return Messages(request.param())


def a_quaternion():
    numbers = st.floats(-1.0, 1.0).map(lambda x: 0.0 if abs(x) < 1e-9 else x)
    return st.tuples(numbers, numbers, numbers, numbers).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(a_quaternion())
def test_a_rotation_survives_the_way_through_a_quaternion(quaternion) -> None:
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = rotation_matrix(np.array(quaternion))

    again = quat_xyzw(world_T_cam)

    assert np.linalg.norm(again) == pytest.approx(1.0, abs=1e-12)
    # Entries are sums of products of numbers below one: some double roundings.
    assert rotation_matrix(again) == pytest.approx(world_T_cam[:3, :3], abs=1e-12)


def test_a_quarter_turn_about_z_has_its_known_quaternion() -> None:
    world_T_cam = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])

    assert quat_xyzw(world_T_cam) == pytest.approx([0.0, 0.0, 0.5**0.5, 0.5**0.5])


@pytest.mark.parametrize('stamp_ns', [0, 1, 999_999_999, 10**9, STAMP_NS])
def test_stamps_are_exact(make, stamp_ns) -> None:
    assert nanoseconds(make.time(stamp_ns)) == stamp_ns


def test_a_depth_image_carries_the_header_and_every_value(make) -> None:
    depth = np.arange(12, dtype=np.float32).reshape(3, 4)
    depth[1, 2] = np.nan
    frame = DepthFrame(0, STAMP_NS, 'cam', depth, metric=True, camera=CAMERA, world_T_cam=None)

    image = make.depth_image(frame)

    assert (image.header.frame_id, nanoseconds(image.header.stamp)) == ('cam', STAMP_NS)
    assert (image.height, image.width, image.encoding, image.step) == (3, 4, '32FC1', 16)
    assert not image.is_bigendian
    seen = np.frombuffer(bytes(image.data), '<f4').reshape(3, 4)
    assert np.array_equal(seen, depth, equal_nan=True)


def test_camera_info_describes_the_depth_image(make) -> None:
    info = make.camera_info(STAMP_NS, 'cam', CAMERA)

    assert (info.header.frame_id, nanoseconds(info.header.stamp)) == ('cam', STAMP_NS)
    assert (info.height, info.width, info.distortion_model) == (3, 4, 'plumb_bob')
    assert list(info.d) == [0.1, 0.0, 0.0, 0.0, 0.0]
    assert list(info.k) == [5.0, 0.0, 1.5, 0.0, 6.0, 1.0, 0.0, 0.0, 1.0]
    assert list(info.p) == [5.0, 0.0, 1.5, 0.0, 0.0, 6.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert (info.binning_x, info.roi.width) == (0, 0)


def motion():
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = rotation_matrix(np.array([0.1, -0.2, 0.3, 0.9]))
    world_T_cam[:3, 3] = (1.0, 2.0, -3.0)
    return world_T_cam


def read_pose(position, orientation):
    a_T_b = np.eye(4)
    a_T_b[:3, :3] = rotation_matrix(
        np.array([orientation.x, orientation.y, orientation.z, orientation.w])
    )
    a_T_b[:3, 3] = (position.x, position.y, position.z)
    return a_T_b


def test_odometry_is_the_camera_in_the_world(make) -> None:
    odometry = make.odometry(STAMP_NS, 'cam', motion())

    assert (odometry.header.frame_id, odometry.child_frame_id) == ('depthsync_world', 'cam')
    pose = odometry.pose.pose
    assert read_pose(pose.position, pose.orientation) == pytest.approx(motion(), abs=1e-12)
    assert not np.any(odometry.pose.covariance)
    assert odometry.twist.covariance[0] == -1.0


def test_the_world_is_a_child_of_the_image_frame(make) -> None:
    stamped = make.world_transform(STAMP_NS, 'cam', motion())

    assert (stamped.header.frame_id, stamped.child_frame_id) == ('cam', 'depthsync_world')
    cam_T_world = read_pose(stamped.transform.translation, stamped.transform.rotation)
    assert cam_T_world @ motion() == pytest.approx(np.eye(4), abs=1e-12)


def test_a_world_frame_of_another_name_is_used_everywhere(make) -> None:
    make = Messages(make.words, 'map_of_run')

    assert make.odometry(STAMP_NS, 'cam', motion()).header.frame_id == 'map_of_run'
    assert make.world_transform(STAMP_NS, 'cam', motion()).child_frame_id == 'map_of_run'


def test_a_window_report_carries_every_number(make, request) -> None:
    if 'rclpy' in request.node.name:
        pytest.importorskip('depthsync_ros.msg', reason='our interfaces are not built here')
    message = make.window_report(REPORT)

    assert nanoseconds(message.header.stamp) == nanoseconds(message.last_stamp) == STAMP_NS
    assert nanoseconds(message.first_stamp) == STAMP_NS - 5
    same = (
        'index', 'first_index', 'frame_count', 'new_frames', 'scale', 'shift', 'disparity_shift',
        'metric', 'unit', 'seam_pixels', 'seam_residual_after', 'tracks', 'posed_frames',
        'pose_residual_px',
    )  # fmt: skip
    for name in same:
        assert getattr(message, name) == getattr(REPORT, name), name
    assert np.isnan(message.seam_residual_before)
    assert 'not metres' in message.unit
    assert list(message.notes) == ['one', 'two']
    stages = ('encode', 'denoise', 'decode', 'align', 'pose')
    assert [getattr(message, f'{stage}_seconds') for stage in stages] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_rclpys_data_is_one_array() -> None:
    assert isinstance(ros_words().sequence(np.zeros(3, np.uint8)), array.array)
