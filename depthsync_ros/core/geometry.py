"""A window's geometry: cameras and points from its depth and its tracks, and what they tell."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from depthsync_ros.core.bend import bend
from depthsync_ros.core.bundle import adjust, Bundle
from depthsync_ros.core.bundle_equations import Prior
from depthsync_ros.core.camera import Camera
from depthsync_ros.core.context import WindowContext
from depthsync_ros.core.errors import PoseError
from depthsync_ros.core.poses import PoseLimits, Sightings, sightings, solve_poses, WindowPoses
from depthsync_ros.core.rigid import invert, transform
from depthsync_ros.core.scale import Gauge, Placed
from depthsync_ros.core.shapes import Maps, Mask, Pixels, Transform
from depthsync_ros.core.shift import Shift, to_depth
from depthsync_ros.core.tracks import WindowTracks
from depthsync_ros.core.trajectory import world_from

POSE_TRACKS = 250  # the longest tracks find the cameras; all are placed afterwards
MAX_DEVIATION = 0.05  # median relative deviation of depth above which parallax tells nothing
PLACED_DEVIATION = 0.3  # of a point that may still have a say in the gauge
MIN_PLACED = 60  # sightings
MIN_ANCHORS = 12  # landmarks seen again; fewer tie no window to earlier ones
NETWORK_SIGMA = 0.12  # relative error of the network's depth beside which a point's own counts
MIN_STILL = 0.8  # share of tracks that must agree on one motion of the camera
NOTED_STILL = 0.9
MIN_BELIEF = 0.3

NO_PARALLAX = 'the camera hardly moves: depth stays as the network gives it'
SOME_MOVE = '{:.0%} of the tracks move on their own and are left out'
MUCH_MOVES = 'only {:.0%} of the tracks agree on one motion: depth stays as the network gives it'


@dataclass(frozen=True, eq=False)
class Geometry:
    """
    What a window's tracks told about it.

    anchors says how many of its points earlier windows had placed, where it stands in the run's
    world by them; 0 where it stands alone.

    Shapes: sampled (frames, points), the window's own disparity at the sightings. bundle is
        None where the tracks support no poses; notes say why, and what else was left out.
    """

    tracks: WindowTracks
    sampled: np.ndarray
    bundle: Bundle | None
    notes: tuple[str, ...] = ()
    anchors: int = 0

    @property
    def deviation(self) -> float:
        """Median relative standard deviation of the points' depth; infinite without points."""
        if self.bundle is None or not np.isfinite(self.bundle.deviation).any():
            return float('inf')
        return float(np.nanmedian(self.bundle.deviation))

    @property
    def has_parallax(self) -> bool:
        """Whether the camera moved enough to triangulate."""
        return self.deviation < MAX_DEVIATION

    @property
    def still(self) -> float:
        """Share of the tracks that agree on one motion of the camera."""
        if self.bundle is None:
            return 0.0
        sighted = np.isfinite(self.bundle.depth).any(axis=0)
        believed = self.bundle.point_belief[sighted] > MIN_BELIEF
        return float(believed.mean()) if believed.size else 0.0

    @property
    def is_sound(self) -> bool:
        """Whether depth may be corrected by it: parallax, and a scene that mostly stands still."""
        return self.has_parallax and self.still >= MIN_STILL

    @property
    def is_anchored(self) -> bool:
        """Whether its scale is that of earlier windows' points."""
        return self.anchors >= MIN_ANCHORS

    @property
    def placed(self) -> Placed | None:
        """
        What the points say about the window's gauge; None where they say too little.

        Their depth was handed on from earlier windows, or tied to it by the cameras' motion.
        """
        if self.bundle is None or self.still < MIN_STILL:
            return None
        depth, deviation = self.bundle.depth, self.bundle.deviation
        with np.errstate(invalid='ignore'):
            weight = self.bundle.point_belief / (NETWORK_SIGMA**2 + deviation**2)
            usable = np.isfinite(depth * self.sampled) & (deviation < PLACED_DEVIATION)
        usable &= self.bundle.point_belief > MIN_BELIEF
        if usable.sum() < MIN_PLACED:
            return None
        return Placed(self.sampled[usable], 1.0 / depth[usable], weight[usable])

    def bend(self, disparity: Maps, gauge: Gauge, shift: Shift, camera: Camera) -> Maps:
        """Bend the run's disparity onto the points, where there is parallax to place them."""
        if self.bundle is None or not self.is_sound:
            return disparity
        sampled = gauge.to_global(self.sampled) + shift.value
        bent = bend(disparity + shift.value, sampled, self.bundle, self.tracks.pixels, camera)
        return (bent - shift.value).astype(np.float32)


def see(
    tracks: WindowTracks, sampled: np.ndarray, gauge: Gauge, shift: Shift, camera: Camera
) -> Sightings:
    """Give the window's tracks their depth under a gauge and the run's shift."""
    return sightings(tracks, camera, to_depth(gauge.to_global(sampled), shift.value))


