"""From the names of methods to the methods."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import hashlib
from pathlib import Path
from typing import Any

from depthsync_ros.core.backbone import Backbone
from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import DepthSyncSettings, with_values
from depthsync_ros.evaluation.methods import Method, PipelineMethod
from depthsync_ros.evaluation.saved import SavedDepth, SavedPoses
from depthsync_ros.evaluation.strategies import STRATEGIES, strategy_settings
from depthsync_ros.models.folder import locate, UNET_FILES
from depthsync_ros.models.load import load_backbone

ENDS_BYTES = 16_000_000
NAMING = {'.safetensors', '.json'}


@dataclass(eq=False)
class MethodBuilder:
    """
    Make methods by name: a strategy, or KIND:WHERE for a baseline (see BASELINES).

    The network is loaded once, and only where a strategy needs it. A copy by pickle loads its
    own.

    :raises ConfigError: a name is unknown, or given twice.
    """

    names: Sequence[str]
    settings: DepthSyncSettings
    _made: dict[tuple[str, int], Method] = field(default_factory=dict)
    _backbone: list[tuple[Backbone, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in self.names:
            kind, _, where = name.partition(':')
            if name not in STRATEGIES and not (kind in BASELINES and where):
                raise ConfigError(
                    f'there is no method {name!r}; known are {", ".join(STRATEGIES)} and '
                    + ', '.join(f'{kind}:WHERE' for kind in BASELINES)
                )
        if len(set(self.names)) < len(self.names):
            raise ConfigError(f'a method is named twice: {", ".join(self.names)}')

    def __reduce__(self) -> tuple[Any, ...]:
        return MethodBuilder, (self.names, self.settings)

    def __call__(self, seed: int) -> list[Method]:
        """Give the methods for one seed."""
        for name in self.names:
            if (name, seed) not in self._made:
                self._made[name, seed] = self._make(name, seed)
        methods = [self._made[name, seed] for name in self.names]
        if len({method.name for method in methods}) < len(methods):
            names = ', '.join(method.name for method in methods)
            raise ConfigError(f'two methods share a name ({names}): rename a folder')
        return methods

    def _make(self, name: str, seed: int) -> Method:
        if name not in STRATEGIES:
            kind, _, where = name.partition(':')
            return BASELINES[kind](where, seed)
        if not self._backbone:
            model = self.settings.model
            backbone = load_backbone(model)
            folder = locate(model.path, allow_download=model.allow_download, files=UNET_FILES)
            self._backbone.append((backbone, fingerprint(folder)))
        settings = strategy_settings(with_values(self.settings, {'sampling.seed': seed}), name)
        return PipelineMethod(name, settings, *self._backbone[0])


def fingerprint(folder: Path) -> str:
    """
    Give a short name of a model's files, so that results of other weights are told apart.

    Only weights and configurations count; of a large file, its size and its ends.
    """
    mark = hashlib.sha256()
    for file in sorted(path for path in folder.rglob('*') if path.suffix in NAMING):
        size = file.stat().st_size
        mark.update(f'{file.relative_to(folder)} {size} '.encode())
        with file.open('rb') as stream:
            mark.update(stream.read(ENDS_BYTES))
            if size > ENDS_BYTES:
                stream.seek(max(ENDS_BYTES, size - ENDS_BYTES))
                mark.update(stream.read())
    return mark.hexdigest()[:12]


def _transformers(where: str, seed: int) -> Method:
    from depthsync_ros.evaluation.per_frame import load_transformers  # noqa: PLC0415  heavy

    return load_transformers(where, seed)


def _marigold(where: str, seed: int) -> Method:
    from depthsync_ros.evaluation.per_frame import load_marigold  # noqa: PLC0415  heavy

    return load_marigold(where, seed)


BASELINES: Mapping[str, Callable[[str, int], Method]] = {
    'disparity': lambda where, _: SavedDepth(Path(where), 'disparity'),
    'depth': lambda where, _: SavedDepth(Path(where), 'depth'),
    'metric': lambda where, _: SavedDepth(Path(where), 'metric'),
    'poses': lambda where, _: SavedPoses(Path(where)),
    'transformers': _transformers,
    'marigold': _marigold,
}
