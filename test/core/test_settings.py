"""Settings: ranges, types, names, and what an error says."""

from dataclasses import replace

import pytest

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import (
    DepthSyncSettings,
    SamplingSettings,
    walk,
    WindowSettings,
    with_values,
)

DEFAULTS = DepthSyncSettings()
NAMES = [name for name, _, _ in walk(DEFAULTS)]


def test_every_setting_has_a_dotted_name_and_a_description() -> None:
    assert 'window.length' in NAMES
    assert len(set(NAMES)) == len(NAMES) > 20
    for name, value, entry in walk(DEFAULTS):
        assert name.count('.') == 1
        assert entry.metadata['description'].endswith('.'), name
        assert type(value) is type(entry.default), name


def test_values_change_by_dotted_name_and_the_rest_stays() -> None:
    changed = with_values(DEFAULTS, {'window.length': 30, 'model.device': 'cuda:1'})

    values = {name: value for name, value, _ in walk(changed)}
    before = {name: value for name, value, _ in walk(DEFAULTS)}
    assert values == {**before, 'window.length': 30, 'model.device': 'cuda:1'}
    assert DepthSyncSettings() == DEFAULTS


def test_settings_that_depend_on_each_other_change_together() -> None:
    start = with_values(DEFAULTS, {'window.length': 10, 'window.overlap': 4})

    changed = with_values(start, {'window.length': 4, 'window.overlap': 2})

    assert (changed.window.length, changed.window.overlap) == (4, 2)


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('window.lenght', 'window.length'),
        ('sampling.step', 'sampling.steps'),
        ('poses.maxtracks', 'poses.max_tracks'),
    ],
)
def test_unknown_name_names_the_nearest(name, nearest) -> None:
    with pytest.raises(ConfigError, match=f"no setting '{name}'; the nearest is '{nearest}'"):
        with_values(DEFAULTS, {name: 3})


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'window.length': 257}, r'window.length = 257 frames is outside \[0, 256\]'),
        ({'window.length': -1}, r'window.length = -1 frames is outside \[0, 256\]'),
        ({'window.length': 1}, r'window.length = 1 leaves no room for an overlap; set 0, or 2'),
        (
            {'window.length': 8, 'window.overlap': 8},
            r'window.overlap = 8 must be smaller than window.length = 8, or no window would add',
        ),
        ({'sampling.steps': 5.0}, r'sampling.steps = 5.0 is float, it must be int'),
        ({'sampling.steps': True}, r'sampling.steps = True is bool, it must be int'),
        ({'sampling.seed': -1}, r'sampling.seed = -1 is below 0'),
        ({'poses.max_error_px': 1}, r'poses.max_error_px = 1 is int, it must be float'),
        ({'depth.prior_shift': float('nan')}, r'depth.prior_shift = nan is outside \[0.001, 10.0'),
        ({'depth.upsampling': 'cubic'}, r"upsampling = 'cubic' is none of guided, linear"),
        ({'model.dtype': 'float64'}, r"'float64' is none of float32, float16, bfloat16"),
    ],
)
def test_rule_that_is_broken_is_told(values, message) -> None:
    with pytest.raises(ConfigError, match=message):
        with_values(DEFAULTS, values)


def test_limits_themselves_are_allowed() -> None:
    checked = 0
    for name, _, entry in walk(DEFAULTS):
        for limit in (entry.metadata['low'], entry.metadata['high']):
            if limit is not None and name not in ('window.length', 'window.overlap'):
                with_values(DEFAULTS, {name: type(entry.default)(limit)})
                checked += 1
    assert checked > 10


def test_groups_check_themselves_however_they_are_made() -> None:
    with pytest.raises(ConfigError, match=r'window.overlap = 5 must be smaller'):
        WindowSettings(length=4, overlap=5)
    with pytest.raises(ConfigError, match=r'sampling.steps = 1 levels is outside'):
        replace(SamplingSettings(), steps=1)


def test_a_metric_source_that_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'needs metric\.camera_height in metres; it is 0\.0'):
        with_values(DepthSyncSettings(), {'metric.source': 'camera_height'})
    blind = {'metric.source': 'odometry', 'poses.derive': False}
    with pytest.raises(ConfigError, match=r'poses\.derive, which is off'):
        with_values(DepthSyncSettings(), blind)
