"""The tree of errors."""

import inspect

from depthsync_ros.core import errors


def test_every_error_has_the_one_root_and_is_in_the_overview() -> None:
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass)]

    assert len(classes) > 3
    for one in classes:
        assert issubclass(one, errors.DepthSyncError)
        assert one.__name__ in errors.__doc__
