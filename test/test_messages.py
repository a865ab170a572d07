import array
import struct

import cv2
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


RGB = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def depth_frame(depth: np.ndarray, *, metric: bool = True) -> DepthFrame:
    return DepthFrame(
        1, 0, STAMP_NS, 'cam', depth, metric, CAMERA, None, np.full((6, 6), np.nan), RGB
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

    image = make.depth_image(depth_frame(depth))

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


def test_odometry_is_the_child_in_the_parent(make) -> None:
    odometry = make.odometry(STAMP_NS, 'world', 'cam', motion(), np.arange(36.0).reshape(6, 6))

    assert (odometry.header.frame_id, odometry.child_frame_id) == ('world', 'cam')
    pose = odometry.pose.pose
    assert read_pose(pose.position, pose.orientation) == pytest.approx(motion(), abs=1e-12)
    assert list(odometry.pose.covariance) == list(range(36))
    assert odometry.twist.covariance[0] == -1.0


def test_an_unknown_covariance_is_no_certainty(make) -> None:
    odometry = make.odometry(STAMP_NS, 'world', 'cam', motion())

    assert list(odometry.pose.covariance) == [-1.0] + [0.0] * 35


def test_a_transform_is_the_child_in_the_parent(make) -> None:
    stamped = make.transform(STAMP_NS, 'cam', 'world', motion())

    assert (stamped.header.frame_id, stamped.child_frame_id) == ('cam', 'world')
    cam_T_world = read_pose(stamped.transform.translation, stamped.transform.rotation)
    assert cam_T_world == pytest.approx(motion(), abs=1e-12)


def test_a_path_is_stamped_as_its_last_pose(make) -> None:
    path = make.path('world', (STAMP_NS - 5, STAMP_NS), (np.eye(4), motion()))

    assert (path.header.frame_id, nanoseconds(path.header.stamp)) == ('world', STAMP_NS)
    assert [nanoseconds(pose.header.stamp) for pose in path.poses] == [STAMP_NS - 5, STAMP_NS]
    last = path.poses[1].pose
    assert read_pose(last.position, last.orientation) == pytest.approx(motion(), abs=1e-12)


def test_millimetres_are_rounded_and_zero_where_unknown(make) -> None:
    depth = np.full((3, 4), 1.2346, np.float32)
    depth[0] = (np.nan, 65.5354, 65.5356, 0.0004)

    image = make.depth_image(depth_frame(depth), '16UC1')

    assert (image.encoding, image.step) == ('16UC1', 8)
    seen = np.frombuffer(bytes(image.data), '<u2').reshape(3, 4)
    assert seen[0].tolist() == [0, 65535, 0, 0]
    assert set(seen[1:].flat) == {1235}


def test_depth_that_is_not_metric_has_no_millimetres(make) -> None:
    frame = depth_frame(np.ones((3, 4), np.float32), metric=False)

    assert not any(bytes(make.depth_image(frame, '16UC1').data))


def decompressed(message) -> np.ndarray:
    """Read compressedDepth as image_transport's subscriber does."""
    data = bytes(message.data)
    _, a, b = struct.unpack('<iff', data[:12])
    values = cv2.imdecode(np.frombuffer(data[12:], np.uint8), cv2.IMREAD_UNCHANGED)
    if message.format.startswith('16UC1'):
        return values
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.float32(a) / (values.astype(np.float32) - np.float32(b))
    return np.where(values == 0, np.nan, depth)


@pytest.mark.parametrize(('near', 'far'), [(0.3, 90.0), (2.0, 2.0001), (1.0, 1.0), (3e-3, 0.4)])
def test_compressed_float_depth_comes_back_whatever_its_unit(make, near, far) -> None:
    depth = np.linspace(near, far, 12, dtype=np.float32).reshape(3, 4)
    depth[1, 2] = np.nan

    message = make.compressed_depth(depth_frame(depth))
    again = decompressed(message)

    assert message.format == '32FC1; compressedDepth png'
    assert np.isnan(again[1, 2])
    known = np.isfinite(depth)
    assert np.isfinite(again[known]).all()
    # Half a step of 65534 in inverse depth; float32 in the decoder adds some roundings.
    allowed = depth / near / 131068.0 + 1e-6
    assert (np.abs(again / depth - 1.0)[known] <= allowed[known]).all()


def test_compressed_millimetres_come_back_exactly(make) -> None:
    depth = np.linspace(0.2, 9.0, 12, dtype=np.float32).reshape(3, 4)
    depth[0, 0] = np.nan

    message = make.compressed_depth(depth_frame(depth), '16UC1')

    assert message.format == '16UC1; compressedDepth png'
    plain = make.depth_image(depth_frame(depth), '16UC1')
    assert decompressed(message).tobytes() == bytes(plain.data)


def test_nothing_known_compresses_to_nothing_known(make) -> None:
    message = make.compressed_depth(depth_frame(np.full((3, 4), np.nan, np.float32)))

    assert np.isnan(decompressed(message)).all()


def test_confidence_is_an_image_beside_the_depth(make) -> None:
    depth = np.full((3, 4), 2.0, np.float32)
    depth[2, 1] = np.nan

    message = make.confidence_image(depth_frame(depth))

    confidence = np.frombuffer(bytes(message.data), '<f4').reshape(3, 4)
    assert (message.encoding, message.height, message.width) == ('32FC1', 3, 4)
    assert message.header == make.depth_image(depth_frame(depth)).header
    assert np.isnan(confidence[2, 1])
    assert (confidence[np.isfinite(depth)] == 1.0).all()


def test_a_point_cloud_is_organised_and_projects_back_onto_its_pixels(make) -> None:
    depth = np.linspace(1.0, 2.0, 12, dtype=np.float32).reshape(3, 4)
    depth[2, 1] = np.nan

    cloud = make.point_cloud(depth_frame(depth))

    assert (cloud.height, cloud.width, cloud.is_dense) == (3, 4, False)
    assert (cloud.row_step, len(cloud.data)) == (4 * cloud.point_step, 12 * cloud.point_step)
    assert [(f.name, f.offset, f.datatype) for f in cloud.fields] == [
        ('x', 0, 7), ('y', 4, 7), ('z', 8, 7), ('rgb', 12, 7)
    ]  # fmt: skip
    raw = np.frombuffer(bytes(cloud.data), np.uint8).reshape(3, 4, 16)
    xyz = raw[..., :12].copy().view('<f4')
    assert np.isnan(xyz[2, 1]).all()
    pixels, _ = cv2.projectPoints(
        xyz[0].astype(np.float64), np.zeros(3), np.zeros(3),
        np.array([[5.0, 0, 1.5], [0, 6.0, 1.0], [0, 0, 1]]), np.array(CAMERA.distortion),
    )  # fmt: skip
    assert pixels[:, 0] == pytest.approx(np.array([[0, 0], [1, 0], [2, 0], [3, 0]]), abs=1e-4)
    assert raw[..., 12:15].tolist() == RGB[..., ::-1].tolist(), 'blue is the lowest byte'


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
