from faked import faked
import pytest
from synthetic import camera_rows, robot_rows, write_rows

from depthsync_ros.bags.process import Tally
from depthsync_ros.bags.storage import BagReader, BagVocabulary
from depthsync_ros.cli.bag import summary
from depthsync_ros.cli.main import main
from depthsync_ros.core.frames import StageSeconds


@pytest.fixture
def source(tmp_path):
    return write_rows(tmp_path / 'in', robot_rows(6))


def run(source, *words):
    """Run `depthsync bag` in this process; give its status and the settings it used."""
    seen = []
    with faked(seen=seen):
        status = main(['bag', str(source), str(source.parent / 'out'), *words])
    return status, seen


def read(bag, topic):
    words = BagVocabulary()
    with BagReader(bag) as reader:
        return [words.deserialize(x.data, x.msgtype) for x in reader.messages([topic])]


def test_settings_reach_the_pipeline(source) -> None:
    status, (settings,) = run(source, '--window.length', '24', '--sampling.seed', '7')

    assert status == 0
    assert (settings.window.length, settings.sampling.seed) == (24, 7)


def test_a_parameter_files_node_settings_count_where_they_can(source, tmp_path) -> None:
    file = tmp_path / 'params.yaml'
    file.write_text(
        '/**:\n  ros__parameters:\n    window.length: 20\n    tf.world_frame: run_world\n'
        '    input.rectified: true\n'
    )

    status, (settings,) = run(source, '--config', str(file))

    assert (status, settings.window.length) == (0, 20)
    odometry = read(tmp_path / 'out', '/depthsync/odometry')
    assert {x.header.frame_id for x in odometry} == {'run_world'}


def test_options_of_the_command_reach_the_job(tmp_path) -> None:
    rows = camera_rows(6, with_info=False)
    source = write_rows(tmp_path / 'in', rows, 'sqlite3')
    (tmp_path / 'cam.yaml').write_text(
        'image_width: 16\nimage_height: 12\ndistortion_model: plumb_bob\n'
        'camera_matrix: {data: [70.0, 0, 7.5, 0, 70.0, 5.5, 0, 0, 1]}\n'
        'distortion_coefficients: {data: [0.1, 0, 0, 0, 0]}\n'
        'rectification_matrix: {data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n'
        'projection_matrix: {data: [60.0, 0, 7.5, 0, 0, 60.0, 5.5, 0, 0, 0, 1, 0]}\n'
    )

    status, _ = run(
        source, '--camera-info', str(tmp_path / 'cam.yaml'), '--rectified', '--results-only',
        '--storage', 'mcap', '--image-topic', '/cam/image_raw', '--start', '0.03',
        '--duration', '0.1',
    )  # fmt: skip

    assert status == 0
    infos = read(tmp_path / 'out', '/depthsync/depth/camera_info')
    assert [x.k[0] for x in infos] == [60.0] * 3
    assert (tmp_path / 'out' / 'out.mcap').exists()


def test_overwriting_must_be_asked_for(source, capsys) -> None:
    assert run(source)[0] == 0
    capsys.readouterr()

    status, seen = run(source)

    assert (status, seen) == (1, [])  # before a model is loaded
    assert 'out exists; choose another name, or pass --overwrite' in capsys.readouterr().err
    assert run(source, '--overwrite')[0] == 0


def test_a_setting_out_of_range_is_an_error_in_one_line(source, capsys) -> None:
    status, _ = run(source, '--window.length', '1000')

    assert status == 1
    assert capsys.readouterr().err.startswith('depthsync: window.length = 1000 frames is outside')


def test_the_summary_names_losses_and_the_unit(tmp_path) -> None:
    tally = Tally(
        frames_in=10,
        frames_out=6,
        posed=5,
        windows=2,
        metric=True,
        dropped={'no scale': 3, 'twice': 1},
        seconds=StageSeconds(denoise=2.5),
        notes=['a note'],
    )

    lines = summary(tally, tmp_path / 'out').splitlines()

    assert lines[0].endswith('10 frames in, 6 depth out, 4 dropped, 5 with a pose, 2 windows')
    assert lines[1:] == [
        '  dropped 3: no scale',
        '  dropped 1: twice',
        '  seconds: 2.5 (encode 0.0, denoise 2.5, decode 0.0, align 0.0, pose 0.0)',
        '  unit of depth and translation: metres',
        '  note: a note',
    ]
