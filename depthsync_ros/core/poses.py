"""Camera poses of a window from its depth and its tracks."""

from dataclasses import dataclass

import numpy as np

from depthsync_ros.core.camera import Camera, rays
from depthsync_ros.core.errors import PoseError
from depthsync_ros.core.rigid import exponential, invert, procrustes, transform
from depthsync_ros.core.shapes import Mask, Points, Transform
from depthsync_ros.core.tracks import REFERENCE_WIDTH, WindowTracks

TRIPLETS = 64  # with 30 % outliers a clean triplet is missed with probability 0.66^64 = 3e-12
ROUNDS = 3  # placing the points and moving the cameras, in turn
STEPS = 3  # Gauss-Newton steps between them
TUKEY = 4.685  # errors beyond so many limits have no say


@dataclass(frozen=True)
class PoseLimits:
    """
    What a pose must be supported by.

    Units: max_error_px in pixels of an image 320 wide.
    """

    min_tracks: int = 15
    max_error_px: float = 2.0


@dataclass(frozen=True, eq=False)
class Sightings:
    """
    Tracks of a window as the solver wants them: ideal rays and the depth along each.

    Shapes: rays (frames, points, 3) with z = 1; depth (frames, points), NaN unknown; visible
        (frames, points): the ray is known. focal_px turns ray units into pixels.
    """

    rays: Points
    depth: np.ndarray
    visible: Mask
    focal_px: float
    width: int

    @property
    def points(self) -> Points:
        """Each sighting as an optical-frame point."""
        points: Points = self.rays * self.depth[..., None]
        return points

    def error_limit(self, limits: PoseLimits) -> float:
        """Give the outlier limit in ray units."""
        return limits.max_error_px * self.width / REFERENCE_WIDTH / self.focal_px


@dataclass(frozen=True, eq=False)
class WindowPoses:
    """
    Poses of a window in the frame of its first posed camera.

    Shapes: window_T_cam (frames, 4, 4), posed (frames,). A frame that is not posed holds NaN.
    Units: translation in depth's; residual_px is the median reprojection error of the inliers,
        capped_error_px the mean over all sightings, none counted above twice the limit.
    """

    window_T_cam: Transform
    posed: Mask
    residual_px: float
    capped_error_px: float
    tracks: int


def sightings(tracks: WindowTracks, camera: Camera, depth: np.ndarray) -> Sightings:
    """Undistort the tracks; depth (frames, points) is what each of them saw."""
    directions = np.full((*tracks.visible.shape, 3), np.nan)
    directions[tracks.visible] = rays(camera, tracks.pixels[tracks.visible])
    return Sightings(
        directions, depth, tracks.visible, (camera.fx + camera.fy) / 2.0, camera.width
    )


def solve_poses(seen: Sightings, limits: PoseLimits) -> WindowPoses:
    """
    Derive the window's camera poses: Procrustes frame by frame, then refinement on all.

    A frame that shares too few points with the posed ones stays unposed; the others go on.

    Source: the DepthSync poster ("poses derived from depth and 2D tracks"); Umeyama 1991.

    :raises PoseError: no two frames of the window share enough points.
    """
    cam_T_window, posed = _longest_chain(seen, limits)
    if posed.sum() < 2:
        raise PoseError(
            f'no two of {len(posed)} frames share {limits.min_tracks} tracks with known depth; '
            'the view may be textureless, blurred or cut; this window has no poses'
        )
    limit = seen.error_limit(limits)
    points_window = place_points(seen, cam_T_window, posed)
    for _ in range(ROUNDS):
        belief = _believe(_errors(seen, points_window, cam_T_window), posed, limit)
        points_window = place_points(seen, cam_T_window, posed, belief)
        cam_T_window = _refine(seen, points_window, cam_T_window, belief, limit)
        points_window = place_points(seen, cam_T_window, posed, belief)
    error = _errors(seen, points_window, cam_T_window)[posed]
    return _summary(seen, cam_T_window, posed, error, 2.0 * limit)


