from dataclasses import replace
from pathlib import Path

from backbones import FakeBackbone
import numpy as np
import pytest
from synthetic import (
    camera_rows,
    depth_of,
    FakePipeline,
    HEIGHT,
    ignore,
    log_of,
    LosingPipeline,
    pose_of,
    rgb_of,
    robot_rows,
    stamp_of,
    WIDTH,
    write_rows,
)

from depthsync_ros.bags.frames import CameraChoice
from depthsync_ros.bags.process import BagJob, COMPRESSED, POINTS, process_bag, Tally
from depthsync_ros.bags.storage import BagReader, BagVocabulary
from depthsync_ros.core.errors import ConfigError, InputError
from depthsync_ros.core.frames import StageSeconds
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, MetricSettings, with_values
from depthsync_ros.messages import nanoseconds, rotation_matrix

WORDS = BagVocabulary()
DEPTH, INFO = '/depthsync/depth', '/depthsync/depth/camera_info'
ODOMETRY, REPORT = '/depthsync/odometry', '/depthsync/window_report'
N = 10


def run(source: Path, target: Path, pipeline=None, progress=ignore, **options) -> Tally:
    return process_bag(BagJob(source, target, **options), pipeline or FakePipeline(), progress)


def read(bag, topic):
    """Give (log time, message) of one topic."""
    with BagReader(bag) as reader:
        return [(x.log_ns, WORDS.deserialize(x.data, x.msgtype)) for x in reader.messages([topic])]


@pytest.fixture(scope='module', params=['mcap', 'sqlite3'])
def made(request, tmp_path_factory):
    """Run over a robot's bag; give the input, the output and the tally."""
    tmp_path = tmp_path_factory.mktemp('made')
    source = write_rows(tmp_path / 'in', robot_rows(N), request.param)
    tally = run(source, tmp_path / 'out')
    return source, tmp_path / 'out', tally


def test_every_frame_gets_its_depth_at_its_own_stamp(made) -> None:
    _, out, _ = made

    depths = read(out, DEPTH)

    assert [nanoseconds(x.header.stamp) for _, x in depths] == [stamp_of(n) for n in range(N)]
    assert [log_ns for log_ns, _ in depths] == [log_of(n) for n in range(N)]
    for number, (_, image) in enumerate(depths):
        assert (image.encoding, image.header.frame_id) == ('32FC1', 'cam_optical')
        seen = image.data.view('<f4').reshape(image.height, image.width)
        assert np.array_equal(seen, depth_of(rgb_of(number)), equal_nan=True)


def test_depth_comes_with_its_camera_info(made) -> None:
    _, out, _ = made

    infos = read(out, INFO)

    assert [nanoseconds(x.header.stamp) for _, x in infos] == [stamp_of(n) for n in range(N)]
    assert [log_ns for log_ns, _ in infos] == [log_of(n) for n in range(N)]
    assert {(x.width, x.height, x.k[0], x.k[2]) for _, x in infos} == {(16, 12, 20.0, 7.5)}


def rotation(q):
    return rotation_matrix(np.array([q.x, q.y, q.z, q.w]))


def test_odometry_holds_the_poses_and_only_those(made) -> None:
    _, out, _ = made

    seen = read(out, ODOMETRY)

    posed = [number for number in range(N) if pose_of(number) is not None]
    assert [nanoseconds(x.header.stamp) for _, x in seen] == [stamp_of(n) for n in posed]
    for number, (_, odometry) in zip(posed, seen, strict=True):
        world_T_cam, pose = pose_of(number), odometry.pose.pose
        assert pose.position.x == pytest.approx(world_T_cam[0, 3])
        # Through a quaternion and back: some double roundings.
        assert rotation(pose.orientation) == pytest.approx(world_T_cam[:3, :3], abs=1e-12)


