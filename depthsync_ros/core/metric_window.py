"""What one solved window says of metres."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math

import numpy as np

from depthsync_ros.core.camera import unproject
from depthsync_ros.core.context import Run, Solved
from depthsync_ros.core.errors import ScaleError
from depthsync_ros.core.evidence import MetricDepth
from depthsync_ros.core.geometry import sample_maps, see
from depthsync_ros.core.ground import ground_height
from depthsync_ros.core.metric import compare_translations, INDEPENDENT, Observation
from depthsync_ros.core.parallax import compare_parallax
from depthsync_ros.core.poses import Sightings
from depthsync_ros.core.rigid import invert, transform
from depthsync_ros.core.scale import Gauge
from depthsync_ros.core.settings import MetricSettings
from depthsync_ros.core.shift import to_depth
from depthsync_ros.core.tracks import tabulate

MIN_POINTS = 100  # sightings of landmarks that depth is held against; fewer say nothing of it
PARALLAX_SIGMA = 0.01  # error of derived translation, as a share of the depth of what is seen
LANDMARK_SIGMA = 0.03  # relative error of a window's depth against its landmarks

MAX_SPREAD = math.log(2.0)  # of log(measured / derived); more, and they see different things
MEASURED_SIGMA = 0.03  # relative error of a window's depth against measured depth

GROUND_FRAMES = 5  # of a window, spread over it
GROUND_SIGMA = 0.08  # relative error of a height that is read off a network's depth


@dataclass(frozen=True)
class WindowMetres:
    """
    The scale of the window's camera positions, and that of its depth.

    They differ where depth and the points that the tracks have placed do: positions are in
    the unit of these points, and a network's depth may be off from it by some percent.
    """

    positions: Observation
    depth: Observation


def observe(solved: Sequence[Solved], run: Run, settings: MetricSettings) -> WindowMetres:
    """
    Ask the source that the settings name.

    :raises ScaleError: the window tells nothing of the scale.
    """
    if settings.source == 'camera_height':
        return observe_camera_height(solved, run, settings.camera_height)
    if settings.source in ('depth', 'points'):
        return observe_depth(solved, run)
    return observe_odometry(solved, run)


def observe_camera_height(solved: Sequence[Solved], run: Run, height_m: float) -> WindowMetres:
    """
    Hold the height of the camera over the ground it sees against the known one.

    :raises ScaleError: most frames show no plausible ground.
    """
    rows = np.unique(np.linspace(0, len(solved) - 1, GROUND_FRAMES).round().astype(int))
    votes, refusal = [], ''
    for row in rows:
        try:
            votes.append(math.log(height_m / _height(solved[row], run)))
        except ScaleError as error:
            refusal = str(error)
    if 2 * len(votes) <= len(rows):
        raise ScaleError(refusal)
    seen = Observation(float(np.median(votes)), math.hypot(GROUND_SIGMA, float(np.std(votes))))
    return WindowMetres(seen, seen)


def _height(one: Solved, run: Run) -> float:
    rows, cols = one.disparity.shape
    camera = one.accepted.frame.camera.resized(cols, rows)
    points = unproject(camera, to_depth(one.disparity, run.shift.value)).reshape(-1, 3)
    return ground_height(points[np.isfinite(points[:, 2])])


def observe_depth(solved: Sequence[Solved], run: Run) -> WindowMetres:
    """
    Hold a window's depth against depth that was measured at some of its pixels.

    The median of all ratios wins: half of the measurements may be wild.

    :raises ScaleError: there are too few, or they have nothing in common with ours.
    """
    votes = [
        _measured_votes(one, measured, run)
        for one in solved
        if (measured := one.accepted.frame.evidence.depth) is not None
    ]
    together = np.concatenate(votes) if votes else np.zeros(0)
    if len(together) < MIN_POINTS:
        raise ScaleError(
            f'depth was measured at {len(together)} pixels of the window where ours is known, '
            f'{MIN_POINTS} are needed'
        )
    middle = float(np.median(together))
    spread = 1.4826 * float(np.median(np.abs(together - middle)))
    if spread > MAX_SPREAD:
        raise ScaleError(
            f'measured and derived depth differ by a factor that scatters by {spread:.2f} in the '
            'logarithm: depth images must be registered to the camera, and points placed by the '
            'right transform'
        )
    sigma = math.hypot(MEASURED_SIGMA, spread / math.sqrt(INDEPENDENT))
    ratio = depth_against_landmarks(solved, run)
    positions = Observation(middle - math.log(ratio), math.hypot(sigma, LANDMARK_SIGMA))
    return WindowMetres(positions, Observation(middle, sigma))


def _measured_votes(one: Solved, measured: MetricDepth, run: Run) -> np.ndarray:
    """Give log(measured / derived) at every pixel that has both."""
    camera = one.accepted.frame.camera
    if measured.size != (camera.width, camera.height):
        raise ScaleError(
            f'measured depth is {measured.width}x{measured.height}, the image is '
            f'{camera.width}x{camera.height}: depth must be registered to the camera, pixel by '
            'pixel'
        )
    sampled = sample_maps(one.disparity[None], measured.pixels[None], camera)[0]
    ratio = measured.depth_m * (sampled + run.shift.value)
    votes: np.ndarray = np.log(ratio[(ratio > 0.0) & np.isfinite(ratio)])
    return votes


def observe_odometry(solved: Sequence[Solved], run: Run) -> WindowMetres:
    """
    Hold a window against the camera poses that its frames came with.

    Positions take the scale of derived translation, depth that of the points which tracks and
    measured poses triangulate.

    :raises ScaleError: it tells nothing of the scale.
    """
    measured = [one.accepted.frame.evidence.odom_T_cam for one in solved]
    positions = compare_translations([one.world_T_cam for one in solved], measured)
    moved = _translation(solved) / _usual_depth(solved, run)
    depth = compare_parallax(_sighted(solved, run), measured)
    return WindowMetres(
        replace(positions, sigma=math.hypot(positions.sigma, PARALLAX_SIGMA / moved)),
        replace(depth, sigma=math.hypot(depth.sigma, MEASURED_SIGMA)),
    )


def _sighted(solved: Sequence[Solved], run: Run) -> Sightings:
    """Give the window's tracks with the depth that it leaves with."""
    camera = solved[0].accepted.frame.camera
    tracks = tabulate([one.accepted.tracks for one in solved])
    maps = np.stack([one.disparity for one in solved])
    sampled = sample_maps(maps, tracks.pixels, camera)
    return see(tracks, sampled, Gauge(), run.shift, camera)