def _longest_chain(seen: Sightings, limits: PoseLimits) -> tuple[Transform, Mask]:
    """Start where the longest row of frames hangs together: a cut leaves more than one."""
    longest = _chain(seen, 0, limits)
    open_frames = ~longest[1]
    while open_frames.sum() > longest[1].sum():
        chain = _chain(seen, int(np.argmax(open_frames)), limits)
        open_frames &= ~chain[1]
        longest = max(longest, chain, key=lambda candidate: int(candidate[1].sum()))
    return longest


def _chain(seen: Sightings, start: int, limits: PoseLimits) -> tuple[Transform, Mask]:
    """Pose each frame from start on against the points that the frames before it have placed."""
    frames, points = seen.visible.shape
    cam_T_window = np.tile(np.eye(4), (frames, 1, 1))
    known = seen.visible & np.isfinite(seen.depth)
    posed = np.zeros(frames, bool)
    posed[start] = True
    total, count = np.zeros((points, 3)), np.zeros(points)
    generator = np.random.default_rng(0)
    for frame in range(start, frames):
        agreeing = known[frame].copy()
        if frame > start:
            shared = known[frame] & (count > 0)
            if shared.sum() < limits.min_tracks:
                continue
            placed = total[shared] / count[shared, None]
            fitted = _fit_frame(seen, frame, shared, placed, limits, generator)
            if fitted is None:
                continue
            cam_T_window[frame], inliers = fitted
            posed[frame] = True
            agreeing[shared] = inliers
        here = transform(invert(cam_T_window[frame]), seen.points[frame, agreeing])
        total[agreeing] += here
        count[agreeing] += 1.0
    return cam_T_window, posed


def _fit_frame(
    seen: Sightings,
    frame: int,
    shared: Mask,
    points_window: Points,
    limits: PoseLimits,
    generator: np.random.Generator,
) -> tuple[Transform, Mask] | None:
    """Find cam_T_window of one frame by consensus, and who agrees; None where too few do."""
    directions, points_cam = seen.rays[frame, shared], seen.points[frame, shared]
    picks = generator.random((TRIPLETS, len(points_cam))).argpartition(3, axis=1)[:, :3]
    flat = np.ones(picks.shape)
    guesses = procrustes(points_cam[picks], points_window[picks], flat)
    limit = 2.0 * seen.error_limit(limits)
    error = _ray_error(transform(guesses, points_window), directions)
    votes = np.minimum(error, limit).sum(axis=1)
    inliers = error[np.argmin(votes)] < limit
    best = guesses[np.argmin(votes)]
    for _ in range(2):
        if inliers.sum() < limits.min_tracks:
            return None
        weights = inliers / points_cam[:, 2] ** 2
        best = procrustes(points_cam, points_window, weights)
        best = _newton(best[None], points_window[None], directions[None], inliers[None], limit)[0]
        error = _ray_error(transform(best, points_window), directions)
        inliers = error < limit
    return best, inliers


def place_points(
    seen: Sightings, cam_T_window: Transform, posed: Mask, belief: np.ndarray | None = None
) -> Points:
    """Place each track where its believed sightings agree; far sightings count less."""
    placed = transform(invert(cam_T_window), seen.points)
    usable = seen.visible & np.isfinite(seen.depth) & posed[:, None]
    weights = np.where(usable, 1.0 / np.maximum(seen.depth, 1e-9) ** 2, 0.0)
    if belief is not None:
        weights *= belief
    placed = np.where(usable[..., None], placed, 0.0)
    total = weights.sum(axis=0)
    mean = (weights[..., None] * placed).sum(axis=0)
    points_window: Points = mean / np.where(total > 0.0, total, np.nan)[:, None]
    return points_window