def test_tf_keeps_the_inputs_transforms_and_adds_the_world_as_a_child(made) -> None:
    source, out, _ = made

    all_tf = [(log_ns, x.transforms[0]) for log_ns, x in read(out, '/tf')]

    theirs = [x for x in all_tf if x[1].child_frame_id == 'cam_optical']
    ours = [x for x in all_tf if x[1].child_frame_id == 'depthsync_world']
    assert len(theirs) == len(read(source, '/tf')) == N
    assert len(ours) == N - 1
    assert {x.header.frame_id for _, x in ours} == {'cam_optical'}
    log_ns, last = ours[-1]
    assert log_ns == log_of(N - 1)
    cam_T_world = np.linalg.inv(pose_of(N - 1))
    seen = last.transform.translation
    assert (seen.x, seen.y, seen.z) == pytest.approx(cam_T_world[:3, 3], abs=1e-12)


def test_window_reports_are_written_when_the_window_ends(made) -> None:
    _, out, _ = made

    reports = read(out, REPORT)

    assert [x.index for _, x in reports] == [0, 1, 2]
    assert [log_ns for log_ns, _ in reports] == [log_of(3), log_of(7), log_of(9)]
    assert reports[0][1].scale == 1.5
    assert 'not metres' in reports[0][1].unit


def test_the_inputs_messages_are_all_there_byte_for_byte(made) -> None:
    source, out, _ = made
    with BagReader(source) as reader:
        topics = {topic.name for topic in reader.topics} - {'/tf'}

        def raw(bag):
            return [(x.topic, x.log_ns, bytes(x.data)) for x in bag.messages(topics)]

        with BagReader(out) as copy:
            assert raw(copy) == raw(reader)
            assert copy.storage == reader.storage


def test_the_tally_says_what_happened(made) -> None:
    _, _, tally = made

    assert (tally.frames_in, tally.frames_out, tally.frames_dropped) == (N, N, 0)
    assert (tally.windows, tally.posed, tally.frames_expected) == (3, N - 1, N)
    assert tally.seconds == StageSeconds(3.0, 6.0, 9.0, 12.0, 15.0)
    assert tally.notes == ['a note']


def test_results_only_leaves_the_input_out(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(N))

    run(source, tmp_path / 'out', results_only=True)

    with BagReader(tmp_path / 'out') as out:
        counts = {topic.name: topic.count for topic in out.topics}
    assert counts == {DEPTH: N, INFO: N, ODOMETRY: N - 1, '/tf': N - 1, REPORT: 3}


def test_the_storage_can_be_chosen(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(2), 'sqlite3')

    run(source, tmp_path / 'out', storage='mcap')

    assert sorted(file.name for file in (tmp_path / 'out').iterdir()) == [
        'metadata.yaml',
        'out.mcap',
    ]


def test_a_part_of_the_bag_gets_depth_and_all_of_it_is_copied(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(N))

    # A tenth of a second is three periods: images 3 to 5.
    tally = run(source, tmp_path / 'out', start_s=0.09, duration_s=0.1)

    stamps = [nanoseconds(x.header.stamp) for _, x in read(tmp_path / 'out', DEPTH)]
    assert stamps == [stamp_of(n) for n in (3, 4, 5)]
    with BagReader(tmp_path / 'out') as out:
        assert {x.count for x in out.topics if x.name in ('/battery', '/cam/image_raw')} == {N}
    assert tally.frames_expected == 0


def test_a_lost_window_is_counted_and_the_rest_is_written(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(N))

    tally = run(source, tmp_path / 'out', LosingPipeline())

    assert (tally.frames_in, tally.frames_out, tally.dropped) == (N, N - 4, {'no scale': 4})
    stamps = [nanoseconds(x.header.stamp) for _, x in read(tmp_path / 'out', DEPTH)]
    assert stamps == [stamp_of(n) for n in (0, 1, 2, 3, 8, 9)]


def test_a_stamp_that_comes_twice_is_dropped_and_said(tmp_path) -> None:
    rows = camera_rows(6)
    rows += [row for row in camera_rows(3) if row.topic == '/cam/image_raw']
    source = write_rows(tmp_path / 'in', sorted(rows, key=lambda row: row.log_ns))

    tally = run(source, tmp_path / 'out')

    assert (tally.frames_in, tally.frames_out, tally.frames_dropped) == (9, 6, 3)
    assert list(tally.dropped) == ['frame # is not later than #']
    assert [log_ns for log_ns, _ in read(tmp_path / 'out', DEPTH)] == [log_of(n) for n in range(6)]


