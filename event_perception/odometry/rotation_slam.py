# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Orientation without drift: egomotion predicts, a map of directions corrects, and is built on the way.

    rate of the window, over the last windows together where one is too thin
    predict the orientation by the rates
    lost?  search the map, believe a place that a second window confirms
    else   render the map into the predicted view, align the sharpened events by Newton on a small turn
           believe the turn if it is as large as the prediction's uncertainty allows, or wanted twice
    vote the sharpened events into the map, unless anything was doubtful

The covariance is that of the prediction against the map, plus that with which this part was mapped: it grows over
new ground and shrinks again on return. Sources: Reinbacher and others, ICCP 2017 (panoramic tracking); Guo and
Gallego, T-RO 2024 (contrast against a panorama); weak derivatives: arXiv 2602.12590.
"""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow, ImuSample
from event_perception.motion.camera import CameraModel
from event_perception.motion.grid import BinGrid
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.motion.result import EgomotionResult
from event_perception.motion.rotation_kernels import warp_rotation
from event_perception.odometry.back_end import BackEnd
from event_perception.odometry.direction_map import DirectionMap, View
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.event_lag import EventLag
from event_perception.odometry.long_window import LongWindow, Look
from event_perception.odometry.loop_closure import LoopCloser
from event_perception.odometry.map_alignment import Alignment, MapAligner
from event_perception.odometry.map_gate import MapGate
from event_perception.odometry.relocalisation import Relocaliser
from event_perception.odometry.rotation import RotationOdometry
from event_perception.odometry.rotation_slam_config import RotationSlamConfig
from event_perception.odometry.sharpening import Sharpened, sharpened

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]
Status = Literal['tracking', 'degraded', 'lost']

CONFIRMED_RAD = 0.03  # how close a second window must find a place to where the first one put it


class RotationSlam:
    """Tracks the orientation on a map that it builds.

    Args:
        config: Parameters; None for the defaults.
        camera: Model of the camera.
    """

    config_type: ClassVar[type[RotationSlamConfig]] = RotationSlamConfig

    def __init__(self, config: RotationSlamConfig | None = None, camera: CameraModel | None = None) -> None:
        if camera is None:
            raise DataError('rotation SLAM needs the camera model')
        self.config, self.camera = config or RotationSlamConfig(), camera
        grid = BinGrid.covering(camera, 1.0, 0.03)
        self.map = DirectionMap(camera, grid, self.config.map)
        self._front = RotationOdometry(self.config.front, camera)
        self._long = LongWindow(camera, self.config.long_window)
        self._aligner = MapAligner(grid, self.config.alignment)
        self._lag = EventLag(self.config.lag, camera.fx)
        self._gate = MapGate(self.config)
        self._back = BackEnd(self.config.spline, self.map, self._aligner)
        self._relocaliser = Relocaliser(camera, self.map, self._aligner, self.config.relocalisation)
        self._loops = LoopCloser(self.config.loop, self.map, self._aligner, self._relocaliser)
        self.reset()

    def reset(self) -> None:
        """Start again at the identity, with an empty map."""
        self.map.clear()
        self._front.reset()
        self._long.reset()
        self._back.forget()
        self._lag.forget()
        self._loops.forget()
        self._gate.forget()
        self._first_ns: int | None = None
        self._anchor_variance = 0.0  # with which the part of the map in view is known
        self._disagreeing = 0
        self._lost_ns: int | None = None
        self._offset: Matrix | None = None  # a place found once, against the prediction

    @classmethod
    def warm_up(cls, camera: CameraModel) -> None:
        """Compile every kernel, by tracking and searching a few random points."""
        made = cls(None, camera)
        rng = np.random.default_rng(0)
        points = rng.uniform(-0.2, 0.2, (2, 500)).astype(np.float32)
        made.map.add(points, np.eye(3), np.array([0.1, 0.1, 0.1]), 0.0, 0.0)
        view, times = made.map.render(np.eye(3)), np.zeros(500, np.float32)
        made._aligner.align(points, view)
        made._aligner.align(points, view, times=times)
        one = np.ones(1, np.float32)
        still, there = np.zeros(3, np.float32), np.empty((2, 1), np.float32)
        warp_rotation(one, one, one, np.float32(1), still, still, there[0], there[1], np.empty(1, np.bool_))

    @property
    def gyro_bias_rad_s(self) -> Matrix:
        """Estimated bias of the gyroscope (3,), camera axes; 0 until one is trusted."""
        return self._back.smoother.bias.copy()

    def panorama(self) -> Float32:
        """The map as an image, see ``DirectionMap.panorama``."""
        return self.map.panorama()

    def save_map(self, path: Path) -> None:
        """Write the panorama as an 8-bit image; the ending says which kind.

        Raises:
            DataError: If it cannot be written.
        """
        try:
            written = cv2.imwrite(str(path), (255 * self.panorama() + 0.5).astype(np.uint8))
        except cv2.error:
            written = False
        if not written:
            raise DataError(f'{path}: the map cannot be written; give a folder that exists and .png or .jpg')

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult,
        depth: DepthImage | None = None,
        imu: tuple[ImuSample, ...] = (),
    ) -> OdometryEstimate:
        """Orientation at the reference instant of the window; depth is not used.

        Readings of a gyroscope must be along the axes of the camera; see ``SplineConfig.use``.

        Raises:
            DataError: If the window is not later than the one before.
        """
        self._back.watch(window, egomotion, imu)
        by_gyro = None if egomotion.converged else self._by_gyro(window, egomotion, imu)
        if by_gyro is None and not egomotion.converged:
            told = self._laid_on_the_map(window, egomotion, imu)
            if told is not None:
                return told
        look = self._long.look(window, by_gyro or egomotion)
        motion = look.motion
        predicted = self._front.update(window, motion)
        if self._first_ns is None:
            self._first_ns = window.t_ref_ns
        if not motion.converged:
            self._lag.interrupt()
            return self._told(predicted, self._status_without(), motion.reason)
        late_s, most = self._lag.late_s(motion.omega), self.config.alignment.max_events
        events = sharpened(look, window.t0_ns, window.duration_s, self.camera, most, late_s)
        if self._is_lost():
            self._back.interrupt()
            return self._search(predicted, events.points)
        least = self.config.gate.min_events if by_gyro is None else self.config.gate.thin_events
        return self._track(predicted, events, motion, imu, least)

    def _by_gyro(
        self, window: EventWindow, egomotion: EgomotionResult, imu: tuple[ImuSample, ...]
    ) -> EgomotionResult | None:
        """The rate of a window that does not tell it, by a gyroscope whose bias has been learnt."""
        rate = self._back.rate_by_gyro(imu, window.t0_ns, window.t1_ns)
        if rate is None:
            return None
        covariance = np.full((6, 6), np.nan)
        std = self.config.spline.gyro_std_rad_s
        covariance[3:, 3:] = self._back.smoother.bias_covariance + std**2 * np.eye(3)
        return replace(egomotion, omega=rate, covariance=covariance, converged=True, t0_ns=window.t0_ns)

    def _laid_on_the_map(
        self, window: EventWindow, egomotion: EgomotionResult, imu: tuple[ImuSample, ...]
    ) -> OdometryEstimate | None:
        """A window too thin to tell its motion by itself: on the map it still tells orientation and rate.

        None where the map does not cover the view, or contradicts: nothing has changed then.
        """
        gate, T = self.config.gate, window.duration_s
        if self.map.empty or self._lost_ns is not None or self._uncertain() or len(window) < gate.thin_events:
            return None
        front = copy(self._front)
        predicted = front.update(window, egomotion)
        R, omega = front.orientation, front.rate
        view = self.map.render(R)
        if view.known < gate.least_known:
            return None
        held = Look(window, replace(egomotion, omega=omega, t0_ns=window.t0_ns), np.zeros(3))
        most = self.config.alignment.max_events
        events = sharpened(held, window.t0_ns, T, self.camera, most, self._lag.late_s(omega))
        to_spin = np.repeat([T / 2, 1.0], 3)
        prior = front.motion_covariance * np.outer(to_spin, to_spin)
        times = events.dt_s * np.float32(2 / T)
        found = self._aligner.align(events.points, view, prior, times=times)
        if found.agreement < gate.thin_agreement or self._gate.objection(found, prior[3:, 3:]) is not None:
            return None
        floor = np.diag(np.repeat([0.0, self.config.alignment_std_rad**2], 3))
        told = found.information @ np.linalg.inv(np.eye(6) + floor @ found.information)
        posterior = np.linalg.inv(np.linalg.inv(prior) + told) / np.outer(to_spin, to_spin)
        omega = omega + found.spin * 2 / T
        self._front = front
        self._front.correct_motion(R @ so3_exp(found.theta), omega, posterior)
        self._anchor_variance, self._disagreeing = view.variance, 0
        self._gate.forget()
        self._lag.interrupt()
        self._long.remember(window)
        self._smooth(events, None, found, imu)
        twist = predicted.twist_covariance.copy()
        twist[3:, 3:] = posterior[:3, :3]
        predicted = replace(predicted, omega_rad_s=omega, twist_covariance=twist, tracking=True)
        return self._told(predicted, 'tracking', 'on the map, its rate too')

    def _track(
        self, predicted: OdometryEstimate, events: Sharpened, motion: EgomotionResult, imu: tuple[ImuSample, ...],
        least: int,
    ) -> OdometryEstimate:  # fmt: skip
        gate, reason, aligned = self.config.gate, 'new ground', None
        status: Status = 'tracking'
        if motion.n_events < least:
            status, reason = 'degraded', f'few events ({motion.n_events} < {least})'
        elif not self.map.empty:
            view = self.map.render(self._front.orientation)
            if view.known >= gate.least_known:
                status, reason, aligned = self._corrected(events, view)
        claimed = motion.omega_covariance + self.config.front.least_rate_std_rad_s**2 * np.eye(3)
        self._smooth(events, claimed if np.isfinite(claimed).all() else None, aligned, imu)
        if status == 'tracking':
            self._vote(events, motion, self._age_s(predicted.t_ns))
            if self._closed(events.points, self._age_s(predicted.t_ns)):
                reason = 'a loop closed on the map'
        return self._told(predicted, status, reason)

    def _closed(self, points: Float32, t_s: float) -> bool:
        """Return to old ground with drift: take the old ground's word, and forget what was mapped since.

        Where on the way the drift came in is not known, so all of the way is mapped again when it comes into view.
        """
        found = self._loops.look(points, self._front.orientation, t_s)
        if found is None:
            return False
        aligned = replace(found.place.alignment, theta=np.zeros(3))
        self._take(found.place.R, aligned, None, found.variance)
        self._back.interrupt()
        self._gate.forget()
        self.map.forget_since(found.mapped_s + 0.5 * self.config.loop.old_s)
        return True

    def _vote(self, events: Sharpened, motion: EgomotionResult, age_s: float) -> None:
        R, weight = self._front.orientation, motion.n_events / max(events.points.shape[1], 1)
        turned = motion.omega * events.duration_s
        self.map.add(events.newest, R, turned, self._variance(), age_s, weight)
        self._back.voted(events, R, weight)

    def _smooth(
        self,
        events: Sharpened,
        rate_covariance: Matrix | None,
        aligned: Alignment | None,
        imu: tuple[ImuSample, ...],
    ) -> None:
        """The orientation as the last moments together have it, where they are looked at together."""
        if self._back.active:
            covariance = self._front.orientation_covariance
            R = self._back.smoothed(
                events,
                self._front.orientation,
                rate_covariance,
                aligned,
                imu,
                float(np.trace(covariance)) / 3,
            )
            self._front.correct(R, covariance)

    def _corrected(self, events: Sharpened, view: View) -> tuple[Status, str, Alignment | None]:
        """Align, judge, and take the turn over."""
        R = self._front.orientation
        prior = R.T @ self._front.orientation_covariance @ R
        found = self._aligner.align(events.points, view, prior)
        if found.agreement < self.config.gate.least_agreement:
            return *self._unfamiliar(found), None
        self._disagreeing = 0
        objection = self._gate.objection(found, prior)
        if objection is not None and not self._gate.wanted_again(R, found.theta):
            self._lag.interrupt()
            return 'degraded', objection, None
        self._gate.forget()
        self._take(R, found, prior, view.variance)
        if objection is None:
            self._lag.learn(events.omega, found.theta)
        return 'tracking', 'on the map', found

    def _unfamiliar(self, found: Alignment) -> tuple[Status, str]:
        """Edges along the motion give no events: after a turn of its direction others come, which are added.

        So events that are not on the map say nothing against the prediction, unless that is uncertain, or nothing
        at all is on the map, or they stay off the map although they are added to it.
        """
        self._disagreeing += 1
        largest = float(np.linalg.eigvalsh(self._front.orientation_covariance)[-1])
        gate = self.config.gate
        certain = largest < gate.write_std_rad**2 and found.agreement > gate.noise_agreement
        return (
            'tracking' if certain else 'degraded',
            f'edges not on the map (agreement {found.agreement:.2f})',
        )

    def _take(self, R: Matrix, found: Alignment, prior: Matrix | None, anchor_variance: float) -> None:
        """The corrected orientation, and how well it is known against the map."""
        floor = self.config.alignment_std_rad**2 * np.eye(3)
        measured = found.covariance + floor
        posterior = (
            measured if prior is None else np.linalg.inv(np.linalg.inv(prior) + np.linalg.inv(measured))
        )
        corrected = R @ so3_exp(found.theta)
        self._front.correct(corrected, corrected @ posterior @ corrected.T)
        self._anchor_variance = anchor_variance

    def _is_lost(self) -> bool:
        """Whether the orientation must be searched for; then since when is remembered."""
        return self._lost_ns is not None or (not self.map.empty and self._uncertain())

    def _uncertain(self) -> bool:
        largest = float(np.linalg.eigvalsh(self._front.orientation_covariance)[-1])
        limit = self.config.gate.lost_std_rad
        return largest > limit**2 or self._disagreeing >= self.config.gate.max_disagreeing

    def _search(self, predicted: OdometryEstimate, points: Float32) -> OdometryEstimate:
        """One portion of the search; a place found once must be found again by the next window."""
        if self._lost_ns is None:
            self._lost_ns, self._offset = predicted.t_ns, None
            self._relocaliser.restart()
        R = self._front.orientation
        if self._offset is not None:
            place = self._relocaliser.refine(points, self._offset @ R)
            if place is not None and np.linalg.norm(so3_log(place.R.T @ self._offset @ R)) < CONFIRMED_RAD:
                view = self.map.render(place.R)
                self._take(place.R, replace(place.alignment, theta=np.zeros(3)), None, view.variance)
                self._lost_ns, self._offset, self._disagreeing = None, None, 0
                self._gate.forget()
                return self._told(predicted, 'tracking', 'found again on the map')
            self._offset = None
        place = self._relocaliser.search(points, R)
        if place is not None:
            self._offset = place.R @ R.T
        elif predicted.t_ns - self._lost_ns > self.config.gate.give_up_s * 1e9:
            return self._begin_anew(predicted)
        return self._told(predicted, 'lost', 'searching the map')

    def _begin_anew(self, predicted: OdometryEstimate) -> OdometryEstimate:
        """The orientation stays what it is, as badly known as it is; the map starts again from here."""
        self._anchor_variance = self._variance()
        self._back.interrupt()
        self.map.clear()
        self._front.correct(self._front.orientation, self.config.alignment_std_rad**2 * np.eye(3))
        self._lost_ns, self._offset, self._disagreeing = None, None, 0
        self._gate.forget()
        return self._told(predicted, 'degraded', 'not found on the map; a new one is begun')

    def _status_without(self) -> Status:
        lost = self._lost_ns is not None or (not self.map.empty and self._uncertain())
        return 'lost' if lost else 'degraded'

    def _variance(self) -> float:
        """Of the orientation, mean over the axes."""
        return self._anchor_variance + float(np.trace(self._front.orientation_covariance)) / 3

    def _age_s(self, t_ns: int) -> float:
        return 0.0 if self._first_ns is None else (t_ns - self._first_ns) * 1e-9

    def _told(self, predicted: OdometryEstimate, status: Status, reason: str) -> OdometryEstimate:
        T, covariance, R = np.eye(4), predicted.pose_covariance.copy(), self._front.orientation
        T[:3, :3] = R
        covariance[3:, 3:] = self._front.orientation_covariance + self._anchor_variance * np.eye(3)
        if self._back.gyro.contradicts:
            reason = f'{reason}; the gyroscope contradicts the events: not used'
        turned = float(np.linalg.norm(so3_log(predicted.T_odom_camera[:3, :3].T @ R)))
        return replace(
            predicted,
            T_odom_camera=T,
            pose_covariance=covariance,
            tracking=predicted.tracking and status != 'lost',
            reason=reason,
            status=status,
            correction_rad=turned,
        )
