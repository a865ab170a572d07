"""What a bag tells of metres: odometry, depth images and point clouds at the images' stamps."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import (
    camera_rows,
    FakePipeline,
    header,
    HEIGHT,
    ignore,
    Listening,
    log_of,
    PERIOD_NS,
    point_cloud,
    Row,
    stamp_of,
    STORE,
    WIDTH,
    write_rows,
)

from depthsync_ros.bags.process import BagJob, process_bag
from depthsync_ros.bags.transforms import LookupFailure, TransformBuffer
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.settings import MetricSettings

ODOMETRY = MetricSettings(source='odometry')
DEPTH = MetricSettings(source='depth')
POINTS = MetricSettings(source='points')
N = 8


def tf(stamp_ns: int, parent: str, child: str, position: tuple, quat_xyzw=(0.0, 0.0, 0.0, 1.0)):
    types = STORE.types
    motion = types['geometry_msgs/msg/Transform'](
        types['geometry_msgs/msg/Vector3'](*position),
        types['geometry_msgs/msg/Quaternion'](*quat_xyzw),
    )
    stamped = types['geometry_msgs/msg/TransformStamped'](header(stamp_ns, parent), child, motion)
    return types['tf2_msgs/msg/TFMessage']([stamped])


def robot_bag(folder, *, missing: int | None = None):
    """Odometry halfway between the images, recorded 50 ms late; the camera 0.3 m above base."""
    rows = camera_rows(N)
    rows.append(Row('/tf_static', log_of(0), tf(0, 'base', 'cam_optical', (0.1, 0.0, 0.3))))
    for number in range(-1, N + 1):
        stamp_ns = stamp_of(number) + PERIOD_NS // 2
        if number == missing:
            continue
        message = tf(stamp_ns, 'odom', 'base', (number + 0.5, 0.0, 0.0))
        rows.append(Row('/tf', stamp_ns + 50_000_000, message))
    rows.sort(key=lambda row: row.log_ns)
    return write_rows(folder / 'in', rows)


def test_the_camera_is_looked_up_through_base_between_two_odometry_messages(tmp_path) -> None:
    pipeline = Listening()

    process_bag(BagJob(robot_bag(tmp_path), tmp_path / 'out', metric=ODOMETRY), pipeline, ignore)

    assert len(pipeline.evidence) == N
    for number, evidence in enumerate(pipeline.evidence):
        # PERIOD_NS is odd: half of it is cut by half a nanosecond, of a metre in 33 ms.
        expected = (number + 0.1, 0.0, 0.3)
        np.testing.assert_allclose(evidence.odom_T_cam[:3, 3], expected, atol=1e-6)


def test_a_frame_that_tf_does_not_reach_has_no_evidence_and_says_why(tmp_path) -> None:
    pipeline = Listening()
    settings = MetricSettings(source='odometry', odom_frame='wheel_odom')

    process_bag(BagJob(robot_bag(tmp_path), tmp_path / 'out', metric=settings), pipeline, ignore)

    assert {one.odom_T_cam is None for one in pipeline.evidence} == {True}
    assert {one.missing for one in pipeline.evidence} == {
        "tf does not connect 'cam_optical' with 'wheel_odom'"
    }


def test_nothing_is_extrapolated() -> None:
    buffer = TransformBuffer()
    buffer.add(tf(100, 'odom', 'base', (1.0, 0.0, 0.0)), static=False)
    buffer.add(tf(200, 'odom', 'base', (2.0, 0.0, 0.0)), static=False)

    for stamp_ns in (99, 201):
        with pytest.raises(LookupFailure, match='only before or only after'):
            buffer.look_up('odom', 'base', stamp_ns)
    assert buffer.look_up('base', 'odom', 150)[0, 3] == pytest.approx(-1.5)


def test_a_bag_without_tf_is_refused(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(N))

    with pytest.raises(InputError, match=r'holds no /tf, which metric\.source = odometry reads'):
        process_bag(BagJob(source, tmp_path / 'out', metric=ODOMETRY), FakePipeline(), ignore)


def depth_image(stamp_ns: int, depth: np.ndarray, encoding: str):
    data = np.ascontiguousarray(depth)
    return STORE.types['sensor_msgs/msg/Image'](
        header(stamp_ns), *depth.shape, encoding, 0, data.strides[0], data.reshape(-1).view('u1')
    )


def depth_rows(topic: str, encoding: str = '16UC1', skew_ns: int = 0) -> list[Row]:
    rows = []
    for number in range(N):
        depth = np.zeros((HEIGHT, WIDTH), '<u2' if encoding == '16UC1' else '<f4')
        depth[1, 2] = 1000 + number if encoding == '16UC1' else 1.0 + 1e-3 * number
        message = depth_image(stamp_of(number) + skew_ns, depth, encoding)
        rows.append(Row(topic, log_of(number) + 50_000_000, message))
    return rows


def measured(folder, rows: list[Row], metric: MetricSettings = DEPTH, **job) -> list:
    pipeline = Listening()
    source = write_rows(folder / 'in', sorted(rows, key=lambda row: row.log_ns))
    process_bag(BagJob(source, folder / 'out', metric=metric, **job), pipeline, ignore)
    return pipeline.evidence


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_is_found_by_type_and_by_the_nearest_stamp(tmp_path, encoding) -> None:
    rows = camera_rows(N) + depth_rows('/depth/image', encoding, skew_ns=5_000_000)

    evidence = measured(tmp_path, rows)

    assert len(evidence) == N
    for number, one in enumerate(evidence):
        assert one.depth.pixels.tolist() == [[2.0, 1.0]]
        assert one.depth.depth_m == pytest.approx([1.0 + 1e-3 * number])
        assert one.depth.size == (WIDTH, HEIGHT)


def test_depth_that_is_not_of_the_image_s_time_is_missing(tmp_path) -> None:
    rows = camera_rows(N) + depth_rows('/depth/image', skew_ns=10_000_000_000)

    evidence = measured(tmp_path, rows)

    assert [one.depth for one in evidence] == [None] * N
    assert evidence[0].missing == '/depth/image has none of nearly its stamp'


def test_of_several_depth_topics_one_is_named(tmp_path) -> None:
    rows = camera_rows(N) + depth_rows('/a/depth') + depth_rows('/b/depth')

    assert measured(tmp_path, rows, depth_topic='/b/depth')[0].depth is not None
    with pytest.raises(
        InputError, match=r'several topics of depth images: /a/depth.*--depth-topic'
    ):
        process_bag(
            BagJob(tmp_path / 'in', tmp_path / 'other', metric=DEPTH), FakePipeline(), ignore
        )


def test_a_bag_without_depth_is_refused(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(N))

    with pytest.raises(InputError, match=r'holds no depth images; metric\.source = depth reads'):
        process_bag(BagJob(source, tmp_path / 'out', metric=DEPTH), FakePipeline(), ignore)


def test_depth_of_our_own_is_no_measurement(tmp_path) -> None:
    rows = camera_rows(N) + depth_rows('/depthsync/depth')
    job = BagJob(write_rows(tmp_path / 'in', rows), tmp_path / 'out', metric=DEPTH)

    for named in ('', '/depthsync/depth'):
        with pytest.raises(InputError, match='depth'):
            process_bag(replace(job, results_only=True, depth_topic=named), FakePipeline(), ignore)


# The camera, fx 20 and centre (7.5, 5.5), looks along the lidar's x from 0.5 m before it.
LIDAR_T_CAM = ((0.5, 0.0, 0.0), (-0.5, 0.5, -0.5, 0.5))


def lidar_rows(topic: str = '/lidar', *, skew_ns: int = 0, frame_id: str = 'lidar') -> list[Row]:
    """Give clouds with a point on the axis, a metre farther in every frame, and one behind."""
    rows = []
    for number in range(N):
        points = np.array([[number + 2.5, 0.0, 0.0], [-3.0, 0.0, 0.0], [np.nan, 0.0, 0.0]])
        message = point_cloud(stamp_of(number) + skew_ns, points, frame_id)
        rows.append(Row(topic, log_of(number) + 50_000_000, message))
    return rows


def static_row() -> Row:
    return Row('/tf_static', log_of(0), tf(0, 'lidar', 'cam_optical', *LIDAR_T_CAM))


def test_points_are_found_by_type_and_placed_by_tf(tmp_path) -> None:
    rows = [*camera_rows(N), *lidar_rows(skew_ns=5_000_000), static_row()]

    evidence = measured(tmp_path, rows, POINTS)

    assert len(evidence) == N
    for number, one in enumerate(evidence):
        assert one.depth.pixels == pytest.approx(np.array([[7.5, 5.5]]))
        assert one.depth.depth_m == pytest.approx([number + 2.0])
        assert one.depth.size == (WIDTH, HEIGHT)


def test_points_are_placed_where_they_were_at_their_own_stamp(tmp_path) -> None:
    # The camera moves on a rail: at the stamp of image k it is k metres before the lidar.
    skew_ns = PERIOD_NS // 5
    rows = [*camera_rows(N), *lidar_rows(skew_ns=skew_ns)]
    for number in range(-1, N + 2):
        place = tf(stamp_of(number), 'lidar', 'cam_optical', (number, 0.0, 0.0), LIDAR_T_CAM[1])
        rows.append(Row('/tf', log_of(number) + 60_000_000, place))

    evidence = measured(tmp_path, rows, POINTS)

    for one in evidence:
        # k + 2.5 m from the lidar, less k and a fifth; the share of the period is rounded.
        assert one.depth.depth_m == pytest.approx([2.3], abs=1e-6)


def test_points_in_the_cameras_own_frame_need_no_tf(tmp_path) -> None:
    rows = camera_rows(N)
    for number in range(N):
        message = point_cloud(stamp_of(number), np.array([[0.1, 0.0, 2.0]]), 'cam_optical')
        rows.append(Row('/points', log_of(number), message))

    evidence = measured(tmp_path, rows, POINTS)

    for one in evidence:
        assert one.depth.pixels == pytest.approx(np.array([[8.5, 5.5]]))


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({}, "tf does not connect 'lidar' with 'cam_optical'"),
        ({'frame_id': ''}, "tf cannot connect '' with 'cam_optical': frames have names"),
        ({'skew_ns': 10**10}, '/lidar has none of nearly its stamp'),
    ],
)
def test_points_that_cannot_be_placed_are_missing_and_say_why(tmp_path, changes, said) -> None:
    evidence = measured(tmp_path, camera_rows(N) + lidar_rows(**changes), POINTS)

    assert [one.depth for one in evidence] == [None] * N
    assert {one.missing for one in evidence} == {said}


def test_two_frames_without_a_name_are_not_the_same(tmp_path) -> None:
    rows = camera_rows(N, frame_id='') + lidar_rows(frame_id='')

    evidence = measured(tmp_path, rows, POINTS)

    assert {one.missing for one in evidence} == {"tf cannot connect '' with '': frames have names"}


def test_of_several_clouds_one_is_named(tmp_path) -> None:
    nowhere = lidar_rows('/a', frame_id='nowhere')
    rows = [*camera_rows(N), *nowhere, *lidar_rows('/b'), static_row()]

    assert measured(tmp_path, rows, POINTS, depth_topic='/b')[0].depth is not None
    job = BagJob(tmp_path / 'in', tmp_path / 'other', metric=POINTS)
    with pytest.raises(InputError, match=r'several topics of point clouds: /a.*--depth-topic'):
        process_bag(job, FakePipeline(), ignore)


def test_a_bag_without_clouds_is_refused(tmp_path) -> None:
    job = BagJob(write_rows(tmp_path / 'in', camera_rows(N)), tmp_path / 'out', metric=POINTS)

    with pytest.raises(InputError, match=r'holds no point clouds; metric\.source = points reads'):
        process_bag(job, FakePipeline(), ignore)


def test_a_malformed_cloud_is_refused_by_topic_and_stamp(tmp_path) -> None:
    rows = [*camera_rows(N), *lidar_rows(), static_row()]
    broken = point_cloud(stamp_of(3), np.zeros((2, 3)), 'lidar')
    broken.width = 3
    rows.append(Row('/lidar', log_of(3), broken))

    with pytest.raises(InputError, match=rf'/lidar, stamped {stamp_of(3)}: point cloud 3x1'):
        measured(tmp_path, rows, POINTS)