def _believe(error: np.ndarray, posed: Mask, limit: float) -> np.ndarray:
    """
    Give each sighting its say: none where its track moves on its own, or it alone is off.

    Shapes: error (frames, points) in ray units, inf where there is no sighting.
    """
    sighted = np.isfinite(error) & posed[:, None]
    counts = sighted.sum(axis=0)
    ordered = np.sort(np.where(sighted, error, np.inf), axis=0)
    middle = np.take_along_axis(ordered, np.maximum(counts - 1, 0)[None] // 2, axis=0)[0]
    return np.where(sighted, _biweight(error, limit) * _biweight(middle, limit), 0.0)


def _biweight(error: np.ndarray, limit: float) -> np.ndarray:
    with np.errstate(over='ignore'):
        return np.clip(1.0 - (error / (TUKEY * limit)) ** 2, 0.0, None) ** 2


def _refine(
    seen: Sightings,
    points_window: Points,
    cam_T_window: Transform,
    belief: np.ndarray,
    limit: float,
) -> Transform:
    """Improve all poses on the reprojection of the placed points."""
    belief = np.where(np.isfinite(points_window[:, 0]), belief, 0.0)
    placed = np.broadcast_to(np.nan_to_num(points_window), (len(belief), *points_window.shape))
    return _newton(cam_T_window, placed, np.nan_to_num(seen.rays), belief, limit)


def _newton(
    cam_T_window: Transform,
    points_window: Points,
    directions: Points,
    belief: np.ndarray,
    limit: float,
) -> Transform:
    """
    Minimise the reprojection error over poses alone, all frames at once.

    Source: Gauss-Newton with Tukey's biweight, which gives an error above 4.7 limits no say.
    """
    for _ in range(STEPS):
        points_cam = transform(cam_T_window, points_window)
        z = np.where(points_cam[..., 2] > 1e-6, points_cam[..., 2], np.inf)
        image = points_cam[..., :2] / z[..., None]
        residual = directions[..., :2] - image
        error = np.linalg.norm(residual, axis=-1)
        weights = np.where(np.isfinite(z), belief * _biweight(error, limit), 0.0)
        jacobian = _jacobian(image, z, points_cam)
        rows = jacobian.reshape(len(jacobian), -1, 6)
        weighted = np.swapaxes((jacobian * weights[..., None, None]).reshape(rows.shape), 1, 2)
        normal, right = weighted @ rows, weighted @ residual.reshape(len(rows), -1, 1)
        damping = 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-12
        step = np.linalg.solve(normal + damping * np.eye(6), right)[..., 0]
        cam_T_window = exponential(step) @ cam_T_window
    return cam_T_window


def _jacobian(image: np.ndarray, z: np.ndarray, points_cam: Points) -> np.ndarray:
    """Differentiate (x/z, y/z) by a step (translation, rotation) applied in the camera."""
    x, y = image[..., 0], image[..., 1]
    inverse = 1.0 / z
    zero = np.zeros_like(x)
    return np.stack(
        [
            np.stack([inverse, zero, -x * inverse, -x * y, 1.0 + x**2, -y], axis=-1),
            np.stack([zero, inverse, -y * inverse, -1.0 - y**2, x * y, x], axis=-1),
        ],
        axis=-2,
    )


def _summary(
    seen: Sightings, cam_T_window: Transform, posed: Mask, error: np.ndarray, limit: float
) -> WindowPoses:
    """Express the poses in the first posed camera, and say how well they fit."""
    inliers = error < limit
    sighted = seen.visible[posed] & np.isfinite(seen.depth[posed])
    capped = np.minimum(error[sighted], limit)
    window_T_cam = np.full_like(cam_T_window, np.nan)
    window_T_cam[posed] = invert(cam_T_window[posed])
    first_T_window = cam_T_window[np.argmax(posed)]
    return WindowPoses(
        first_T_window @ window_T_cam,
        posed,
        float(np.median(error[inliers]) * seen.focal_px) if inliers.any() else float('nan'),
        float(capped.mean() * seen.focal_px) if capped.size else float('inf'),
        int(inliers.any(axis=0).sum()),
    )


def _errors(seen: Sightings, points_window: Points, cam_T_window: Transform) -> np.ndarray:
    """Give every sighting's reprojection error in ray units; inf where it has none."""
    placed = np.broadcast_to(points_window, (len(cam_T_window), *points_window.shape))
    error = _ray_error(transform(cam_T_window, placed), seen.rays)
    return np.where(seen.visible & np.isfinite(error), error, np.inf)


def _ray_error(points_cam: Points, directions: Points) -> np.ndarray:
    z = points_cam[..., 2]
    with np.errstate(divide='ignore', invalid='ignore'):
        image = points_cam[..., :2] / z[..., None]
    error = np.linalg.norm(image - directions[..., :2], axis=-1)
    return np.where(z > 1e-6, error, np.inf)
