"""
Every setting of the package, written once.

The node's parameters, the command line's options, config/depthsync.yaml and the README's table
are all generated from these fields.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, Field, field, fields, replace
import difflib
from typing import Any, ClassVar, TypeAlias, TypeVar

from depthsync_ros.core.errors import ConfigError

Value: TypeAlias = bool | int | float | str
Tree = TypeVar('Tree', bound='Settings')


def setting(
    default: Value,
    description: str,
    *,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:  # a dataclass field is typed by its annotation
    """
    Declare one setting.

    live says that a change between two windows is safe; others are read when the model loads.
    """
    metadata = {
        'description': description,
        'unit': unit,
        'low': low,
        'high': high,
        'choices': choices,
        'live': live,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A group of settings that checks its declared types and ranges when it is made."""

    group: ClassVar[str] = ''  # the first part of its settings' dotted names

    def __post_init__(self) -> None:
        for entry in fields(self):
            if entry.metadata:
                name = f'{self.group}.{entry.name}'.removeprefix('.')
                _check(name, entry, getattr(self, entry.name))


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Settings):
    """Which network runs, and where."""

    group = 'model'

    path: str = setting(
        'embedded',
        "The network: 'embedded', a local folder in diffusers layout, or a hub id such as "
        "'tencent/DepthCrafter' (about 3 GB, academic licence).",
    )
    base: str = setting(
        'stabilityai/stable-video-diffusion-img2vid-xt',
        'Folder or hub id that holds the image encoder and the VAE where model.path has only '
        'a UNet.',
    )
    allow_download: bool = setting(
        default=False,
        description='Fetch a hub id that is not yet on this machine. Off: a missing one is an '
        'error.',
    )
    device: str = setting(
        'cpu',
        "Where the network runs: 'cpu', 'cuda', 'cuda:1'. A device that is absent is an error.",
    )
    dtype: str = setting(
        'float32',
        'Arithmetic of the network; float16 or bfloat16 halve memory on a GPU and are slower '
        'on most CPUs.',
        choices=('float32', 'float16', 'bfloat16'),
    )
    max_side: int = setting(
        0,
        "Longest side the network sees; larger is sharper and slower. 0 takes the model's own.",
        unit='pixels',
        low=0,
        high=2048,
    )
    threads: int = setting(
        0,
        'CPU threads of the network; results are bit-equal only at equal counts. 0 leaves '
        "torch's choice.",
        unit='threads',
        low=0,
        high=256,
    )