def _translation(solved: Sequence[Solved]) -> float:
    """Give the camera's farthest way from where the window starts, in the run's unit."""
    places = np.stack([one.world_T_cam[:3, 3] for one in solved if one.world_T_cam is not None])
    return float(np.linalg.norm(places - places[0], axis=1).max())


def _usual_depth(solved: Sequence[Solved], run: Run) -> float:
    middle = solved[len(solved) // 2].disparity
    return 1.0 / max(float(np.median(middle)) + run.shift.value, 1e-3)


def depth_against_landmarks(solved: Sequence[Solved], run: Run) -> float:
    """Give the median of landmark over network depth in the window; 1 where few are in view."""
    landmarks, ratios = run.landmarks, []
    for one in solved:
        tracks, camera = one.accepted.tracks, one.accepted.frame.camera
        prior = landmarks.prior(tracks.ids)
        if one.world_T_cam is None or not prior.known.any():
            continue
        z = transform(invert(one.world_T_cam), prior.points[prior.known])[:, 2]
        disparity = sample_maps(one.disparity[None], tracks.pixels[None, prior.known], camera)[0]
        ratio = z * (disparity + run.shift.value)
        ratios.append(ratio[(ratio > 0.0) & np.isfinite(ratio)])
    together = np.concatenate(ratios) if ratios else np.zeros(0)
    return float(np.median(together)) if len(together) >= MIN_POINTS else 1.0
