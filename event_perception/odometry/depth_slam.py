# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pose in six degrees of freedom from events and depth images, held by keyframes.

    twist of the window, from the egomotion stage with depth
    predict the pose: trapezium of the twists in SE(3); its uncertainty grows by that of the twist
    carry the latest depth image to the instant of the pose; give every event its depth; sharpen by the twist
    render the keyframes that see the same into the predicted view, without what is hidden
    align by weak Newton on (theta, tau), the prediction as prior; believe it if it is plausible
    make a keyframe where none is near
    tell by how much the rate must have been wrong: the bias of a gyro can be learnt from it

Sources: keyframe alignment of event images as in Rebecq and others, EVO, RA-L 2017; weak derivatives:
arXiv 2602.12590; depth, priors and their weights are this package's own.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, EventWindow, ImuSample, TwistPrior
from event_perception.motion.camera import CameraModel
from event_perception.motion.depth_warp import DepthViews
from event_perception.motion.gyro_prior import GyroPrior
from event_perception.motion.lie import se3_inverse, so3_log
from event_perception.motion.result import EgomotionResult
from event_perception.motion.scene_depth import events_with_depth, refined
from event_perception.motion.tracking_kernels import move_points
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.inertial_aid import InertialAid
from event_perception.odometry.inertial_state import InertialConfig
from event_perception.odometry.keyframe_graph import KeyframeGraph, KeyframeGraphConfig, Look
from event_perception.odometry.keyframe_map import KeyframeConfig, KeyframeMap
from event_perception.odometry.motion_filter import Evidence, MotionConfig, MotionFilter
from event_perception.odometry.pose_alignment import PoseAligner, PoseAlignment, PoseAlignmentConfig
from event_perception.odometry.pose_search import Glance, PoseSearch, PoseSearchConfig

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]
SAME = 0.5  # two refused corrections are the same if they differ by less than this part of them
Status = Literal['tracking', 'degraded', 'lost']


