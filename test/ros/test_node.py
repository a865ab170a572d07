"""The node in a process of its own, over real DDS."""

from itertools import pairwise
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from fakes import BROKEN, BUG_AT_CALL, FakeBackbone, LENGTH, SECONDS_A_CALL
import numpy as np
import pytest

from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.messages import rotation_matrix
from depthsync_ros.ros.convert import Arrival, frame

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

from robot import camera_info, FRAME_ID, image, NodeProcess, Robot, stamp_ns, stamps_of, wait_until

WORLD = 'depthsync_world'


def in_as_out_and_dropped(robot: Robot) -> tuple[int, int]:
    """Give both sides of the account once nothing waits any more."""
    robot.wait_for_value('waiting', 0)
    values = robot.values()
    return int(values['images received']), int(values['published']) + int(values['dropped'])


# ---- frames through -----------------------------------------------------------------------------


def test_every_frame_leaves_once_in_order_with_its_own_stamp(node, robot: Robot) -> None:
    robot.play(range(40))
    answer = robot.flush_all(40)
    wait_until(lambda: len(robot.received.depth) == 40)

    sent = [stamp_ns(number) for number in range(40)]
    assert answer.success, answer.message
    assert answer.message == '40 images in, 40 published, 0 dropped, 0 waiting'
    assert stamps_of(robot.received.depth) == sent
    assert stamps_of(robot.received.infos) == sent
    assert {depth.header.frame_id for depth in robot.received.depth} == {FRAME_ID}


def test_depth_is_the_pipelines_bit_for_bit(node, robot: Robot) -> None:
    pipeline = Pipeline(FakeBackbone(), DepthSyncSettings())
    expected = []
    for number in range(15):
        arrival = Arrival(image(number), camera_info(number), 0.0)
        expected += pipeline.push(frame(arrival, rectified=False)).frames
    expected += pipeline.flush().frames

    robot.play(range(15))
    robot.flush_all(15)
    wait_until(lambda: len(robot.received.depth) == 15)

    for depth, ours in zip(robot.received.depth, expected, strict=True):
        assert (depth.encoding, depth.height, depth.width) == ('32FC1', *ours.depth.shape)
        assert depth.data.tobytes() == ours.depth.astype('<f4').tobytes()


def test_reports_tell_of_every_frame(node, robot: Robot) -> None:
    robot.play(range(40))
    robot.flush_all(40)
    reports = robot.received.reports
    wait_until(lambda: sum(report.new_frames for report in reports) == 40)

    assert [report.index for report in reports] == list(range(len(reports)))
    assert not any(report.metric for report in reports)


