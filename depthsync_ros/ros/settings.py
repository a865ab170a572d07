"""The node's own settings, declared as the core's are; they know no ROS either."""

from dataclasses import dataclass, field

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import DepthSyncSettings, setting, Settings

NEED_METRES = ('odom_to_base', 'map_to_odom')  # these arrangements speak of the robot's own frames


@dataclass(frozen=True, kw_only=True)
class InputSettings(Settings):
    """How images come in."""

    group = 'input'

    transport: str = setting(
        'raw',
        "'raw' subscribes to the image topic itself, 'compressed' to <image topic>/compressed "
        'as image_transport names it; take it where the camera is across a network.',
        choices=('raw', 'compressed'),
    )
    reliability: str = setting(
        'sensor_data',
        "'sensor_data' (best effort) hears every publisher and may lose images; 'reliable' loses "
        'none and hears reliable publishers only.',
        choices=('sensor_data', 'reliable'),
    )
    camera_info: str = setting(
        'synchronised',
        "Which camera_info describes an image: 'synchronised' takes the one of exactly its stamp; "
        "'latched' takes the one heard last for every image, also from a publisher that sent it "
        'once (transient local). Images that come before the first are dropped, and counted.',
        choices=('synchronised', 'latched'),
    )
    history: int = setting(
        60,
        'Messages the middleware keeps for each input topic until the node takes them; larger '
        'bridges longer pauses of the process.',
        unit='messages',
        low=1,
        high=10000,
    )
    overload: str = setting(
        'drop_oldest',
        'What goes when images come faster than depth can be computed and the queue is full. '
        "'drop_oldest': the oldest image, which keeps latency low and loses whole stretches of "
        "video. 'stride': every second waiting image, and from then on only every 2nd, 4th, "
        '8th... is taken until the node has caught up, so windows stay evenly spaced in time.',
        choices=('drop_oldest', 'stride'),
    )
    queue_frames: int = setting(
        0,
        'Frames that wait while a window is computed; input.overload says which go, and are '
        'counted, when one more comes. Larger rides out longer windows, and needs memory and '
        "time. 0 takes twice the window's length, but at least 60.",
        unit='frames',
        low=0,
        high=100000,
    )
    rectified: bool = setting(
        False,
        'Whether the image topic carries rectified images: then P of camera_info describes them '
        'and there is no distortion. Off: raw images, described by K and D.',
    )


@dataclass(frozen=True, kw_only=True)
class OutputSettings(Settings):
    """What leaves, and how it is written."""

    group = 'output'

    depth_encoding: str = setting(
        '32FC1',
        "'32FC1': metres, or the run's unit while depth is not metric, NaN unknown. '16UC1': "
        'millimetres, 0 unknown; needs a metric.source, and is all 0 until it knows the scale.',
        choices=('32FC1', '16UC1'),
    )
    path_poses: int = setting(
        4000,
        'Poses that the path may hold; when it is full, every second one is left out, so it '
        'stays whole. Larger is finer, and each message is larger.',
        unit='poses',
        low=2,
        high=1000000,
    )


@dataclass(frozen=True, kw_only=True)
class TfSettings(Settings):
    """What goes to tf; no frame is ever given a second parent."""

    group = 'tf'

    arrangement: str = setting(
        'camera_to_world_child',
        "'camera_to_world_child' makes the world a child of the image's frame, which can never "
        "give the robot's camera a second parent. 'world_to_camera': tf.world_frame -> "
        "tf.camera_frame, a frame of our own. 'odom_to_base': tf.odom_frame -> tf.base_frame by "
        "the camera's place on the robot, as visual odometry does. 'map_to_odom': tf.map_frame "
        "-> tf.odom_frame, a correction of the robot's own odometry. The last two need a "
        "metric.source. 'off' sends no transforms.",
        choices=('camera_to_world_child', 'world_to_camera', 'odom_to_base', 'map_to_odom', 'off'),
    )
    world_frame: str = setting(
        'depthsync_world', "Name of the run's world frame, in tf and in odometry."
    )
    camera_frame: str = setting(
        'depthsync_camera', 'Frame of the camera where tf.arrangement is world_to_camera; optical.'
    )
    odom_frame: str = setting('odom', "Frame of the robot's odometry.")
    base_frame: str = setting('base_link', "Frame of the robot's body.")
    map_frame: str = setting('map', 'Frame of the map where tf.arrangement is map_to_odom.')

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ('world_frame', 'camera_frame', 'odom_frame', 'base_frame', 'map_frame')
        for name in names:
            value = getattr(self, name)
            if not value or value.startswith('/'):
                raise ConfigError(f'tf.{name} = {value!r} must be a name without a leading slash')
            alike = [other for other in names if getattr(self, other) == value]
            if len(alike) > 1:
                raise ConfigError(
                    f'tf.{alike[0]} and tf.{alike[1]} are both {value!r}: no frame can be its own '
                    'parent; give them different names'
                )


@dataclass(frozen=True, kw_only=True)
class NodeSettings(Settings):
    """All settings that only the node has."""

    input: InputSettings = field(default_factory=InputSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    tf: TfSettings = field(default_factory=TfSettings)


def check_together(core: DepthSyncSettings, node: NodeSettings) -> None:
    """
    Refuse what the core's and the node's settings ask of each other in vain.

    :raises ConfigError: something needs metres, or poses, and there will be none.
    """
    arrangement = node.tf.arrangement
    if arrangement in NEED_METRES and not core.poses.derive:
        raise ConfigError(
            f'tf.arrangement = {arrangement} needs poses, and poses.derive is off: turn it on, or '
            'set tf.arrangement to off'
        )
    if core.metric.source != 'none':
        return
    wanting = []
    if node.output.depth_encoding == '16UC1':
        wanting.append('output.depth_encoding = 16UC1 (millimetres)')
    if arrangement in NEED_METRES:
        wanting.append(f'tf.arrangement = {arrangement}')
    if wanting:
        raise ConfigError(
            f'{" and ".join(wanting)} needs metres, and metric.source is none: depth then has a '
            'unit of its own; set metric.source'
        )