@dataclass(frozen=True, slots=True)
class DepthSlamConfig:
    """Six degrees of freedom with depth."""

    alignment_std_px: float = param(
        0.3, 'No alignment is claimed to be better than this, px.', ge=0.0, le=10.0
    )
    least_known: float = param(
        0.3, 'Keyframes are used where they cover at least this share of the view.', ge=0.0, le=1.0
    )
    least_agreement: float = param(
        0.2, 'How well events must follow the map, 1 is exactly.', ge=0.0, le=1.0, live=True
    )
    sigma: float = param(5.0, 'A correction beyond so many standard deviations is refused.', ge=1.0, le=100.0)
    min_events: int = param(
        1500, 'A window with fewer events is not aligned and makes no keyframe.', ge=10, live=True
    )
    backend: Literal['graph', 'none'] = param(
        'graph',
        'graph: keyframes hang together in a pose graph, loops are closed; none: they stay where made.',
    )
    inertial: InertialConfig = field(default_factory=InertialConfig)
    graph: KeyframeGraphConfig = field(default_factory=KeyframeGraphConfig)
    lost_std_rad: float = param(
        0.1,
        'Less certain than this is lost: orientation, rad, and position as part of the median depth.',
        ge=1e-3,
        le=3.0,
    )
    lost_windows: int = param(10, 'Lost, too, after so many windows in a row off the map.', ge=1, le=10_000)
    search: PoseSearchConfig = field(default_factory=PoseSearchConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig)
    alignment: PoseAlignmentConfig = field(default_factory=PoseAlignmentConfig)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Sharpened events with depth at the instant of the pose, and the depth of the view."""

    bearings: Float32
    q: Float32
    inverse_depth: Float32

    @property
    def depth_m(self) -> float:
        return 1.0 / float(np.median(self.q))


class DepthSlam:
    """Tracks the pose on keyframes that it makes.

    Args:
        config: Parameters; None for the defaults.
        camera: Model of the camera, to which depth images are registered.
    """

    config_type: ClassVar[type[DepthSlamConfig]] = DepthSlamConfig

    def __init__(self, config: DepthSlamConfig | None = None, camera: CameraModel | None = None) -> None:
        if camera is None:
            raise DataError('SLAM with depth needs the camera model')
        self.config, self.camera = config or DepthSlamConfig(), camera
        self._views = DepthViews(camera)
        self.map = KeyframeMap(self._views.grid, self.config.keyframes)
        self._aligner = PoseAligner(self._views.grid, self.config.alignment)
        self.graph: KeyframeGraph | None = None
        if self.config.backend == 'graph':
            c = self.config
            self.graph = KeyframeGraph(
                c.graph, self.map, self._aligner, focal_px=camera.fx, least_known=c.least_known
            )
        self._search = PoseSearch(self.map, self._aligner, self.config.search)
        self.reset()

    def reset(self) -> None:
        """Start again at the identity, without keyframes."""
        self.map.clear()
        if self.graph is not None:
            self.graph.clear()
        self._filter = MotionFilter(self.config.motion)
        self._inertial = InertialAid(self.config.inertial)
        self._carried = False  # whether the pose of this window is known by the accelerometer
        self._t_ns: int | None = None
        self._expected_ns: int | None = None
        self._measured = False
        self._anchor = np.zeros((6, 6))  # covariance of the map in view, odometry axes
        self._shared = np.zeros((6, 6))  # of what alignments on it have in common, camera axes
        self._wanted: Matrix | None = None  # correction that was refused
        self._depth_m = 1.0  # median, latest
        self._off_map = 0  # windows in a row
        self._lost_ns: int | None = None  # since when
        self._search.stop()

    @property
    def bias_rad_s(self) -> Matrix:
        """Bias of the gyroscope, camera frame (3,), rad/s; what it is without one means nothing."""
        return self._filter.bias.copy()

    @property
    def _T(self) -> Matrix:
        return self._filter.T

    @property
    def _P(self) -> Matrix:
        """Of the pose, (tau, theta), camera axes."""
        return self._filter.P[MotionFilter.POSE, MotionFilter.POSE]

    @classmethod
    def warm_up(cls, camera: CameraModel) -> None:
        """Compile every kernel, by tracking a few random points before a wall."""
        rng = np.random.default_rng(0)
        x, y = rng.integers(camera.width, size=4000), rng.integers(camera.height, size=4000)
        t_ns, p = np.sort(rng.integers(0, 20_000_000, 4000)), np.ones(4000, np.int8)
        events = EventArray(t_ns, x, y, p, height=camera.height, width=camera.width)
        wall = np.full((camera.height, camera.width), 2.0, np.float32)
        made = cls(None, camera)
        for k in range(2):
            window = EventWindow.from_events(events.shifted(k * 20_000_000))
            still = EgomotionResult(
                window.t0_ns, window.t1_ns, window.t_ref_ns, np.full(3, 0.1), np.full(3, 0.1), 1e-4 * np.eye(6),
                True, '', 4000, 1, 1.0,
            )  # fmt: skip
            made.update(window, still, DepthImage(window.t_ref_ns - 1_000_000, wall))

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult,
        depth: DepthImage | None = None,
        imu: tuple[ImuSample, ...] = (),
    ) -> OdometryEstimate:
        """Pose at the reference instant of the window; imu is used unless it was given to ``expect``.

        Raises:
            DataError: If the window is not later than the one before, or depth is of another size.
        """
        if self._expected_ns != window.t_ref_ns:
            self._predict(window, None, imu)
        self._measured = self._learn_twist(egomotion)
        if not self._measured and not self._carried:
            return self._told(window.t_ref_ns, self._state(), egomotion.reason)
        seen = None if depth is None else self._sharpened(window, depth)
        if seen is None or len(seen.q) < self.config.min_events:
            few = 'too few events with depth for the map'
            return self._told(window.t_ref_ns, 'degraded', 'carried by the IMU' if self._carried else few)
        self._depth_m = seen.depth_m
        status, reason, correction = self._searched(seen) if self._is_lost() else self._on_map(seen)
        self._off_map = 0 if status == 'tracking' else self._off_map + 1
        jump = self._closed(seen, window.t_ref_ns) if status == 'tracking' else None
        told = self._told(window.t_ref_ns, status, reason if jump is None else 'closed a loop')
        if status == 'tracking' and self.map.wants(self._T, seen.depth_m, self._active()):
            self._add_keyframe(seen, told.pose_covariance)
        turned = np.zeros(3) if correction is None else correction.theta
        if jump is not None:
            turned = turned + so3_log(jump[:3, :3])
            told = replace(told, correction_m=float(np.linalg.norm(jump[:3, 3])))
        return replace(told, correction_rad=float(np.linalg.norm(turned)))

    def _active(self) -> frozenset[int] | None:
        """Nodes of the keyframes to track on; None for all."""
        return None if self.graph is None else self.graph.active(self._T)

    def _add_keyframe(self, seen: _Seen, covariance: Matrix) -> None:
        self.map.add(self._T, seen.bearings, seen.q, covariance)
        if self.graph is not None:
            self.graph.add(self._T, self._P + self._shared, seen.depth_m)

    def _closed(self, seen: _Seen, t_ns: int) -> Matrix | None:
        """Look for a loop; if one is closed, the pose jumps with the map: T_before_after."""
        if self.graph is None or not self.map.frames:
            return None
        before, spread = self._T, self._P + self._shared
        look = Look(
            t_ns, before, spread, self._least(seen.depth_m), seen.bearings, seen.q, seen.inverse_depth
        )
        after = self.graph.look(look)
        if after is None:
            return None
        self._filter.T, self._wanted = after, None
        self._inertial.jumped(before, after)
        return se3_inverse(before) @ after

    def expect(
        self, window: EventWindow, gyro: GyroPrior | None, imu: tuple[ImuSample, ...] = ()
    ) -> TwistPrior | None:
        """The twist that this window should have, with what gyroscope and accelerometer say of it.

        Raises:
            DataError: If the window is not later than the one before.
        """
        self._predict(window, gyro, imu)
        self._expected_ns = window.t_ref_ns
        f = self._filter
        return TwistPrior(
            window.t_ref_ns, f.twist[:3].copy(), f.twist[3:].copy(), f.P[f.TWIST, f.TWIST].copy()
        )

    def _predict(self, window: EventWindow, gyro: GyroPrior | None, imu: tuple[ImuSample, ...]) -> None:
        t_ns, f = window.t_ref_ns, self._filter
        if self._t_ns is not None and t_ns <= self._t_ns:
            raise DataError(
                f'a window at {t_ns} ns after one at {self._t_ns} ns; windows must come in time order, call reset() '
                'when the stream starts again'
            )
        sigma = 0.0 if gyro is None else gyro.config.sigma_rad_s
        if self._t_ns is not None:
            dt_s = (t_ns - self._t_ns) * 1e-9
            turn = None if gyro is None else gyro.turn(self._t_ns, t_ns)
            f.predict(dt_s, turn, dt_s * sigma)
            if not self._measured:
                f.fade(dt_s)
            self._carry(t_ns, imu, gap=not self._measured or dt_s > 2 * self.config.motion.hold_s)
        reading = None if gyro is None else gyro.reading(window.t0_ns, window.t1_ns)
        if gyro is not None and reading is not None:
            f.turn_by_gyro(reading, sigma)
            gyro.know(f.bias, f.P[f.BIAS, f.BIAS])
        self._t_ns = t_ns

    def _carry(self, t_ns: int, imu: tuple[ImuSample, ...], *, gap: bool) -> None:
        """Let the accelerometer tell the velocity, and the pose where nothing else has measured it."""
        f = self._filter
        self._inertial.push(imu)
        carried = self._inertial.predict(t_ns)
        self._carried = carried is not None
        if carried is None:
            return
        T, state = carried
        if gap:
            f.take_over(T, state.covariance, state.v_m_s, state.velocity_covariance)
        else:
            least = self.config.inertial.least_velocity_m_s**2 * np.eye(3)
            f.measure(slice(6, 9), state.v_m_s - f.twist[:3], state.velocity_covariance + least)

    def _learn_twist(self, egomotion: EgomotionResult) -> bool:
        """Take over what egomotion says of this window; whether that is the whole twist."""
        f, claimed = self._filter, 0.5 * (egomotion.covariance + egomotion.covariance.T)
        if not egomotion.converged:
            return False
        if np.isfinite(egomotion.v).all() and np.isfinite(claimed).all():
            ahead = np.concatenate([egomotion.v, egomotion.omega]) - f.twist
            count = self._windows_that_err_together(egomotion)
            if self._expected_ns == egomotion.t_ref_ns:
                f.learn(f.TWIST, Evidence.behind(f.P[f.TWIST, f.TWIST], ahead, claimed).shared(count))
            else:
                f.measure(f.TWIST, ahead, count * claimed)
            return True
        if self._expected_ns != egomotion.t_ref_ns and np.isfinite(claimed[3:, 3:]).all():
            f.measure(slice(9, 12), egomotion.omega - f.twist[3:], claimed[3:, 3:])
        return False

    def _windows_that_err_together(self, egomotion: EgomotionResult) -> float:
        duration_s = max((egomotion.t1_ns - egomotion.t0_ns) * 1e-9, 1e-3)
        return 1 + 2 * self.config.motion.correlation_s / duration_s

    def _sharpened(self, window: EventWindow, depth: DepthImage) -> _Seen:
        v, omega = self._filter.twist[:3], self._filter.twist[3:]
        view = self._views.of(depth).carried(omega_rad_s=omega, v_m_s=v, t_ns=window.t_ref_ns)
        events = events_with_depth(window, self.camera, view, self.config.alignment.max_events)
        motion = np.concatenate([omega, v])
        bent = refined(events, motion, view)
        x, y, q, d = (a.astype(np.float32) for a in (bent.x, bent.y, bent.q, bent.d))
        u, w, inverse = (np.empty_like(x) for _ in range(3))
        inside = np.empty(len(x), np.bool_)
        move_points(
            x,
            y,
            q,
            d,
            np.zeros_like(d),
            motion.astype(np.float32),
            np.zeros(6, np.float32),
            u,
            w,
            inverse,
            inside,
        )
        good = inside & (q > 0) & np.isfinite(q)
        return _Seen(np.stack([u[good], w[good]]), (q * inverse)[good], view.q)

    def _on_map(self, seen: _Seen) -> tuple[Status, str, PoseAlignment | None]:
        if not self.map.frames:
            return 'tracking', 'first keyframe', None
        view = self.map.render(self._T, seen.inverse_depth, self._active())
        if view.known < self.config.least_known:
            certain = self._P[3:, 3:].trace() < 3 * self.config.lost_std_rad**2
            return ('tracking' if certain else 'lost'), 'new ground', None
        found = self._aligner.align(seen.bearings, seen.q, view, self._P)
        objection, wanted = self._objection(found, seen.depth_m)
        if objection is not None and not self._wanted_again(wanted):
            return self._state(), objection, None
        self._wanted, self._lost_ns = None, None
        evidence = found.evidence.softened(self._least(seen.depth_m))
        self._shared = self._shared_error(found, seen.depth_m)
        if self._t_ns is not None:
            known = self._inertial.aligned(self._t_ns, self._T, evidence, self._shared)
            if known is not None:
                self._filter.take_bias(known.gyro_bias_rad_s, known.gyro_bias_covariance)
        self._filter.learn(MotionFilter.POSE, evidence)
        if self.graph is None:
            self._anchor = self.map.covariance(self._T)
        return 'tracking', 'on the map', found

    def _is_lost(self) -> bool:
        """Whether the pose is to be searched: it may be anywhere, or has been off the map for long."""
        if not self.map.frames:
            return False
        if self._off_map >= self.config.lost_windows:
            size = self.config.lost_std_rad * np.array([self._depth_m] * 3 + [1.0] * 3)
            self._filter.doubt_pose(2 * size)
            self._off_map = 0
        return self._state() == 'lost'

    def _searched(self, seen: _Seen) -> tuple[Status, str, PoseAlignment | None]:
        """One step of the search for the pose on the map."""
        assert self._t_ns is not None  # noqa: S101 - of this window
        self._lost_ns = self._t_ns if self._lost_ns is None else self._lost_ns
        glance = Glance(seen.bearings, seen.q, seen.inverse_depth, seen.depth_m)
        place = self._search.step(self._T, glance)
        if place is not None:
            self._filter.put(place.T, self._least(seen.depth_m) + place.alignment.posterior)
            self._inertial.restart()
            self._lost_ns, self._wanted = None, None
            if self.graph is None:
                self._anchor = self.map.covariance(self._T)
            else:
                self.graph.stand_at(self._T)
            self._shared = self._shared_error(place.alignment, seen.depth_m)
            return 'tracking', 'found on the map', place.alignment
        if (self._t_ns - self._lost_ns) * 1e-9 > self.config.search.give_up_s:
            self._begin_again()
            return 'tracking', 'a new map', None
        return 'lost', 'searching on the map', None

    def _begin_again(self) -> None:
        """A new map: where it lies is as uncertain as the pose has become; on it, the pose is known."""
        c = self.config.motion
        self._anchor, self._shared = self._spread(), np.zeros((6, 6))
        self._filter.put(self._T, np.diag([c.start_std_m**2] * 3 + [c.start_std_rad**2] * 3))
        if self.graph is not None:
            self.graph.clear()
        self.map.clear()
        self._search.stop()
        self._lost_ns = None

    def _shared_error(self, found: PoseAlignment, depth_m: float) -> Matrix:
        """Error of the map's events under this window: as large as that of the window's own, and it does not average out.

        (6, 6), (tau, theta), camera axes.
        """
        c, n = self.config.alignment, max(1, self.map.close(self._T, self._active()))
        reach = np.diag([(c.max_shift * depth_m) ** -2] * 3 + [c.max_turn_rad**-2] * 3)
        return np.asarray(np.linalg.inv(found.evidence.information + reach) / n)

    def _least(self, depth_m: float) -> Matrix:
        """What an alignment may be off without knowing: alignments on the same keyframes err together."""
        std_rad = self.config.alignment_std_px / self.camera.fx
        return np.diag([(std_rad * depth_m) ** 2] * 3 + [std_rad**2] * 3)

    def _objection(self, found: PoseAlignment, depth_m: float) -> tuple[str | None, Matrix | None]:
        """Why an alignment is not believed, and where it wants the pose to be if that may be asked for again."""
        c, x = self.config, np.concatenate([found.tau, found.theta])
        if found.agreement < c.least_agreement:
            return f'edges not on the map (agreement {found.agreement:.2f})', None
        if not found.converged or not np.isfinite(found.posterior).all():
            return 'the map does not tell the pose here', None
        shift, turn = (float(np.linalg.norm(part)) for part in (found.tau, found.theta))
        R = self._T[:3, :3]
        wanted = np.concatenate([R @ found.tau, R @ found.theta])
        if turn > c.alignment.max_turn_rad or shift > c.alignment.max_shift * depth_m:
            sharp = found.agreement >= c.search.least_agreement
            return f'a correction of {shift:.3f} m and {turn:.3f} rad goes far', wanted if sharp else None
        if x @ np.linalg.solve(self._P, x) > c.sigma**2:
            return f'a correction of {shift:.3f} m is more than the prediction allows', wanted
        return None, None

    def _wanted_again(self, wanted: Matrix | None) -> bool:
        """Whether the window before wanted about the same correction, in the axes of the odometry frame."""
        before, self._wanted = self._wanted, wanted
        if before is None or wanted is None:
            return False
        return bool(np.linalg.norm(wanted - before) < SAME * np.linalg.norm(wanted))

    def _state(self) -> Status:
        """Without a map under it."""
        size = np.array([self._depth_m] * 3 + [1.0] * 3)
        doubt = float(np.linalg.eigvalsh(self._P / np.outer(size, size))[-1])
        return 'lost' if doubt > self.config.lost_std_rad**2 else 'degraded'

    def _told(self, t_ns: int, status: Status, reason: str) -> OdometryEstimate:
        f = self._filter
        return OdometryEstimate(
            t_ns, f.T.copy(), self._spread(), f.twist[:3].copy(), f.twist[3:].copy(),
            f.P[f.TWIST, f.TWIST].copy(), self._measured, reason, status,
        )  # fmt: skip

    def _spread(self) -> Matrix:
        """Covariance of the pose, (position, rotation), odometry axes: on the map, and of the map."""
        turned, spread = np.kron(np.eye(2), self._T[:3, :3]), self._P + self._shared
        if self.graph is not None:
            spread = self.graph.covariance(self._T, spread)
        return np.asarray(turned @ spread @ turned.T + self._anchor)