@dataclass(frozen=True, kw_only=True)
class WindowSettings(Settings):
    """How the video is cut."""

    group = 'window'

    length: int = setting(
        0,
        "Frames denoised together; longer is steadier and needs more memory. 0 takes the model's "
        'own (DepthCrafter: 90; 110 for driving).',
        unit='frames',
        low=0,
        high=256,
    )
    overlap: int = setting(
        0,
        'Frames shared by neighbouring windows; more ties their scales harder and costs time. '
        "0 takes the model's own (DepthCrafter: 30).",
        unit='frames',
        low=0,
        high=128,
    )
    longest_gap: float = setting(
        5.0,
        'Time without a frame after which a new run starts, with a unit and a world of its own: '
        'what is seen then has nothing in common with what was. The frames before are finished '
        'first. Raise it for a slow camera. 0 never starts one.',
        unit='seconds',
        low=0.0,
        live=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length == 1:
            raise ConfigError('window.length = 1 leaves no room for an overlap; set 0, or 2 up')
        if self.length and self.overlap >= self.length:
            raise ConfigError(
                f'window.overlap = {self.overlap} must be smaller than '
                f'window.length = {self.length}, or no window would add a new frame'
            )


@dataclass(frozen=True, kw_only=True)
class SamplingSettings(Settings):
    """How noise becomes depth."""

    group = 'sampling'

    steps: int = setting(
        5,
        'Noise levels of the sampler; more follows the model closer and costs one network call '
        'each.',
        unit='levels',
        low=2,
        high=100,
        live=True,
    )
    skip_last: bool = setting(
        default=True,
        description='Leave out the network call at the lowest noise level, which changes the '
        'result by about '
        'that level. Turn off for parity checks.',
        live=True,
    )
    seed: int = setting(
        0, 'Seed of the noise; with the index of the frame it fixes every draw.', low=0
    )
    overlap_start: bool = setting(
        default=True,
        description="Start the overlap from the previous window's latents, as DepthCrafter "
        'does. Off: '
        'independent windows.',
    )


@dataclass(frozen=True, kw_only=True)
class ScaleSettings(Settings):
    """How the windows come onto one scale."""

    group = 'scale'

    align: bool = setting(
        default=True,
        description="Fit each window's scale and shift to its predecessors' depth in the "
        'overlap. Off: the '
        "windows keep the network's own.",
    )
    anchors: bool = setting(
        default=True,
        description='Fit each window also to points that earlier windows have placed and that are '
        'still tracked, so that error does not add up. Needs poses.derive; no effect where '
        'scale.align is off.',
    )
    min_pixels: int = setting(
        1000,
        'Overlap pixels that must be valid in both windows; fewer is an error.',
        unit='pixels',
        low=10,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class PoseSettings(Settings):
    """How camera poses are derived from depth and tracks."""

    group = 'poses'

    derive: bool = setting(
        default=True, description='Derive camera poses. Off: depth only, no tracking time.'
    )
    max_tracks: int = setting(
        400,
        'Points followed at a time; more is steadier and slower.',
        unit='points',
        low=20,
        high=5000,
    )
    min_tracks: int = setting(
        15,
        'Points two frames must share for a pose; fewer leaves it unknown.',
        low=6,
        high=1000,
        live=True,
    )
    max_error_px: float = setting(
        2.0,
        'Reprojection error beyond which a track counts as an outlier, in pixels of an image '
        '320 wide (scaled with the width).',
        unit='pixels',
        low=0.1,
        high=50.0,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class GuidanceSettings(Settings):
    """How strongly each denoising step is corrected; both weights 0 is plain sampling."""

    group = 'guidance'

    scale: float = setting(
        0.0,
        "Share by which each step pulls the overlap onto its predecessors' depth. 1 replaces it; "
        '0 leaves scale to the fit after sampling.',
        low=0.0,
        high=1.0,
        live=True,
    )
    geometry: float = setting(
        0.0,
        'Share by which each step pulls the window towards depth whose frames agree in 3D. 1 '
        'replaces it; 0 leaves geometry to geometry.refine.',
        low=0.0,
        high=1.0,
        live=True,
    )
    exact: bool = setting(
        default=False,
        description='Carry scale guidance through the network and geometry guidance through the '
        'decoder, by gradients: the reference, many times slower.',
        live=True,
    )
    every: int = setting(
        3,
        'Every so manieth frame is decoded and corrected in a step; those between follow their '
        'neighbours. 1 corrects all, and costs as many times more.',
        unit='frames',
        low=1,
        high=32,
        live=True,
    )
    min_sigma: float = setting(
        0.5,
        'Noise level below which a step is left alone: what guidance did there would not be '
        'harmonised by the network any more.',
        low=0.0,
        live=True,
    )
    max_sigma: float = setting(
        10.0,
        'Noise level above which a step is left alone: there the network forgets what guidance '
        'did, and the depth to be corrected is not there yet.',
        low=0.0,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class GeometrySettings(Settings):
    """How frames are made to agree in 3D after sampling."""

    group = 'geometry'

    refine: bool = setting(
        default=True,
        description="Bend each window's depth, smoothly, towards what its tracks triangulate to. "
        'Needs poses.derive; a camera that does not move, or a scene that does, is left as it is.',
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class DepthSettings(Settings):
    """What leaves as depth."""

    group = 'depth'

    upsampling: str = setting(
        'guided',
        "How disparity reaches the image's size: 'guided' follows the image's edges, 'linear' "
        'does not.',
        choices=('guided', 'linear'),
        live=True,
    )
    prior_shift: float = setting(
        0.4,
        "Disparity added before inverting, as a share of the first window's range, where the "
        "camera's motion does not tell. Larger pulls far things nearer.",
        low=0.001,
        high=10.0,
    )


@dataclass(frozen=True, kw_only=True)
class MetricSettings(Settings):
    """Where metres come from."""

    group = 'metric'

    source: str = setting(
        'none',
        "'none': depth has one constant unit for the whole run, not metres. 'odometry': the "
        "robot's odometry in tf tells the scale; needs poses.derive and a camera that moves. "
        "'camera_height': the height over a ground plane that is in view does; needs a camera "
        "that is level to 15 degrees. 'depth': a depth camera's images do, sparse ones as well, "
        "registered to the camera and of its size (16UC1 or 32FC1). 'points': a lidar's or depth "
        "camera's PointCloud2 does, placed before the camera by tf.",
        choices=('none', 'odometry', 'camera_height', 'depth', 'points'),
    )
    depth_slop: float = setting(
        0.02,
        'Where metric.source is depth or points: how far the stamps of an image and of what was '
        'measured nearest to it may be apart. Larger forgives sensors that are not in step, and '
        'errs while the robot moves: its motion between the two is not undone.',
        unit='seconds',
        low=0.0,
        high=10.0,
    )
    odom_frame: str = setting(
        'odom',
        "Frame of the robot's odometry in tf; the image's frame is looked up in it at the "
        "image's stamp.",
    )
    camera_height: float = setting(
        0.0,
        'Height of the lens over the ground, where metric.source is camera_height.',
        unit='metres',
        low=0.0,
        high=1000.0,
    )
    max_uncertainty: float = setting(
        0.1,
        'Relative standard deviation of the scale below which it counts as known; until then '
        'depth leaves in the unit of the run and is said not to be metric.',
        low=0.01,
        high=1.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source == 'camera_height' and self.camera_height <= 0.0:
            raise ConfigError(
                f'metric.source = camera_height needs metric.camera_height in metres; it is '
                f'{self.camera_height}'
            )


@dataclass(frozen=True, kw_only=True)
class DepthSyncSettings(Settings):
    """All of them; a dotted name such as window.length finds one."""

    model: ModelSettings = field(default_factory=ModelSettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    scale: ScaleSettings = field(default_factory=ScaleSettings)
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    geometry: GeometrySettings = field(default_factory=GeometrySettings)
    poses: PoseSettings = field(default_factory=PoseSettings)
    depth: DepthSettings = field(default_factory=DepthSettings)
    metric: MetricSettings = field(default_factory=MetricSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.metric.source == 'odometry' and not self.poses.derive:
            raise ConfigError(
                'metric.source = odometry compares the camera positions of poses.derive, which '
                'is off: turn it on, or set metric.source to none'
            )


def walk(settings: Settings, prefix: str = '') -> Iterator[tuple[str, Value, Field[Any]]]:
    """Give every setting as (dotted name, value, field), in the order of declaration."""
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        name = f'{prefix}{entry.name}'
        if isinstance(value, Settings):
            yield from walk(value, f'{name}.')
        else:
            yield name, value, entry


def with_values(settings: Tree, values: Mapping[str, Value]) -> Tree:
    """
    Return the settings with some dotted names changed, every rule checked again.

    :raises ConfigError: a name is unknown (the nearest known one is named), or a value breaks
        a rule.
    """
    known = [name for name, _, _ in walk(settings)]
    for name in values:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ConfigError(f'there is no setting {name!r}; the nearest is {nearest!r}')
    return _replaced(settings, '', values)


def _replaced(group: Tree, prefix: str, values: Mapping[str, Value]) -> Tree:
    changes: dict[str, Any] = {}
    for entry in fields(group):
        name = f'{prefix}{entry.name}'
        current = getattr(group, entry.name)
        if isinstance(current, Settings):
            changes[entry.name] = _replaced(current, f'{name}.', values)
        elif name in values:
            changes[entry.name] = values[name]
    return replace(group, **changes)


def _check(name: str, entry: Field[Any], value: Value) -> None:
    facts = entry.metadata
    wanted = type(entry.default)
    if type(value) is not wanted:
        raise ConfigError(
            f'{name} = {value!r} is {type(value).__name__}, it must be {wanted.__name__}'
        )
    unit = f' {facts["unit"]}' if facts['unit'] else ''
    low, high = facts['low'], facts['high']
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        limits = f'outside [{low}, {high}]' if high is not None else f'below {low}'
        raise ConfigError(f'{name} = {value}{unit} is {limits}')
    if facts['choices'] and value not in facts['choices']:
        raise ConfigError(f'{name} = {value!r} is none of {", ".join(facts["choices"])}')
