"""The robot's odometry, read from a bag's tf at the images' stamps."""

import numpy as np
import pytest
from synthetic import (
    camera_rows,
    FakePipeline,
    header,
    ignore,
    log_of,
    PERIOD_NS,
    Row,
    stamp_of,
    STORE,
    write_rows,
)

from depthsync_ros.bags.process import BagJob, process_bag
from depthsync_ros.bags.transforms import LookupFailure, TransformBuffer
from depthsync_ros.core.errors import InputError
from depthsync_ros.core.settings import MetricSettings

ODOMETRY = MetricSettings(source='odometry')
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
