# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pose in six degrees of freedom from events and a gyroscope alone; the unit of length is assumed, or found.

    start: the first events on a plane that faces the camera, at an assumed depth; soon maps of little parallax
    every window: the filter goes on by the gyroscope
    every step:   events moved to one instant, points of the last maps climb the edges; the filter learns from that
                  the view has changed and the past has parallax: sweep its events through space, in the background
                  the accelerometer knows the unit of length: everything is rescaled
    without a good step for a while: lost; the last maps are looked for; without success a new start

Sources: Rebecq and others, EVO, RA-L 2017 (tracking and mapping in parallel); EMVS, IJCV 2018 (mapping). The parallax
gate, the start from a plane, tracking on the image of the events, and the way back are this package's.
"""

from collections import deque
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow, ImuSample
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import se3_inverse, so3_exp, so3_log
from event_perception.motion.result import EgomotionResult
from event_perception.odometry.background import Background
from event_perception.odometry.edge_climbing import Climb, climb, edge_images
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.event_view import EventView
from event_perception.odometry.live_scale import LiveScale
from event_perception.odometry.monocular_config import MonocularConfig
from event_perception.odometry.monocular_filter import MonocularFilter
from event_perception.odometry.monocular_uncertainty import MonocularUncertainty
from event_perception.odometry.plane_start import points_on_a_plane
from event_perception.odometry.semi_dense_depth import semi_dense_depth
from event_perception.odometry.space_sweep import sweep
from event_perception.odometry.sweep_mapper import PointMap, SweepMapper, TrackedWindow
from event_perception.odometry.turn_prediction import mean_rate
from event_perception.odometry.view_search import ViewSearch

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]
Status = Literal['tracking', 'degraded', 'lost']


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
        returns: How often the way back to lost maps was found.
        unit: By how much lengths have been multiplied since the start.
    """

    config_type: ClassVar[type[MonocularConfig]] = MonocularConfig

    def __init__(self, config: MonocularConfig | None = None, camera: CameraModel | None = None) -> None:
        if camera is None:
            raise DataError('monocular odometry needs the camera model')
        self.config = c = config or MonocularConfig()
        self._view = EventView(camera, c.window_events, c.step_s)
        self._pinhole = self._view.pinhole
        self._mapper = SweepMapper(self._pinhole, c.sweep, c.semi_dense, c.map_points)
        self._background: Background[PointMap | None] = Background()
        self._uncertainty = MonocularUncertainty(c)
        self._scale = LiveScale(c.live_scale)
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
        self._forget_past()
        self._view.clear()
        self._motion = MonocularFilter(self.config)
        self._uncertainty.reset()
        self._scale.forget()
        self._search: ViewSearch | None = None
        self._t_ns: int | None = None
        self._step_ns: int | None = None
        self._before = np.zeros(3)
        self._good_ns = self._begun_ns = 0
        self._begun, self._fits = False, True
        self._rate = np.zeros(3)
        self._depth_m, self._visible = self.config.assumed_depth_m, 1.0
        self._settled, self._height = False, self.config.settled_height
        self._height_before = 0.0
        self.starts = self.returns = self._built = 0
        self.unit = 1.0
        self._last = (False, 'too few events')

    def _forget_past(self) -> None:
        self._mapper.clear()
        self._background.drop()

    @property
    def gyro_bias_rad_s(self) -> Matrix:
        """Estimated bias of the gyroscope (3,), camera frame."""
        return self._motion.bias.copy()

    @property
    def scale_std(self) -> float:
        """Relative standard deviation of the unit of length."""
        return self._uncertainty.scale_std

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
        t_ns = window.t_ref_ns
        dt_s = self._elapsed_s(t_ns)
        turn = self._turn(window, egomotion, imu, dt_s)
        self._rate = turn.rate_rad_s
        self._motion.go_on(dt_s, turn.rate_rad_s, turn.std_rad)
        if self._search is not None:
            self._search.turn(so3_exp(turn.rate_rad_s * dt_s))
        if self.config.scale == 'imu':
            self._scale.hear(imu)
        self._view.add(window)
        if self._t_ns is None:
            self._good_ns = t_ns
        self._t_ns = t_ns
        correction, unit_change = 0.0, 1.0
        if self._step_ns is None or t_ns - self._step_ns >= 0.75e9 * self.config.step_s:
            correction, unit_change = self._step(t_ns, turn)
        return self._told(t_ns, turn, correction, unit_change)

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
        c, root = self.config, np.sqrt(max(dt_s, 1e-3))
        start_ns = window.t0_ns if self._t_ns is None else self._t_ns
        rate = mean_rate(imu, start_ns, window.t_ref_ns)
        if rate is not None:
            return _Turn(rate - self._motion.bias, c.gyro_noise * root, True, True)
        if egomotion.converged:
            first = egomotion.omega if self._t_ns is None else self._rate
            return _Turn(0.5 * (first + egomotion.omega), c.free_noise * root, False, True)
        fading = np.exp(-dt_s / c.motion.hold_s)
        return _Turn(self._rate * fading, 2 * c.free_noise * root, False, False)

    def _step(self, t_ns: int, turn: _Turn) -> tuple[float, float]:
        """Align the events since the last step; how far that turned the pose, and the change of the unit."""
        dt_s = 0.0 if self._step_ns is None else (t_ns - self._step_ns) * 1e-9
        self._step_ns = t_ns
        self._take_map(t_ns)
        predicted = self._motion.T
        pixels, event_dt_s = self._view.take(t_ns)
        good, reason = self._aligned(pixels, event_dt_s, turn, dt_s)
        self._last = good, reason
        self._after(t_ns, dt_s, good)
        unit_change = 1.0
        if good and turn.measured and self.maps:
            self._map(TrackedWindow(t_ns, self._motion.T.copy(), pixels, event_dt_s))
            unit_change = self._ask_the_accelerometer(t_ns)
        turned = float(np.linalg.norm(so3_log(predicted[:3, :3].T @ self._motion.T[:3, :3])))
        return turned, unit_change

    def _aligned(self, pixels: Float32, event_dt_s: Float32, turn: _Turn, dt_s: float) -> tuple[bool, str]:
        c = self.config
        if pixels.shape[1] < c.least_events:
            return False, 'too few events'
        if self._search is not None and self._returned(pixels, event_dt_s):
            return True, 'back on the maps from before the loss'
        if not self.maps:
            if self._search is not None and self._search.tries < c.tries_before_start:
                return False, 'looking for the maps from before the loss'
            started = self._start(pixels, event_dt_s)
            return started, 'points on an assumed plane' if started else 'too few events'
        if self._search is not None and self._settled:
            return False, 'looking for the maps from before the loss'
        found = self._climb(pixels, event_dt_s)
        good, reason = self._judged(found, dt_s)
        if good:
            self._accept(found)
        return good, reason

    def _moved(self, pixels: Float32, dt_s: Float32, T: Matrix, v_m_s: Matrix) -> Float32:
        cells = self._view.inverse_depth_cells(self._points(), T, self._depth_m)
        return self._view.at_one_instant(pixels, dt_s, np.concatenate([v_m_s, self._rate]), cells)

    def _points(self) -> Float32:
        return np.concatenate([np.zeros((0, 3), np.float32), *(m.points for m in self.maps)])

    def _start(self, pixels: Float32, dt_s: Float32) -> bool:
        """Put pixels with events on a plane at the depth last known; False if there are none."""
        m, most = self._motion, self.config.map_points
        moved = self._moved(pixels, dt_s, m.T, m.twist[:3])
        points = points_on_a_plane(moved, m.T, self._depth_m, most, self._pinhole)
        if len(points) < 10:
            return False
        self.maps.append(PointMap(m.T.copy(), points, np.ones(len(points), np.float32), self._depth_m, 0.0))
        m.begin()
        self._settled, self._built = False, 0
        self._height = 0.0 if self.starts else 0.5 * self.config.settled_height  # after a loss: to be shown
        self._begun = True
        self.starts += 1
        self._visible = 1.0
        return True

    def _climb(self, pixels: Float32, event_dt_s: Float32) -> Climb:
        c, m = self.config, self._motion
        images = edge_images(self._moved(pixels, event_dt_s, m.T, m.twist[:3]), self._pinhole, c.climbing)
        weights = np.concatenate([a.weights for a in self.maps])
        return climb(self._points(), weights, images, se3_inverse(m.T), m.prior, self._pinhole, c.climbing)

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
        if not self._settled and self._built >= c.settled_maps and self._height > c.settled_height:
            self._settled = True
            self._search = None
            self._motion.settle()
        bar = c.least_height if self._fits else 3 * c.least_height  # chance alone is not to bring it back
        self._fits = not self._settled or self._height >= bar
        if not self._fits:
            return False, f'the map does not stand on edges (height {self._height:.3f})'
        return True, 'on the map' if self._settled else 'settling after a start'

    def _accept(self, found: Climb) -> None:
        T = se3_inverse(found.T_camera_odom)
        self._motion.aligned(T, found.covariance)
        self._visible = found.visible
        seen = np.isfinite(found.heights)
        z = (self._points()[seen] - T[:3, 3].astype(np.float32)) @ T[:3, 2].astype(np.float32)
        self._depth_m = float(np.median(z))
        self._uncertainty.tracked(found.covariance, self._motion.T)
        if self._settled:
            share = (
                1.0 if self._height_before == 0.0 else 0.01
            )  # slowly: a loss is not to become what is usual
            self._height_before += share * (found.height - self._height_before)

    def _after(self, t_ns: int, dt_s: float, good: bool) -> None:
        """Follow the way; without a measurement the velocity fades, and in the end the maps are given up."""
        c, T = self.config, self._motion.T
        if not good:
            self._motion.fade(dt_s)
        self._uncertainty.moved(T[:3, 3] - self._before, dt_s, self._depth_m, good)
        self._before = T[:3, 3].copy()
        off_s = (t_ns - max(self._good_ns, self._begun_ns)) * 1e-9
        if good and self._height >= c.least_height:
            self._good_ns = t_ns
        elif self._begun:
            self._begun_ns = t_ns
        elif off_s > c.give_up_s:
            self.maps.clear()
            self._forget_past()
        elif off_s > c.patience_s and self._settled and self._search is None and self.maps:
            self._begin_search()
        self._begun = False
        if self._search is not None and (t_ns - self._good_ns) * 1e-9 > c.search.patience_s:
            self._search = None

    def _begin_search(self) -> None:
        c = self.config
        self._kept = list(self.maps), self._depth_m
        self._search = ViewSearch(
            self._points(),
            self._motion.T,
            self._depth_m,
            self._height_before,
            self._pinhole,
            c.climbing,
            c.search,
        )
        self._scale.restart()

    def _returned(self, pixels: Float32, dt_s: Float32) -> bool:
        """Look for the maps from before a loss; with success everything since is forgotten."""
        search = self._search
        if search is None or (self.maps and not self._settled and search.tries % 2 and not search.found):
            return False
        maps, depth_m = self._kept
        cells = self._view.inverse_depth_cells(search.points, search.T, depth_m)
        twist = np.concatenate([np.zeros(3), self._rate])
        moved = self._view.at_one_instant(pixels, dt_s, twist, cells)
        found = search.look(edge_images(moved, self._pinhole, self.config.climbing))
        if found is None:
            return False
        self.maps.clear()
        self.maps.extend(maps)
        self._forget_past()
        self._motion.place(search.T, found.covariance)
        self._uncertainty.returned()
        self._search, self._settled, self._fits = None, True, True
        self._height = self._height_before = found.height
        self._depth_m, self._visible = depth_m, found.visible
        self._before = search.T[:3, 3].copy()
        self.returns += 1
        return True

    def _take_map(self, t_ns: int) -> None:
        """A map whose time has come is tracked on from now."""
        if not self._background.due(t_ns):
            return
        made = self._background.take()
        if made is not None and len(made.points) >= self.config.least_points:
            self.maps.append(made)
            self._built += 1

    def _map(self, window: TrackedWindow) -> None:
        """Begin a map if one is wanted and parallax allows it."""
        c = self.config
        self._mapper.remember(window)
        if self._background.busy:
            return
        delay_s = c.map_delay_s if self._settled else c.start_delay_s
        ahead_m = delay_s * self._motion.T[:3, :3] @ self._motion.twist[:3]
        if not self._mapper.wants(self.maps[-1], self._visible, self._depth_m, self._settled, ahead_m):
            return
        stretch = self._mapper.stretch(self._depth_m, self._settled)
        if stretch is not None:
            depth_m = self._depth_m
            self._mapper.begun()
            self._background.begin(
                lambda: self._mapper.build(stretch, depth_m), window.t_ns + round(delay_s * 1e9)
            )

    def _ask_the_accelerometer(self, t_ns: int) -> float:
        """Change of the unit of length, usually 1."""
        if self.config.scale != 'imu' or not self._settled or self._background.busy:
            return 1.0
        factor = self._scale.see(t_ns, self._motion.T)
        if factor is None or self._scale.last is None:
            return 1.0
        std = self._scale.last.std / factor
        self._motion.rescale(factor)
        self._mapper.rescale(factor)
        self._scale.rescale(factor, std)
        self._uncertainty.rescale(factor, std)
        for m in self.maps:
            m.rescale(factor)
        self._depth_m, self._before = factor * self._depth_m, factor * self._before
        self.unit *= factor
        return factor

    def _told(self, t_ns: int, turn: _Turn, correction_rad: float, unit_change: float) -> OdometryEstimate:
        m, (good, reason) = self._motion, self._last
        v = m.T[:3, :3] @ m.twist[:3]
        pose_covariance, twist_covariance = self._uncertainty.covariances(m.T, v, turn.std_rad)
        lost = t_ns - self._good_ns > self.config.patience_s * 1e9 or not self.maps
        status: Status = (
            'lost' if lost else 'tracking' if good and turn.gyro and self._settled else 'degraded'
        )
        if good and not turn.gyro:
            reason += '; no gyroscope: the turn is that of egomotion'
        if unit_change != 1.0:
            reason += f'; unit of length corrected by {unit_change:.3f} after the accelerometer'
        return OdometryEstimate(
            t_ns, m.T.copy(), pose_covariance, m.twist[:3].copy(), self._rate.copy(), twist_covariance,
            turn.measured, reason, status, correction_rad, unit_change=unit_change,
        )  # fmt: skip
