# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How the camera moves: a spline through poses, and builders of such splines.

The spline is the truth: position is a quintic spline, orientation a rotation spline, so velocity, angular
velocity and acceleration are its exact derivatives, whatever the poses came from.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import make_interp_spline
from scipy.spatial.transform import Rotation, RotationSpline

from event_perception.errors import DataError
from event_perception.simulation.signals import smooth_signal

KNOTS_PER_PERIOD = 40  # of the fastest component of a generated motion
MARGIN_S = 0.1  # generated motions start before and end after what is asked, so that ends are like the rest
# camera axes (x right, y down, z forward) of a camera that looks along world x, z up
LOOK_ALONG_X = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])


class SplineTrajectory:
    """A camera pose that is smooth in time.

    Args:
        t_s: Knot times (n,), increasing, n >= 6.
        position_m: Camera centres in the world (n, 3).
        orientation: Rotations world from camera (n).

    Raises:
        DataError: If there are too few knots or times do not increase.
    """

    def __init__(self, t_s: ArrayLike, position_m: ArrayLike, orientation: Rotation) -> None:
        knots = np.asarray(t_s, np.float64)
        if knots.size < 6 or not (np.diff(knots) > 0).all():
            raise DataError(f'a trajectory needs 6 or more increasing times; got {knots.size}')
        self.knots_s = knots
        self.start_s, self.end_s = float(knots[0]), float(knots[-1])
        self._position = make_interp_spline(knots, np.asarray(position_m, np.float64), k=5)
        self._velocity, self._acceleration = self._position.derivative(1), self._position.derivative(2)
        self._orientation = RotationSpline(knots, orientation)

    def pose(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """T_world_camera (n, 4, 4) at instants (n,)."""
        t = self._inside(t_s)
        T = np.zeros((t.size, 4, 4))
        T[:, :3, :3] = self._orientation(t).as_matrix()
        T[:, :3, 3] = self._position(t)
        T[:, 3, 3] = 1.0
        return T

    def omega(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Angular velocity in the camera frame (n, 3), rad/s."""
        return self._orientation(self._inside(t_s), 1)

    def velocity(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Velocity of the camera in the camera frame (n, 3), m/s."""
        t = self._inside(t_s)
        return self._orientation(t).inv().apply(self._velocity(t))

    def acceleration_world(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Acceleration of the camera in the world frame (n, 3), m/s^2, gravity not included."""
        return self._acceleration(self._inside(t_s))

    def _inside(self, t_s: ArrayLike) -> NDArray[np.float64]:
        t = np.atleast_1d(np.asarray(t_s, np.float64))
        if t.size and not (t.min() >= self.start_s - 1e-9 and t.max() <= self.end_s + 1e-9):
            raise DataError(
                f'time {t.min():g}..{t.max():g} s is outside the trajectory {self.start_s:g}..{self.end_s:g} s'
            )
        return t


def random_rotation(
    rng: np.random.Generator, *, duration_s: float, omega_rms_rad_s: float, bandwidth_hz: float
) -> SplineTrajectory:
    """Pure rotation with a smooth random angular velocity.

    Its root mean square over the duration and the three axes is ``omega_rms_rad_s``. The camera turns
    anywhere; the orientation is integrated from the angular velocity by the Magnus expansion of fourth order.
    """
    signal = smooth_signal(rng, rms=np.ones(3), low_hz=0.05 * bandwidth_hz, high_hz=bandwidth_hz)
    inside = np.linspace(0, duration_s, 2001)
    signal = signal.scaled(omega_rms_rad_s / np.sqrt(np.mean(signal(inside) ** 2)))
    knots = _knots(duration_s, bandwidth_hz)
    orientation = _integrate(signal, knots, LOOK_ALONG_X)
    return SplineTrajectory(knots, np.zeros((knots.size, 3)), orientation)


def hand_held(
    rng: np.random.Generator,
    *,
    duration_s: float,
    position_rms_m: float,
    rotation_rms_rad: float,
    bandwidth_hz: float = 2.0,
    centre_m: ArrayLike = (0.0, 0.0, 0.0),
    orientation: Rotation = LOOK_ALONG_X,
) -> SplineTrajectory:
    """A camera waved by hand about one pose: slow wandering and, falling with frequency, quicker shake."""
    low_hz = 0.05 * bandwidth_hz
    shift = smooth_signal(rng, rms=[position_rms_m] * 3, low_hz=low_hz, high_hz=bandwidth_hz, slope=1.0)
    turn = smooth_signal(rng, rms=[rotation_rms_rad] * 3, low_hz=low_hz, high_hz=bandwidth_hz, slope=1.0)
    knots = _knots(duration_s, bandwidth_hz)
    return SplineTrajectory(
        knots, np.asarray(centre_m) + shift(knots), orientation * Rotation.from_rotvec(turn(knots))
    )


def looking_at(
    position: Callable[[NDArray], NDArray],
    target_m: ArrayLike,
    *,
    duration_s: float,
    bandwidth_hz: float = 1.0,
) -> SplineTrajectory:
    """A camera that moves along ``position(t) -> (n, 3)`` and always looks at a point; world z is up."""
    knots = _knots(duration_s, bandwidth_hz)
    centre = position(knots)
    forward = np.asarray(target_m, np.float64) - centre
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    axes = np.stack([right, np.cross(forward, right), forward], axis=-1)
    return SplineTrajectory(knots, centre, Rotation.from_matrix(axes))


def orbit(
    *,
    duration_s: float,
    radius_m: float = 1.5,
    rate_rad_s: float = 0.4,
    rate_wobble: float = 0.0,
    wobble_hz: float = 0.15,
    height_m: float = 1.0,
    radial_m: float = 0.0,
    radial_hz: float = 0.2,
    vertical_m: float = 0.0,
    vertical_hz: float = 0.25,
    target_m: ArrayLike = (0.0, 0.0, 0.5),
) -> SplineTrajectory:
    """A circle about a target, with oscillation of speed, radius or height where asked.

    Angular rate of the circle: rate_rad_s (1 + rate_wobble sin(2 pi wobble_hz t)).
    """

    def position(t: NDArray) -> NDArray:
        radius = radius_m + radial_m * np.sin(2 * np.pi * radial_hz * t)
        height = height_m + vertical_m * np.sin(2 * np.pi * vertical_hz * t)
        turn = 2 * np.pi * wobble_hz
        angle = rate_rad_s * (t + rate_wobble * (1 - np.cos(turn * t)) / turn)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1)

    fastest = max(radial_hz, vertical_hz, wobble_hz, abs(rate_rad_s) / (2 * np.pi))
    return looking_at(position, target_m, duration_s=duration_s, bandwidth_hz=4 * fastest)


def walked_round(
    rng: np.random.Generator,
    *,
    duration_s: float,
    rounds: float = 1.2,
    radius_m: float = 1.2,
    height_m: float = 1.4,
    position_rms_m: float = 0.04,
    rotation_rms_rad: float = 0.06,
    bandwidth_hz: float = 1.5,
) -> SplineTrajectory:
    """A camera carried round in a circle, looking outwards, and shaken by the hand that carries it."""
    low_hz = 0.05 * bandwidth_hz
    shift = smooth_signal(rng, rms=[position_rms_m] * 3, low_hz=low_hz, high_hz=bandwidth_hz, slope=1.0)
    turn = smooth_signal(rng, rms=[rotation_rms_rad] * 3, low_hz=low_hz, high_hz=bandwidth_hz, slope=1.0)
    knots = _knots(duration_s, bandwidth_hz)
    angle = 2 * np.pi * rounds * knots / duration_s
    centre = np.stack(
        [radius_m * np.cos(angle), radius_m * np.sin(angle), np.full(angle.shape, height_m)], axis=-1
    )
    outwards = Rotation.from_rotvec(angle[:, None] * np.array([0.0, 0.0, 1.0])) * LOOK_ALONG_X
    return SplineTrajectory(knots, centre + shift(knots), outwards * Rotation.from_rotvec(turn(knots)))


def from_poses(t_s: ArrayLike, position_m: ArrayLike, quaternion_xyzw: ArrayLike) -> SplineTrajectory:
    """A trajectory through measured poses; its time starts at 0."""
    t = np.asarray(t_s, np.float64)
    return SplineTrajectory(t - t[0], position_m, Rotation.from_quat(np.asarray(quaternion_xyzw)))


def from_file(
    path: str | Path, *, start_s: float = 0.0, duration_s: float | None = None, spacing_s: float = 0.05
) -> SplineTrajectory:
    """Read ``t x y z qx qy qz qw`` lines (TUM, ECD groundtruth.txt), T_world_camera.

    Knots are means over ``spacing_s``: measured poses jitter, and a spline through every one of them would turn
    5 mm of jitter into 1 m/s of true velocity.

    Args:
        path: Text file; '#' starts a comment.
        start_s: Skipped at the beginning.
        duration_s: Read; all when None.
        spacing_s: Distance of knots.

    Raises:
        DataError: If rows do not have 8 columns.
    """
    rows = np.loadtxt(path, comments='#', ndmin=2)
    if rows.shape[1] != 8:
        raise DataError(f'{path}: {rows.shape[1]} columns; a trajectory has t x y z qx qy qz qw')
    t = rows[:, 0] - rows[0, 0] - start_s
    end_s = t[-1] if duration_s is None else duration_s
    use = (t >= -spacing_s) & (t <= end_s + 2 * spacing_s)
    t, rows = t[use], rows[use]
    group = np.floor(t / spacing_s).astype(np.int64)
    groups = [np.flatnonzero(group == g) for g in np.unique(group)]
    mean = np.array([np.append(t[g].mean(), rows[g, 1:4].mean(axis=0)) for g in groups])
    orientation = Rotation.concatenate([Rotation.from_quat(rows[g, 4:8]).mean() for g in groups])
    first = max(0.0, mean[0, 0])  # time 0 is start_s, or the first mean pose if nothing comes before
    return SplineTrajectory(mean[:, 0] - first, mean[:, 1:4], orientation)


def moved_to(trajectory: SplineTrajectory, centre_m: ArrayLike, orientation: Rotation) -> SplineTrajectory:
    """The same motion, moved rigidly so that it is at this place with this orientation at time 0."""
    knots, start = trajectory.knots_s, trajectory.pose(0.0)[0]
    poses = trajectory.pose(knots)
    turn = orientation * Rotation.from_matrix(start[:3, :3]).inv()
    path = np.asarray(centre_m) + turn.apply(poses[:, :3, 3] - start[:3, 3])
    return SplineTrajectory(knots, path, turn * Rotation.from_matrix(poses[:, :3, :3]))


def _knots(duration_s: float, bandwidth_hz: float) -> NDArray[np.float64]:
    n = int(np.ceil((duration_s + 2 * MARGIN_S) * bandwidth_hz * KNOTS_PER_PERIOD)) + 6
    return np.linspace(-MARGIN_S, duration_s + MARGIN_S, n)


def _integrate(omega: Callable[[NDArray], NDArray], t_s: NDArray, start: Rotation) -> Rotation:
    """R' = R [omega]_x from one instant to the next: Magnus expansion, two Gauss points a step."""
    step = np.diff(t_s)[:, None]
    offset = np.sqrt(3) / 6
    middle = t_s[:-1] + 0.5 * step[:, 0]
    a, b = omega(middle - offset * step[:, 0]), omega(middle + offset * step[:, 0])
    turns = Rotation.from_rotvec(0.5 * step * (a + b) + np.sqrt(3) / 12 * step**2 * np.cross(a, b))
    quaternions = np.empty((t_s.size, 4))
    current = start
    quaternions[0] = current.as_quat()
    for k in range(step.size):
        current = current * turns[k]
        quaternions[k + 1] = current.as_quat()
    return Rotation.from_quat(quaternions)