def test_world_is_a_child_of_the_images_frame(node, robot: Robot) -> None:
    robot.play(range(20))
    robot.flush_all(20)
    wait_until(lambda: len(robot.received.depth) == 20)
    odometry = robot.received.odometry
    wait_until(lambda: len(transforms_of(robot)) == len(odometry) > 0)
    transforms = transforms_of(robot)

    assert {t.header.frame_id for t in transforms} == {FRAME_ID}
    assert {t.child_frame_id for t in transforms} == {WORLD}
    assert {(o.header.frame_id, o.child_frame_id) for o in odometry} == {(WORLD, FRAME_ID)}
    for transform, pose in zip(transforms, (o.pose.pose for o in odometry), strict=True):
        cam_R_world = rotation_matrix(xyzw(transform.transform.rotation))
        world_R_cam = rotation_matrix(xyzw(pose.orientation))
        cam_t_world = xyz(transform.transform.translation)
        # Inverses of each other, to the rounding of double arithmetic.
        np.testing.assert_allclose(cam_R_world @ world_R_cam, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(
            cam_R_world @ xyz(pose.position) + cam_t_world, np.zeros(3), atol=1e-9
        )


def transforms_of(robot: Robot) -> list:
    return [transform for tf in robot.received.transforms for transform in tf.transforms]


def test_a_bad_image_is_counted_and_the_node_lives(node, robot: Robot) -> None:
    robot.play(range(7))
    robot.play([7], encoding='nonsense')
    robot.play([8], height=47)
    robot.play([9], width=0)
    robot.play(range(10, 16))
    robot.flush_all(16)
    wait_until(lambda: len(robot.received.depth) == 13)

    robot.wait_for_value('dropped: refused input', 3)
    assert in_as_out_and_dropped(robot) == (16, 16)


def test_an_image_without_camera_info_is_counted(node, robot: Robot) -> None:
    robot.play(range(7))
    robot.publish_image_alone(7)
    robot.wait_for_value('images received', 8)
    robot.wait_for_value('matched', 7)
    robot.change('deactivate')

    robot.wait_for_value('dropped: no camera_info with its stamp', 1)
    assert in_as_out_and_dropped(robot) == (8, 8)
    robot.change('activate')


def test_a_bag_that_starts_again_starts_a_new_run(node, robot: Robot) -> None:
    robot.play(range(1000, 1000 + LENGTH + 1))
    robot.play(range(10))
    robot.flush_all(LENGTH + 11)

    wait_until(lambda: stamps_of(robot.received.depth)[-10:] == [stamp_ns(n) for n in range(10)])
    robot.wait_for_value('runs', 2)
    assert robot.values()['dropped'] == '0'
    assert in_as_out_and_dropped(robot) == (LENGTH + 11, LENGTH + 11)


# ---- commands -----------------------------------------------------------------------------------


def test_flush_finishes_a_partial_window_and_the_run_goes_on(node, robot: Robot) -> None:
    robot.play(range(3))
    robot.flush_all(3)
    wait_until(lambda: len(robot.received.depth) == 3)

    robot.play(range(3, 20))
    robot.flush_all(20)

    wait_until(lambda: len(robot.received.depth) == 20)
    assert stamps_of(robot.received.depth) == [stamp_ns(number) for number in range(20)]


def test_reset_drops_what_waits_and_starts_a_new_run(node, robot: Robot) -> None:
    robot.play(range(4))
    robot.wait_for_value('matched', 4)
    answer = robot.trigger('reset')
    robot.play(range(4, 12))
    robot.flush_all(12)

    assert answer.success
    assert '4 dropped (4 reset)' in answer.message
    wait_until(lambda: stamps_of(robot.received.depth) == [stamp_ns(n) for n in range(4, 12)])
    wait_until(lambda: robot.received.reports)
    assert robot.received.reports[0].index == 0


def test_commands_are_refused_while_inactive(node, robot: Robot) -> None:
    robot.change('deactivate')

    answer = robot.trigger('flush')

    assert not answer.success
    assert answer.message == 'the node is not active'
    robot.change('activate')


# ---- lifecycle ----------------------------------------------------------------------------------


def test_every_transition_any_number_of_times_leaks_no_thread(node, robot: Robot) -> None:
    rounds = 8
    counts = []
    for _ in range(rounds):
        robot.play(range(LENGTH + 2))
        robot.change('deactivate', 'activate', 'deactivate', 'cleanup', 'configure', 'activate')
        counts.append(threads(node))

    # Two activations a round: a leak is two threads a round. Executor and middleware start some
    # of theirs late, when they are first needed.
    assert counts[-1] - counts[1] < rounds - 2, counts
    assert robot.state() == 'active'


def test_illegal_transitions_are_answered(node, robot: Robot) -> None:
    assert not robot.try_change('configure')
    assert not robot.try_change('cleanup')
    assert robot.state() == 'active'


def test_a_parameter_change_is_refused_with_the_reason(node, robot: Robot) -> None:
    accepted, reason = robot.set_parameter('window.length', 12)

    assert not accepted
    assert 'read-only' in reason


LINEAR = {'depth.upsampling': 'linear'}


def test_a_live_parameter_takes_effect_at_the_next_window(node, robot: Robot) -> None:
    pipeline = Pipeline(FakeBackbone(), DepthSyncSettings())
    expected = []
    for number in range(2 * LENGTH):
        if number == LENGTH + 1:  # the first window is done, the second is not full
            pipeline.settings = with_values(pipeline.settings, LINEAR)
        arrival = Arrival(image(number), camera_info(number), 0.0)
        expected += pipeline.push(frame(arrival, rectified=False)).frames
    expected += pipeline.flush().frames

    robot.play(range(LENGTH + 1))
    robot.wait_for_value('accepted', LENGTH + 1)
    for name, value in LINEAR.items():
        assert robot.set_parameter(name, value) == (True, '')
    robot.play(range(LENGTH + 1, 2 * LENGTH))
    robot.flush_all(2 * LENGTH)
    wait_until(lambda: len(robot.received.depth) == 2 * LENGTH)
    robot.set_parameter('depth.upsampling', 'guided')  # the node is shared

    for depth, ours in zip(robot.received.depth, expected, strict=True):
        assert depth.data.tobytes() == ours.depth.astype('<f4').tobytes()


@pytest.mark.parametrize(
    ('overload', 'reason'), [('drop_oldest', 'queue full'), ('stride', 'left out to keep up')]
)
def test_frames_add_up_under_overload_and_an_interrupt_ends_cleanly(
    start_node, robot, overload, reason
) -> None:
    # Overload of the node is the point, so the way to it loses nothing.
    lossless = {'input.reliability': 'reliable', 'input.history': '1000'}
    slow = {SECONDS_A_CALL: '0.2'}
    chosen = {'input.queue_frames': '8', 'input.overload': overload}
    node = active(start_node(f'slow_{overload}', slow, **lossless, **chosen), robot)
    robot.play(range(150))
    robot.wait_for_value('matched', 150)
    robot.change('deactivate')
    robot.wait_for_value('state', 'inactive')

    assert in_as_out_and_dropped(robot) == (150, 150)
    values = robot.values()
    assert int(values[f'dropped: {reason}']) > 0
    wait_until(lambda: len(robot.received.depth) == int(values['published']))
    assert all(a < b for a, b in pairwise(stamps_of(robot.received.depth)))

    robot.activate()
    robot.play(range(200, 200 + LENGTH))
    robot.wait_for_value('matched', 150 + LENGTH)  # a window is computed
    assert node.close() == 0, node.output
    assert 'Traceback' not in node.output


def test_what_arrives_by_best_effort_is_accounted_for(start_node, robot) -> None:
    node = active(start_node('best_effort'), robot)
    for number in range(10_000):
        robot.play([number], period_s=0.01)  # whatever is lost on the way, some arrive
        if int(robot.values().get('images received', 0)) >= 3 * LENGTH:
            break
    robot.change('deactivate')
    robot.wait_for_value('state', 'inactive')

    images, accounted = in_as_out_and_dropped(robot)
    assert images == accounted >= 3 * LENGTH
    assert node.close() == 0, node.output


def test_a_model_that_is_missing_fails_with_the_reason(start_node, robot: Robot) -> None:
    node = start_node('broken', **{'model.path': BROKEN})
    robot.attend(node)

    for _ in range(2):  # it may be tried again
        assert not robot.try_change('configure')
    assert robot.state() == 'unconfigured'
    wait_until(lambda: robot.message() == 'not configured: broken holds no weights')
    assert robot.status.level == DiagnosticStatus.ERROR
    assert node.close() == 0, node.output
    assert 'Traceback' not in node.output


def test_a_bug_is_seen_and_leaves_the_node_ready_to_configure(start_node, robot: Robot) -> None:
    buggy = {BUG_AT_CALL: '6'}
    node = active(start_node('buggy', buggy, **{'input.reliability': 'reliable'}), robot)
    robot.play(range(30))
    wait_until(lambda: 'a bug that the test asked for' in robot.message())

    assert robot.status.level == DiagnosticStatus.ERROR
    wait_until(lambda: robot.state() == 'unconfigured')
    images, accounted = in_as_out_and_dropped(robot)
    assert images == accounted
    assert node.close() == 0, node.output
    assert 'ZeroDivisionError' in node.output


def test_a_wrong_parameter_at_the_start_is_told(start_node) -> None:
    node = start_node('wrong', **{'tf.arrangement': 'upside_down'})
    wait_until(lambda: node.process.poll() is not None)

    assert node.close() == 1
    assert "'upside_down' is none of camera_to_world_child, world_to" in node.output
    assert 'Traceback' not in node.output


# ---- pieces -------------------------------------------------------------------------------------


def active(node: NodeProcess, robot: Robot) -> NodeProcess:
    robot.attend(node)
    robot.change('configure')
    robot.activate()
    return node


def threads(node: NodeProcess) -> int:
    return len(list(Path(f'/proc/{node.process.pid}/task').iterdir()))


def xyzw(quaternion) -> list[float]:
    return [quaternion.x, quaternion.y, quaternion.z, quaternion.w]


def xyz(vector) -> np.ndarray:
    return np.array([vector.x, vector.y, vector.z])