def reconstruct(
    context: WindowContext, tracks: WindowTracks, own: Maps, gauge: Gauge, shift: Shift
) -> Geometry:
    """
    Derive the window's cameras and points from its own disparity.

    Where earlier windows have left landmarks, and a posed frame to start from, the result
    stands in the run's world; else in the frame of the window's first posed camera.

    Shapes: own (frames, height, width) at the network's size.
    Source: the DepthSync poster: poses from video depth and 2D tracking, solved together.
    """
    camera = context.camera
    sampled = sample_maps(own, tracks.pixels, camera)
    seen = see(tracks, sampled, gauge, shift, camera)
    settings = context.settings.poses
    try:
        poses = solve_poses(_longest(seen), PoseLimits(settings.min_tracks, settings.max_error_px))
    except PoseError as error:
        return Geometry(tracks, sampled, None, (str(error),))
    known = context.world_T_known
    world_T_window = world_from(poses, known) if context.uses_landmarks else None
    if world_T_window is None:
        return _noted(Geometry(tracks, sampled, adjust(seen, poses)))
    prior = context.landmarks.prior(tracks.ids)
    bundle = _anchored(seen, poses, world_T_window, known, prior)
    return _noted(Geometry(tracks, sampled, bundle, anchors=int(prior.known.sum())))


def _anchored(
    seen: Sightings,
    poses: WindowPoses,
    world_T_window: Transform,
    known: list[Transform | None],
    prior: Prior,
) -> Bundle:
    """Adjust in the run's world: what earlier windows placed holds frame and scale."""
    world_T_cam = world_T_window @ poses.window_T_cam
    fixed = np.zeros(len(world_T_cam), bool)
    for position, placed in enumerate(known):
        if placed is not None:
            world_T_cam[position] = placed
            fixed[position] = True
    ratio = _landmark_ratio(seen, world_T_cam, fixed, prior)
    if fixed.any():
        last = world_T_cam[np.flatnonzero(fixed)[-1], :3, 3]
        world_T_cam[~fixed, :3, 3] = last + ratio * (world_T_cam[~fixed, :3, 3] - last)
    start = replace(poses, window_T_cam=world_T_cam, posed=poses.posed | fixed)
    return adjust(replace(seen, depth=ratio * seen.depth), start, prior, fixed)


def _landmark_ratio(seen: Sightings, world_T_cam: Transform, fixed: Mask, prior: Prior) -> float:
    """Find how many times farther landmarks are than the window's depth says; 1 where few tell."""
    rows, known = np.flatnonzero(fixed), prior.known
    if not (rows.size and known.any()):
        return 1.0
    points = np.broadcast_to(prior.points[known], (len(rows), int(known.sum()), 3))
    z = transform(invert(world_T_cam[rows]), points)[..., 2]
    with np.errstate(invalid='ignore', divide='ignore'):
        ratio = z / seen.depth[rows][:, known]
    ratio = ratio[np.isfinite(ratio) & (ratio > 0.0)]
    return float(np.median(ratio)) if ratio.size >= MIN_PLACED else 1.0


def _longest(seen: Sightings) -> Sightings:
    """Keep the tracks that are seen in most frames."""
    order = np.argsort(-seen.visible.sum(axis=0), kind='stable')[:POSE_TRACKS]
    kept = np.sort(order)
    return replace(
        seen, rays=seen.rays[:, kept], depth=seen.depth[:, kept], visible=seen.visible[:, kept]
    )


def _noted(geometry: Geometry) -> Geometry:
    """Say what the tracks do not support."""
    notes = [] if geometry.has_parallax else [NO_PARALLAX]
    if geometry.still < MIN_STILL:
        notes.append(MUCH_MOVES.format(geometry.still))
    elif geometry.still < NOTED_STILL:
        notes.append(SOME_MOVE.format(1.0 - geometry.still))
    return replace(geometry, notes=tuple(notes))


def sample_maps(maps: Maps, pixels: Pixels, camera: Camera) -> np.ndarray:
    """
    Read maps at full-image pixels, bilinearly; NaN where a pixel is NaN.

    Shapes: maps (frames, height, width) at any size; pixels (frames, points, 2); the result
        (frames, points).
    """
    height, width = maps.shape[1:]
    ratio = (width / camera.width, height / camera.height)
    if not pixels.shape[1]:
        return np.zeros(pixels.shape[:2])
    places = np.nan_to_num((pixels + 0.5) * ratio - 0.5).astype(np.float32)
    rows = [
        cv2.remap(grid, u[None], v[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        for grid, (u, v) in zip(maps, places.transpose(0, 2, 1), strict=True)
    ]
    return np.where(np.isfinite(pixels[..., 0]), np.stack(rows), np.nan)
