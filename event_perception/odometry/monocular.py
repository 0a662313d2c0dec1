# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pose in six degrees of freedom from events and a gyroscope alone; the unit of length is assumed.

    start: the first events on a plane that faces the camera, at an assumed depth
    every window: turn by the gyroscope, shift by the last velocity; events moved to one instant
                  points of the last maps climb the edges; the correction also teaches the bias of the gyroscope
    when the view has changed and the past has parallax: sweep its events through space, a new map
    without a good window for a while: lost; later begin again where it was last known to be

Sources: Rebecq and others, EVO, RA-L 2017 (tracking and mapping in parallel); EMVS, IJCV 2018 (mapping). The parallax
gate, the start from a plane, and tracking on the image of the events are this package's.
"""

from collections import deque
from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow, ImuSample
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import se3_inverse, se3_log
from event_perception.motion.result import EgomotionResult
from event_perception.odometry.edge_climbing import Climb, bin_pixels, climb, edge_images, move_pixels
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.monocular_config import MonocularConfig
from event_perception.odometry.monocular_uncertainty import MonocularUncertainty
from event_perception.odometry.semi_dense_depth import semi_dense_depth
from event_perception.odometry.space_sweep import sweep
from event_perception.odometry.sweep_mapper import PointMap, SweepMapper, TrackedWindow
from event_perception.odometry.motion_filter import Evidence, MotionFilter
from event_perception.odometry.turn_prediction import mean_rate

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]
Status = Literal['tracking', 'degraded', 'lost']

CELL_PX = 16  # side of the cells in which the depth of the view is averaged


@dataclass(frozen=True, eq=False)
class _Turn:
    """How fast the camera turned since the last window, and who says so."""

    rate_rad_s: Matrix
    std_rad: float
    gyro: bool
    measured: bool


class MonocularOdometry:
    """Tracks on maps that it makes itself.

    Args:
        config: Parameters; None for the defaults.
        camera: Model of the camera.

    Attributes:
        maps: What is tracked on, oldest first.
        starts: How often a plane was assumed.
    """

    config_type: ClassVar[type[MonocularConfig]] = MonocularConfig

    def __init__(self, config: MonocularConfig | None = None, camera: CameraModel | None = None) -> None:
        if camera is None:
            raise DataError('monocular odometry needs the camera model')
        self.config = c = config or MonocularConfig()
        self._camera = camera
        self._pinhole = camera.undistorted()
        k = self._pinhole
        self._intrinsics = np.array([k.fx, k.cx, k.fy, k.cy])
        table = camera.bearings() * np.array([k.fx, k.fy], np.float32) + np.array([k.cx, k.cy], np.float32)
        self._undistorted = np.where(np.isfinite(table), table, np.float32(-1e6)).astype(np.float32)
        self._mapper = SweepMapper(k, c.sweep, c.semi_dense, c.map_points)
        self._uncertainty = MonocularUncertainty(c)
        self.reset()

    @classmethod
    def warm_up(cls, camera: CameraModel) -> None:
        """Compile the kernels that a window of noise does not reach."""
        k = camera.undistorted()
        volume = sweep(
            np.ones((2, 4), np.float32), np.eye(4)[None], 4, np.eye(4), k, np.linspace(1.0, 0.1, 8)
        )
        semi_dense_depth(volume, MonocularConfig().semi_dense)

    def reset(self) -> None:
        """Start again at the identity, without maps."""
        self.maps: deque[PointMap] = deque(maxlen=self.config.maps)
        self._mapper.clear()
        self._motion = MotionFilter(self.config.motion, self.config.start_bias_std_rad_s)
        self._uncertainty.reset()
        self._t_ns: int | None = None
        self._before = np.zeros(3)
        self._good_ns = self._begun_ns = 0
        self._begun, self._fits = False, True
        self._rate = np.zeros(3)
        self._depth_m, self._visible = self.config.assumed_depth_m, 1.0
        self._settled, self._height, self.starts = False, self.config.settled_height, 0

    @property
    def gyro_bias_rad_s(self) -> Matrix:
        """Estimated bias of the gyroscope (3,), camera frame."""
        return self._motion.bias.copy()

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult,
        depth: DepthImage | None = None,
        imu: tuple[ImuSample, ...] = (),
    ) -> OdometryEstimate:
        """Pose at the reference instant of the window; depth images are not used.

        Args:
            window: Events.
            egomotion: Its rate is used where there is no gyroscope.
            depth: Not used.
            imu: Samples up to the end of the window, axes of the camera.

        Raises:
            DataError: If the window is not later than the one before.
        """
        first = self._t_ns is None
        dt_s = self._elapsed_s(window.t_ref_ns)
        turn = self._turn(window, egomotion, imu, dt_s)
        self._rate = turn.rate_rad_s
        self._motion.predict(dt_s, dt_s * (turn.rate_rad_s + self._motion.bias), turn.std_rad)
        predicted = self._motion.T
        pixels, event_dt_s = self._events(window)
        enough = pixels.shape[1] >= self.config.least_events
        reason = 'too few events'
        good = False
        if enough and not self.maps:
            reason = 'points on an assumed plane' if self._start(predicted, pixels, event_dt_s) else reason
            good = bool(self.maps)
        elif enough:
            found = self._climb(predicted, pixels, event_dt_s, turn, dt_s)
            good, reason = self._judged(found, dt_s)
            if good:
                predicted = self._accept(found, predicted, turn, dt_s)
        self._after(predicted, window.t_ref_ns, dt_s, good)
        if good and turn.measured and self.maps:
            self._map(TrackedWindow(window.t_ref_ns, self._motion.T.copy(), pixels, event_dt_s))
        if first:
            self._good_ns = window.t_ref_ns
        return self._told(window.t_ref_ns, turn, good, reason)

    def _elapsed_s(self, t_ns: int) -> float:
        dt_s = 0.0 if self._t_ns is None else (t_ns - self._t_ns) * 1e-9
        if self._t_ns is not None and dt_s <= 0:
            raise DataError(
                f'a window at {t_ns} ns after one at {self._t_ns} ns; windows must come in time order, call reset() '
                'when the stream starts again'
            )
        return dt_s

    def _turn(
        self, window: EventWindow, egomotion: EgomotionResult, imu: tuple[ImuSample, ...], dt_s: float
    ) -> _Turn:
        c = self.config
        start_ns = window.t0_ns if self._t_ns is None else self._t_ns
        rate = mean_rate(imu, start_ns, window.t_ref_ns)
        if rate is not None:
            return _Turn(rate - self._motion.bias, c.gyro_turn_std_rad, True, True)
        if egomotion.converged:
            first = egomotion.omega if self._t_ns is None else self._rate
            return _Turn(0.5 * (first + egomotion.omega), c.free_turn_std_rad, False, True)
        return _Turn(self._rate * np.exp(-dt_s / c.hold_s), 2 * c.free_turn_std_rad, False, False)

    def _events(self, window: EventWindow) -> tuple[Float32, Float32]:
        """Undistorted pixels (2, n) of evenly chosen events, and their times."""
        n = len(window)
        chosen = np.linspace(0, n - 1, min(n, self.config.window_events)).astype(np.intp)
        pixels = self._undistorted[window.y[chosen], window.x[chosen]].T
        return np.ascontiguousarray(pixels), window.dt_s[chosen]

    def _moved(self, T: Matrix, pixels: Float32, dt_s: Float32) -> Float32:
        """Pixels of the events at the instant of the window."""
        moved = np.empty_like(pixels)
        twist = np.concatenate([self._motion.twist[:3], self._rate])
        move_pixels(pixels, dt_s, twist, self._intrinsics, self._cells(T), CELL_PX, moved)
        return moved

    def _cells(self, T: Matrix) -> Matrix:
        """Inverse depth of the view in cells: the map's points, smoothed; their median where there are none."""
        k = self._pinhole
        shape = (-(-k.height // CELL_PX), -(-k.width // CELL_PX))
        if not self.maps:
            return np.full(shape, 1 / self._depth_m)
        camera = self._points() @ T[:3, :3] - T[:3, 3] @ T[:3, :3]
        camera = camera[camera[:, 2] > 1e-3 * self._depth_m]
        q = 1 / camera[:, 2]
        column = (k.fx * camera[:, 0] * q + k.cx) / CELL_PX
        row = (k.fy * camera[:, 1] * q + k.cy) / CELL_PX
        inside = (column >= 0) & (row >= 0) & (column < shape[1]) & (row < shape[0])
        place = row[inside].astype(np.intp) * shape[1] + column[inside].astype(np.intp)
        cells = shape[0] * shape[1]
        total = np.bincount(place, q[inside], cells).astype(np.float64).reshape(shape)
        number = np.bincount(place, None, cells).astype(np.float64).reshape(shape)
        smooth = cv2.blur(total, (3, 3)) + 0.1 / self._depth_m, cv2.blur(number, (3, 3)) + 0.1
        return np.asarray(smooth[0] / smooth[1], np.float64)

    def _points(self) -> Float32:
        return np.concatenate([m.points for m in self.maps])

    def _start(self, T: Matrix, pixels: Float32, dt_s: Float32) -> bool:
        """Put pixels with events on a plane at the depth last known; False if there are none."""
        k = self._pinhole
        votes = np.zeros((k.height, k.width), np.float32)
        bin_pixels(self._moved(T, pixels, dt_s), votes)
        smooth = cv2.GaussianBlur(votes, (0, 0), 1.0)
        ridge = (smooth > 1.5 * cv2.blur(smooth, (15, 15))) & (smooth == cv2.dilate(smooth, np.ones((3, 3))))
        rows, columns = np.nonzero(ridge)
        if len(rows) < 10:
            return False
        step = max(1, len(rows) // self.config.map_points)
        x, y = (columns[::step] - k.cx) / k.fx, (rows[::step] - k.cy) / k.fy
        points = self._depth_m * np.stack([x, y, np.ones_like(x)], axis=-1) @ T[:3, :3].T + T[:3, 3]
        self.maps.append(
            PointMap(T.copy(), points.astype(np.float32), np.ones(len(points), np.float32), self._depth_m)
        )
        m = self._motion
        m.P[:6, :], m.P[:, :6] = 0.0, 0.0
        m.P[:6, :6] = 1e-8 * np.eye(6)
        m.forget_twist()
        m.P[12:, :], m.P[:, 12:] = 0.0, 0.0
        m.P[12:, 12:] = self.config.start_bias_std_rad_s**2 * np.eye(3)
        self._settled, self._built = False, 0
        self._height = 0.0 if self.starts else 0.5 * self.config.settled_height  # after a loss: to be shown
        self._begun = True
        self.starts += 1
        self._visible = 1.0
        return True

    def _climb(self, T: Matrix, pixels: Float32, event_dt_s: Float32, turn: _Turn, dt_s: float) -> Climb:
        c = self.config
        images = edge_images(self._moved(T, pixels, event_dt_s), self._pinhole, c.climbing)
        prior = self._motion.P[:6, :6] + 1e-12 * np.eye(6)
        weights = np.concatenate([m.weights for m in self.maps])
        return climb(self._points(), weights, images, se3_inverse(T), prior, self._pinhole, c.climbing)

    def _judged(self, found: Climb, dt_s: float) -> tuple[bool, str]:
        """Whether to take over a pose. Until tracking has settled after a start, low heights are no reason not to."""
        c = self.config
        seen = int(np.isfinite(found.heights).sum())
        if not found.sound:
            return False, 'tracking did not settle'
        if seen < c.least_points:
            return False, f'only {seen} points of the map are in view'
        kept = np.exp(-dt_s / c.height_s)
        self._height = float(kept * self._height + (1 - kept) * found.height)
        if not self._settled and self._height > c.settled_height and self._built >= c.settled_maps:
            self._settled = True
            m = self._motion
            m.P[12:, :], m.P[:, 12:] = 0.0, 0.0
            m.P[12:, 12:] = self.config.bias_std_rad_s**2 * np.eye(3)
        bar = c.least_height if self._fits else 3 * c.least_height  # chance alone is not to bring it back
        self._fits = not self._settled or self._height >= bar
        if not self._fits:
            return False, f'the map does not stand on edges (height {self._height:.3f})'
        return True, 'on the map' if self._settled else 'settling after a start'

    def _accept(self, found: Climb, predicted: Matrix, turn: _Turn, dt_s: float) -> Matrix:
        T = se3_inverse(found.T_camera_odom)
        m, pose = self._motion, MotionFilter.POSE
        prior = m.P[pose, pose]
        m.learn(pose, Evidence.behind(prior, se3_log(se3_inverse(m.T) @ T), found.covariance))
        self._visible = found.visible
        seen = np.isfinite(found.heights)
        z = (self._points()[seen] - T[:3, 3].astype(np.float32)) @ T[:3, 2].astype(np.float32)
        self._depth_m = float(np.median(z))
        self._uncertainty.tracked(found.covariance, T)
        return T

    def _after(self, T: Matrix, t_ns: int, dt_s: float, good: bool) -> None:
        """Take over the pose; without a measurement the velocity fades, and in the end the maps are given up."""
        c = self.config
        step = T[:3, 3] - self._before
        if not good:
            self._motion.fade(dt_s)
        self._uncertainty.moved(step, dt_s, self._depth_m, good)
        self._before = T[:3, 3].copy()
        self._t_ns = t_ns
        if good and self._height >= c.least_height:
            self._good_ns = t_ns
        elif self._begun:
            self._begun_ns = t_ns
        elif t_ns - max(self._good_ns, self._begun_ns) > c.give_up_s * 1e9:
            self.maps.clear()
            self._mapper.clear()
        self._begun = False

    def _map(self, window: TrackedWindow) -> None:
        """Make a map if one is wanted and parallax allows it."""
        self._mapper.remember(window)
        if not self._mapper.wants(self.maps[-1], self._visible, self._depth_m, self._settled):
            return
        stretch = self._mapper.stretch(self._depth_m, self._settled)
        made = None if stretch is None else self._mapper.build(stretch, self._depth_m)
        if made is not None and len(made.points) >= self.config.least_points:
            self.maps.append(made)
            self._built += 1

    def _told(self, t_ns: int, turn: _Turn, good: bool, reason: str) -> OdometryEstimate:
        pose_covariance, twist_covariance = self._uncertainty.covariances(
            self._motion.T, (self._motion.T[:3, :3] @ self._motion.twist[:3]), turn.std_rad
        )
        lost = t_ns - self._good_ns > self.config.patience_s * 1e9 or not self.maps
        status: Status = (
            'lost' if lost else 'tracking' if good and turn.gyro and self._settled else 'degraded'
        )
        if good and not turn.gyro:
            reason += '; no gyroscope: the turn is that of egomotion'
        return OdometryEstimate(
            t_ns, self._motion.T.copy(), pose_covariance, self._motion.self._motion.twist[:3], self._rate.copy(),
            twist_covariance, turn.measured, reason, status,
        )  # fmt: skip
