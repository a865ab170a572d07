from depthsync_ros.cli.main import main
from depthsync_ros.cli.options import markdown_table
from depthsync_ros.ros.parameter_file import parameter_file


def test_settings_prints_the_table(capsys) -> None:
    assert main(['settings']) == 0
    assert capsys.readouterr().out == markdown_table()


def test_settings_yaml_prints_the_parameter_file(capsys) -> None:
    assert main(['settings', '--yaml']) == 0
    assert capsys.readouterr().out == parameter_file()
