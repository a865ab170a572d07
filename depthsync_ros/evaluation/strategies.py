"""The strategies that are compared, as settings of the one pipeline."""

from collections.abc import Mapping

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import DepthSyncSettings, Value, with_values

# Every strategy says all of these, so that none inherits a default that may change.
_PLAIN: dict[str, Value] = {
    'sampling.overlap_start': True,
    'scale.align': False,
    'guidance.scale': 0.0,
    'guidance.geometry': 0.0,
    'geometry.refine': False,
}
_ALIGNED: dict[str, Value] = {'scale.align': True}
_REFINED: dict[str, Value] = {'geometry.refine': True}
# Chosen on rendered validation scenes: a full pull of scale makes frames agree less.
_PULL_SCALE: dict[str, Value] = {'guidance.scale': 0.25}
_PULL_GEOMETRY: dict[str, Value] = {'guidance.geometry': 1.0}

# A guided strategy is its post-hoc one plus the pull: what differs is what guidance adds.
STRATEGIES: Mapping[str, Mapping[str, Value]] = {
    'independent': _PLAIN | {'sampling.overlap_start': False},
    'baseline': _PLAIN,
    'scale': _PLAIN | _ALIGNED | _PULL_SCALE,
    'geometry': _PLAIN | _REFINED | _PULL_GEOMETRY,
    'depthsync': _PLAIN | _ALIGNED | _REFINED | _PULL_SCALE | _PULL_GEOMETRY,
    'post_scale': _PLAIN | _ALIGNED,
    'post_geometry': _PLAIN | _REFINED,
    'post_both': _PLAIN | _ALIGNED | _REFINED,
}


def strategy_settings(settings: DepthSyncSettings, name: str) -> DepthSyncSettings:
    """
    Return the settings with a strategy's own values in place.

    :raises ConfigError: there is no such strategy.
    """
    if name not in STRATEGIES:
        raise ConfigError(f'there is no strategy {name!r}; known are {", ".join(STRATEGIES)}')
    return with_values(settings, STRATEGIES[name])
