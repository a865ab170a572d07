"""The robot's odometry, read from a bag's tf at the images' stamps."""

import numpy as np
import pytest
from synthetic import (
    camera_rows,
    FakePipeline,
    header,
    HEIGHT,
    ignore,
    log_of,
    PERIOD_NS,
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
N = 8


def tf(stamp_ns: int, parent: str, child: str, position: tuple, quat_xyzw=(0.0, 0.0, 0.0, 1.0)):
    types = STORE.types
    motion = types['geometry_msgs/msg/Transform'](
        types['geometry_msgs/msg/Vector3'](*position),
        types['geometry_msgs/msg/Quaternion'](*quat_xyzw),
    )
    stamped = types['geometry_msgs/msg/TransformStamped'](header(stamp_ns, parent), child, motion)
    return types['tf2_msgs/msg/TFMessage']([stamped])


class Listening(FakePipeline):
    """Keeps the evidence that frames came with."""

    def __init__(self) -> None:
        super().__init__()
        self.evidence = []

    def push(self, frame):
        self.evidence.append(frame.evidence)
        return super().push(frame)


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


def measured(folder, rows: list[Row], **job) -> list:
    pipeline = Listening()
    source = write_rows(folder / 'in', sorted(rows, key=lambda row: row.log_ns))
    process_bag(BagJob(source, folder / 'out', metric=DEPTH, **job), pipeline, ignore)
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
    with pytest.raises(InputError, match=r'several depth topics: /a/depth.*--depth-topic'):
        process_bag(
            BagJob(tmp_path / 'in', tmp_path / 'other', metric=DEPTH), FakePipeline(), ignore
        )


def test_a_bag_without_depth_is_refused(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(N))

    with pytest.raises(InputError, match=r'holds no depth images; metric\.source = depth reads'):
        process_bag(BagJob(source, tmp_path / 'out', metric=DEPTH), FakePipeline(), ignore)