def test_a_recording_that_starts_again_is_two_runs_of_the_same_bits(tmp_path) -> None:
    count = 35  # 1.1 s: long enough to be a jump back, not a late frame
    once = camera_rows(count)
    again = [replace(row, log_ns=row.log_ns + 10**10) for row in once]
    source = write_rows(tmp_path / 'in', once + again)
    settings = with_values(
        DepthSyncSettings(),
        # Windows longer than the recording: its stamps come again while they are pending.
        {'poses.derive': False, 'scale.min_pixels': 10, 'window.length': 40, 'window.overlap': 2},
    )

    tally = run(source, tmp_path / 'out', Pipeline(FakeBackbone(), settings))

    assert (tally.frames_in, tally.frames_out, tally.dropped) == (2 * count, 2 * count, {})
    assert any('a new run, with a unit of its own: time jumped back' in x for x in tally.notes)
    depths = read(tmp_path / 'out', DEPTH)
    first, second = depths[:count], depths[count:]
    assert [log_ns for log_ns, _ in first] == [log_of(n) for n in range(count)]
    for (log_ns, one), (later_ns, other) in zip(first, second, strict=True):
        assert later_ns == log_ns + 10**10
        assert one.data.tobytes() == other.data.tobytes()


def test_images_without_a_frame_id_get_no_tf_and_a_note(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(3, frame_id=''))

    tally = run(source, tmp_path / 'out')

    assert read(tmp_path / 'out', '/tf') == []
    assert 'the images have no frame_id: no tf was written' in tally.notes


def test_progress_sees_every_frame(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(N))
    seen = []

    run(source, tmp_path / 'out', progress=lambda t: seen.append((t.frames_in, t.windows)))

    assert [frames for frames, _ in seen] == [*range(1, N + 1), N]
    assert seen[-1] == (N, 3)


# ---- failures -----------------------------------------------------------------------------------


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(source, target, said, **options):
    with pytest.raises(InputError, match=said):
        run(source, target, **options)
    assert names(target.parent) == ['in']


def test_the_input_is_never_the_output(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(1))

    refused(source, tmp_path / 'in', 'in is the input', overwrite=True)


def test_results_are_not_written_over_results(tmp_path) -> None:
    source = write_rows(tmp_path / 'original', robot_rows(3))
    run(source, tmp_path / 'in')
    for file in source.iterdir():
        file.unlink()
    source.rmdir()

    refused(tmp_path / 'in', tmp_path / 'out', 'already holds /depthsync/depth, .*--results-only')
    run(tmp_path / 'in', tmp_path / 'out', results_only=True)


def test_an_unknown_encoding_halfway_leaves_nothing(tmp_path) -> None:
    rows = camera_rows(6)
    rows[-2].message.encoding = 'x264'
    source = write_rows(tmp_path / 'in', rows)

    refused(source, tmp_path / 'out', "'x264' is unknown")


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_damage_that_shows_only_halfway_leaves_nothing(tmp_path, storage) -> None:
    source = write_rows(tmp_path / 'in', robot_rows(80), storage)
    file = next(source.glob('in.*'))
    data = bytearray(file.read_bytes())
    middle = data.index(bytes(rgb_of(60)[..., ::-1].tobytes()[:40])) - 60
    data[middle : middle + 30] = b'\xff' * 30
    file.write_bytes(data)

    refused(source, tmp_path / 'out', 'damaged|cut off')


def test_missing_camera_info_leaves_nothing(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(3, with_info=False))

    refused(source, tmp_path / 'out', 'no camera_info')


def test_a_part_without_images_leaves_nothing(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(3))

    refused(source, tmp_path / 'out', 'no image in the chosen part', start_s=100.0)


def test_a_run_without_any_depth_is_no_result(tmp_path) -> None:
    class Refusing(FakePipeline):
        def push(self, frame):
            raise InputError(f'frame {frame.stamp_ns} is not wanted')

    source = write_rows(tmp_path / 'in', camera_rows(3))

    refused(source, tmp_path / 'out', 'none of 3 images became depth: 3 x frame # is not wanted',
            pipeline=Refusing())  # fmt: skip


