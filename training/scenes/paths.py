"""
Camera paths through a furnished room: held in a hand, on a robot's base, under a drone.

Convention: world_T_cam maps optical coordinates (x right, y down, z forward) to the world.
Times are seconds; a path can be evaluated at any time, so frames may be skipped.
"""

from dataclasses import dataclass

import numpy as np

from training.scenes.room import Room

Rng = np.random.Generator
CLEARANCE_M = 0.3
GIVE_UP = 400


class NoPathError(RuntimeError):
    """The room leaves the camera no way to go."""


@dataclass(frozen=True, kw_only=True)
class Wave:
    """
    A sum of sines, one row for each.

    Shapes: amplitude (N, D), frequency_hz, phase_rad (N,).
    """

    amplitude: np.ndarray
    frequency_hz: np.ndarray
    phase_rad: np.ndarray

    def at(self, times: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * times[:, None] * self.frequency_hz + self.phase_rad
        return np.sin(angle) @ self.amplitude

    def fastest(self, duration: float) -> float:
        """Find the largest speed over a duration, in units a second."""
        times = np.linspace(0, duration, max(8, int(duration * 30)))
        angle = 2 * np.pi * times[:, None] * self.frequency_hz + self.phase_rad
        speed = (np.cos(angle) * 2 * np.pi * self.frequency_hz) @ self.amplitude
        return float(np.linalg.norm(speed, axis=1).max())

    def scaled(self, factor: float) -> 'Wave':
        return Wave(
            amplitude=self.amplitude * factor,
            frequency_hz=self.frequency_hz,
            phase_rad=self.phase_rad,
        )


def wave(rng: Rng, spread: np.ndarray, low_hz: float, high_hz: float, number: int = 4) -> Wave:
    frequency = rng.uniform(low_hz, high_hz, number)
    return Wave(
        amplitude=rng.standard_normal((number, len(spread))) * spread / np.sqrt(number),
        frequency_hz=frequency,
        phase_rad=rng.uniform(0, 2 * np.pi, number),
    )


@dataclass(frozen=True, kw_only=True)
class Path:
    """
    Where the camera is: key poses joined smoothly, with sway and tremor on top.

    Shapes: knots_s (K,), position (K, 3), angles (K, 3) = yaw, pitch, roll in radians.
    """

    knots_s: np.ndarray
    position: np.ndarray
    angles: np.ndarray
    sway: Wave
    swing: Wave
    tremor: Wave
    shake: Wave

    def poses(self, times: np.ndarray) -> np.ndarray:
        position = ease(times, self.knots_s, self.position) + self.sway.at(times)
        angles = ease(times, self.knots_s, self.angles) + self.swing.at(times)
        position = position + self.tremor.at(times)
        angles = angles + self.shake.at(times)
        return np.stack([make_pose(p, a) for p, a in zip(position, angles, strict=True)])


def ease(times: np.ndarray, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """
    Run through the knots with a speed that changes smoothly (Catmull-Rom).

    >>> ease(np.array([0.5]), np.array([0.0, 1.0]), np.array([[0.0], [2.0]])).item()
    1.0
    """
    if len(knots) == 1:
        return np.broadcast_to(values[0], (len(times), values.shape[1])).copy()
    slopes = np.gradient(values, knots, axis=0)
    i = np.clip(np.searchsorted(knots, times, side='right') - 1, 0, len(knots) - 2)
    span = (knots[i + 1] - knots[i])[:, None]
    u = np.clip((times - knots[i])[:, None] / span, 0, 1)
    return (
        (2 * u**3 - 3 * u**2 + 1) * values[i]
        + (u**3 - 2 * u**2 + u) * span * slopes[i]
        + (3 * u**2 - 2 * u**3) * values[i + 1]
        + (u**3 - u**2) * span * slopes[i + 1]
    )


def make_pose(position: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turn yaw (about up), pitch (up positive) and roll into world_T_cam."""
    yaw, pitch, roll = angles
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    world_T_cam = np.eye(4)
    world_T_cam[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
    world_T_cam[:3, 1] = -np.sin(roll) * right + np.cos(roll) * down
    world_T_cam[:3, 2] = forward
    world_T_cam[:3, 3] = position
    return world_T_cam


def look_angles(position: np.ndarray, point: np.ndarray) -> np.ndarray:
    offset = point - position
    yaw = np.arctan2(offset[1], offset[0])
    return np.array([yaw, np.arctan2(offset[2], np.hypot(offset[0], offset[1])), 0.0])


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What carries the camera. Units: metres, m/s, degrees a second."""

    height_m: tuple[float, float]
    speed: float
    turn_rate: float
    vertical: float
    roll_rad: float
    tremor_m: float
    shake_rad: float
    keep_pitch: bool = False


HAND_HELD = Platform(
    height_m=(1.3, 1.7),
    speed=0.4,
    turn_rate=20.0,
    vertical=0.3,
    roll_rad=0.01,
    tremor_m=0.001,
    shake_rad=0.0015,
)


def choose_platform(rng: Rng) -> Platform:
    kind = rng.random()
    speed = float(rng.beta(1.2, 2.0))
    rate = 90.0 * float(rng.beta(1.0, 2.4))
    if kind < 0.7:
        seated = rng.random() < 0.4
        return Platform(
            height_m=(0.9, 1.4) if seated else (1.2, 1.8),
            speed=speed * (0.5 if seated else 1.0),
            turn_rate=rate,
            vertical=0.6,
            roll_rad=float(rng.choice([0.03, 0.08, 0.25])),
            tremor_m=0.002,
            shake_rad=0.004,
        )
    if kind < 0.85:
        level = float(rng.uniform(0.25, 1.2))
        return Platform(
            height_m=(level, level),
            speed=speed,
            turn_rate=rate,
            vertical=0.0,
            roll_rad=0.004,
            tremor_m=0.0007,
            shake_rad=0.0015,
            keep_pitch=True,
        )
    return Platform(
        height_m=(0.6, 2.2),
        speed=speed,
        turn_rate=rate,
        vertical=0.8,
        roll_rad=0.06,
        tremor_m=0.001,
        shake_rad=0.002,
    )


def view_point(
    rng: Rng, room: Room, platform: Platform, nearest_m: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Pick a place to stand and a point to look at."""
    weights = np.array([target.weight for target in room.targets])
    for _ in range(GIVE_UP):
        target = room.targets[int(rng.choice(len(weights), p=weights / weights.sum()))]
        near, far = np.maximum(target.reach_m, (nearest_m, 1.8 * nearest_m))
        distance = near * (far / near) ** rng.random()
        point = np.asarray(target.point)
        height = float(rng.uniform(*platform.height_m))
        if distance < 1.2 and not platform.keep_pitch:
            height = point[2] + distance * float(rng.uniform(0.1, 0.95))
        rise = height - point[2]
        flat = np.sqrt(max(distance**2 - rise**2, 0.04))
        bearing = rng.uniform(-np.pi, np.pi)
        position = np.array(
            [point[0] + flat * np.cos(bearing), point[1] + flat * np.sin(bearing), height]
        )
        if room.clearance(position[None])[0] > CLEARANCE_M + 0.05:
            gaze = point + rng.normal(0, 0.12, 3) * np.linalg.norm(point - position)
            if platform.keep_pitch:
                gaze[2] = height + 0.35 * (gaze[2] - height)
            return position, gaze
    raise NoPathError('no free place to look at anything')


def is_free(room: Room, start: np.ndarray, end: np.ndarray) -> bool:
    steps = np.linspace(0, 1, max(2, int(np.linalg.norm(end - start) / 0.08)))[:, None]
    return bool(room.clearance(start + steps * (end - start)).min() > CLEARANCE_M)


def short_path(rng: Rng, room: Room, duration: float) -> Path:
    """Stay about one place and sway, drift, look around."""
    platform = choose_platform(rng)
    for _ in range(40):
        position, gaze = view_point(rng, room, platform)
        angles = look_angles(position, gaze)
        angles[2] = rng.normal(0, platform.roll_rad)
        spread = np.array([1.0, 1.0, platform.vertical])
        sway = wave(rng, spread, 0.08, 0.6)
        sway = sway.scaled(
            platform.speed * rng.uniform(0.5, 1) / max(sway.fastest(duration), 1e-6)
        )
        turning = np.array([1.0, 0.1 if platform.keep_pitch else 0.6, 2 * platform.roll_rad])
        swing = wave(rng, turning, 0.08, 0.7)
        rate = np.deg2rad(platform.turn_rate) * rng.uniform(0.3, 1)
        swing = swing.scaled(rate / max(swing.fastest(duration), 1e-6))
        path = assemble(rng, platform, np.zeros(1), position[None], angles[None], sway, swing)
        poses = path.poses(np.linspace(0, duration, 16))
        pitch = np.arcsin(np.clip(poses[:, 2, 2], -1, 1))
        free = room.clearance(poses[:, :3, 3]).min() > CLEARANCE_M
        if free and pitch.max() < 0.75 and pitch.min() > -1.35:
            return path
    raise NoPathError('no swaying path keeps clear of the furniture')


def turning_path(rng: Rng, room: Room, duration: float) -> Path:
    """Turn fast about all axes, held in a hand: the lens moves by centimetres."""
    for _ in range(40):
        position, gaze = view_point(rng, room, HAND_HELD, 0.8)
        sway = wave(rng, np.ones(3), 0.1, 0.8)
        sway = sway.scaled(rng.uniform(0.05, 0.2) / max(sway.fastest(duration), 1e-6))
        swing = wave(rng, np.array([1.0, 0.6, 1.0]), 0.1, 0.5)
        rate = np.deg2rad(rng.uniform(40, 110))
        swing = swing.scaled(rate / max(swing.fastest(duration), 1e-6))
        angles = look_angles(position, gaze)
        path = assemble(rng, HAND_HELD, np.zeros(1), position[None], angles[None], sway, swing)
        poses = path.poses(np.arange(0, duration, 0.2))
        pitch = np.arcsin(np.clip(poses[:, 2, 2], -1, 1))
        if room.clearance(poses[:, :3, 3]).min() > CLEARANCE_M and np.abs(pitch).max() < 1.2:
            return path
    raise NoPathError('no turning path keeps clear of the furniture')


def long_path(rng: Rng, room: Room, duration: float) -> Path:
    """Walk from view point to view point, as one who explores the room."""
    platform = choose_platform(rng)
    turn_rate = np.deg2rad(rng.uniform(20, 55))
    speed = float(rng.uniform(0.2, 0.8))
    return walk(rng, room, duration, Pace(platform=platform, speed=speed, turn_rate=turn_rate))


def steady_path(rng: Rng, room: Room, duration: float) -> Path:
    """Walk slowly and keep some distance, as one who shows a room."""
    pace = Pace(platform=HAND_HELD, speed=0.4, turn_rate=np.deg2rad(16), nearest_m=1.3)
    return walk(rng, room, duration, pace)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How one walks. Units: m/s, rad/s; `nearest_m` is kept from what is looked at."""

    platform: Platform
    speed: float
    turn_rate: float
    nearest_m: float = 0.0


def walk(rng: Rng, room: Room, duration: float, pace: Pace) -> Path:
    platform, speed, turn_rate = pace.platform, pace.speed, pace.turn_rate
    position, gaze = view_point(rng, room, platform, pace.nearest_m)
    positions, angles, knots = [position], [look_angles(position, gaze)], [0.0]
    misses = 0
    while knots[-1] < duration:
        end, gaze = view_point(rng, room, platform, pace.nearest_m)
        misses += 1
        if not is_free(room, positions[-1], end):
            if misses < GIVE_UP:
                continue
            end = positions[-1]
        misses = 0
        turned = look_angles(end, gaze)
        turned[0] = angles[-1][0] + (turned[0] - angles[-1][0] + np.pi) % (2 * np.pi) - np.pi
        turned[2] = rng.normal(0, platform.roll_rad)
        needed = max(
            np.linalg.norm(end - positions[-1]) / speed,
            np.abs(turned - angles[-1]).max() / turn_rate,
            0.6,
        )
        knots.append(knots[-1] + 1.3 * needed)
        positions.append(end)
        angles.append(turned)
    sway = wave(rng, np.full(3, 0.006), 0.3, 1.5)
    swing = wave(rng, np.full(3, 0.012), 0.2, 1.0)
    path = assemble(
        rng, platform, np.array(knots), np.array(positions), np.array(angles), sway, swing
    )
    poses = path.poses(np.arange(0, duration, 0.1))
    if room.clearance(poses[:, :3, 3]).min() < CLEARANCE_M - 0.05:
        raise NoPathError('the smoothed path cuts a corner')
    return path


def assemble(
    rng: Rng,
    platform: Platform,
    knots: np.ndarray,
    positions: np.ndarray,
    angles: np.ndarray,
    sway: Wave,
    swing: Wave,
) -> Path:
    return Path(
        knots_s=knots,
        position=positions,
        angles=angles,
        sway=sway,
        swing=swing,
        tremor=wave(rng, np.full(3, platform.tremor_m * rng.uniform(0.2, 1)), 2.0, 8.0, 6),
        shake=wave(rng, np.full(3, platform.shake_rad * rng.uniform(0.2, 1)), 2.0, 9.0, 6),
    )
