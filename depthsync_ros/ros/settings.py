"""The node's own settings, declared as the core's are; they know no ROS either."""

from dataclasses import dataclass, field

from depthsync_ros.core.errors import ConfigError
from depthsync_ros.core.settings import setting, Settings


@dataclass(frozen=True, kw_only=True)
class InputSettings(Settings):
    """How images come in."""

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
class TfSettings(Settings):
    """What goes to tf."""

    arrangement: str = setting(
        'camera_to_world_child',
        "'camera_to_world_child' makes the world a child of the image's frame, which can never "
        "give the robot's camera a second parent; 'off' sends no transforms.",
        choices=('camera_to_world_child', 'off'),
    )
    world_frame: str = setting(
        'depthsync_world', "Name of the run's world frame, in tf and in odometry."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.world_frame or self.world_frame.startswith('/'):
            raise ConfigError(
                f'tf.world_frame = {self.world_frame!r} must be a name without a leading slash'
            )


@dataclass(frozen=True, kw_only=True)
class NodeSettings(Settings):
    """All settings that only the node has."""

    input: InputSettings = field(default_factory=InputSettings)
    tf: TfSettings = field(default_factory=TfSettings)