def test_an_interrupt_leaves_nothing(tmp_path) -> None:
    def interrupt(index):
        if index == 7:
            raise KeyboardInterrupt

    source = write_rows(tmp_path / 'in', robot_rows(N))

    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / 'out', FakePipeline(interrupt))

    assert names(tmp_path) == ['in']


def test_rectified_images_are_described_by_p(tmp_path) -> None:
    rows = camera_rows(2)
    for row in rows:
        if row.topic == '/cam/camera_info':
            row.message.p = row.message.p * 0.5 + np.eye(3, 4).reshape(-1) * 0.5
    source = write_rows(tmp_path / 'in', rows)

    run(source, tmp_path / 'out', camera=CameraChoice(rectified=True))

    assert {x.k[0] for _, x in read(tmp_path / 'out', INFO)} == {10.5}


def test_an_independent_reader_reads_every_topic(tmp_path) -> None:
    reader = pytest.importorskip('mcap.reader', reason='mcap is not installed')
    decoder = pytest.importorskip('mcap_ros2.decoder', reason='mcap-ros2-support is not installed')
    source = write_rows(tmp_path / 'in', robot_rows(N), 'sqlite3')
    run(source, tmp_path / 'out', storage='mcap')
    seen: dict[str, list] = {}

    with (tmp_path / 'out' / 'out.mcap').open('rb') as stream:
        mcap = reader.make_reader(stream, decoder_factories=[decoder.DecoderFactory()])
        assert mcap.get_header().profile == 'ros2'
        for _, channel, message, decoded in mcap.iter_decoded_messages():
            seen.setdefault(channel.topic, []).append((message.log_time, decoded))

    counts = {topic: len(messages) for topic, messages in seen.items()}
    assert counts == {
        '/cam/image_raw': N, '/cam/camera_info': N, '/battery': N, '/tf': 2 * N - 1,
        DEPTH: N, INFO: N, ODOMETRY: N - 1, REPORT: 3,
    }  # fmt: skip
    for number, (log_ns, image) in enumerate(seen[DEPTH]):
        assert (log_ns, nanoseconds_of(image)) == (log_of(number), stamp_of(number))
        depth = np.frombuffer(image.data, '<f4').reshape(image.height, image.width)
        assert np.array_equal(depth, depth_of(rgb_of(number)), equal_nan=True)
    assert seen[ODOMETRY][2][1].pose.pose.position.x == pytest.approx(pose_of(3)[0, 3])
    assert seen[REPORT][0][1].notes == ['a note']
    assert seen['/battery'][0][1].cells == ['a', 'b']


def nanoseconds_of(message):
    # mcap-ros2-support has a time of its own, with nanosec as its field.
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_points_and_compressed_depth_are_written_where_asked(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(5))
    extras = ('points', 'compressed_depth')

    process_bag(BagJob(source, tmp_path / 'out', extras=extras), FakePipeline(), ignore)

    counts = {topic: len(read(tmp_path / 'out', topic)) for topic in (POINTS, COMPRESSED, DEPTH)}
    assert counts == {POINTS: 5, COMPRESSED: 5, DEPTH: 5}
    ((_, cloud), *_) = read(tmp_path / 'out', POINTS)
    assert (cloud.height, cloud.width) == (HEIGHT, WIDTH)


def test_millimetres_need_a_source_of_metres(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(2))

    with pytest.raises(ConfigError, match=r'16UC1 is millimetres, and metric\.source is none'):
        process_bag(
            BagJob(source, tmp_path / 'out', depth_encoding='16UC1'), FakePipeline(), ignore
        )


def test_millimetres_are_zero_while_the_scale_is_unknown(tmp_path) -> None:
    source = write_rows(tmp_path / 'in', camera_rows(2))
    metric = MetricSettings(source='camera_height', camera_height=1.0)
    job = BagJob(source, tmp_path / 'out', depth_encoding='16UC1', metric=metric)

    process_bag(job, FakePipeline(), ignore)

    ((_, depth), *_) = read(tmp_path / 'out', DEPTH)
    assert depth.encoding == '16UC1'
    assert not depth.data.any()
