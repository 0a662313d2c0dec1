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
from event_perception.motion.warped_image import bearing_events
from event_perception.odometry.direction_map import DirectionMap, View
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.long_window import LongWindow, Look
from event_perception.odometry.map_alignment import Alignment, MapAligner
from event_perception.odometry.relocalisation import Relocaliser
from event_perception.odometry.rotation import RotationOdometry
from event_perception.odometry.rotation_slam_config import RotationSlamConfig

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]
Status = Literal['tracking', 'degraded', 'lost']

SAME_TURN = 0.5  # two refused turns are the same if they differ by less than this part of them
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
        self._relocaliser = Relocaliser(camera, self.map, self._aligner, self.config.relocalisation)
        self.reset()

    def reset(self) -> None:
        """Start again at the identity, with an empty map."""
        self.map.clear()
        self._front.reset()
        self._long.reset()
        self._first_ns: int | None = None
        self._anchor_variance = 0.0  # with which the part of the map in view is known
        self._refused = self._disagreeing = 0
        self._wanted: Matrix | None = None  # turn that was refused
        self._lost_ns: int | None = None
        self._offset: Matrix | None = None  # a place found once, against the prediction

    @classmethod
    def warm_up(cls, camera: CameraModel) -> None:
        """Compile every kernel, by tracking and searching a few random points."""
        made = cls(None, camera)
        rng = np.random.default_rng(0)
        points = rng.uniform(-0.2, 0.2, (2, 500)).astype(np.float32)
        made.map.add(points, np.eye(3), np.array([0.1, 0.1, 0.1]), 0.0, 0.0)
        made._aligner.align(points, made.map.render(np.eye(3)))
        one = np.ones(1, np.float32)
        still, there = np.zeros(3, np.float32), np.empty((2, 1), np.float32)
        warp_rotation(one, one, one, np.float32(1), still, still, there[0], there[1], np.empty(1, np.bool_))

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
        """Orientation at the reference instant of the window; depth and imu are not used.

        Raises:
            DataError: If the window is not later than the one before.
        """
        look = self._long.look(window, egomotion)
        motion = look.motion
        predicted = self._front.update(window, motion)
        if self._first_ns is None:
            self._first_ns = window.t_ref_ns
        if not motion.converged:
            return self._told(predicted, self._status_without(), motion.reason)
        points, newest = self._sharpened(look, window)
        if self._is_lost():
            return self._search(predicted, points)
        return self._track(predicted, points, newest, motion, window.duration_s)

    def _sharpened(self, look: Look, window: EventWindow) -> tuple[Float32, Float32]:
        """Events where they would have been seen at the reference instant: all given, and those of the window."""
        T, motion = window.duration_s, look.motion
        bearings, _ = bearing_events(look.events, self.camera)
        bearings = bearings.every(-(-len(bearings) // self.config.alignment.max_events))
        points, inside = np.empty((2, len(bearings)), np.float32), np.empty(len(bearings), np.bool_)
        warp_rotation(
            bearings.x, bearings.y, bearings.d, np.float32(1 / T), motion.omega.astype(np.float32),
            (look.acceleration_rad_s2 * T).astype(np.float32), points[0], points[1], inside,
        )  # fmt: skip
        fresh = inside & (bearings.d >= (max(window.t0_ns, motion.t0_ns) - window.t_ref_ns) * 1e-9)
        return np.ascontiguousarray(points[:, inside]), np.ascontiguousarray(points[:, fresh])

    def _track(
        self, predicted: OdometryEstimate, points: Float32, newest: Float32, motion: EgomotionResult, T: float
    ) -> OdometryEstimate:
        gate, R, reason = self.config.gate, self._front.orientation, 'new ground'
        enough, status = motion.n_events >= gate.min_events, 'tracking'
        if not enough:
            status, reason = 'degraded', f'few events ({motion.n_events} < {gate.min_events})'
        elif not self.map.empty:
            view = self.map.render(R)
            if view.known >= gate.least_known:
                status, reason = self._corrected(points, view)
        if status == 'tracking':
            self.map.add(
                newest, self._front.orientation, motion.omega * T, self._variance(), self._age_s(predicted.t_ns),
                motion.n_events / max(points.shape[1], 1),
            )  # fmt: skip
        return self._told(predicted, 'tracking' if status == 'tracking' else 'degraded', reason)

    def _corrected(self, points: Float32, view: View) -> tuple[str, str]:
        """Align, judge, and take the turn over."""
        gate, R = self.config.gate, self._front.orientation
        prior = R.T @ self._front.orientation_covariance @ R
        found = self._aligner.align(points, view, prior)
        if found.agreement < gate.least_agreement:
            return self._unfamiliar(found)
        self._disagreeing = 0
        objection = self._objection(found, prior)
        if objection is not None and not self._wanted_again(R @ so3_exp(found.theta) @ R.T):
            return 'degraded', objection
        self._refused, self._wanted = 0, None
        self._take(R, found, prior, view.variance)
        return 'tracking', 'on the map'

    def _wanted_again(self, turn: Matrix) -> bool:
        """Whether enough windows in a row wanted about the same turn, in the axes of the map."""
        same = self._wanted is not None and np.linalg.norm(so3_log(self._wanted.T @ turn)) < SAME_TURN * max(
            float(np.linalg.norm(so3_log(turn))), self.config.alignment_std_rad
        )
        self._refused, self._wanted = self._refused + 1 if same else 1, turn
        return self._refused >= self.config.gate.repeats

    def _unfamiliar(self, found: Alignment) -> tuple[str, str]:
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

    def _objection(self, found: Alignment, prior: Matrix) -> str | None:
        gate = self.config.gate
        if not found.converged or not np.isfinite(found.covariance).all():
            return 'the map does not tell the orientation here'
        # with the prior in the solution, theta varies by what the measurement has changed of it
        gained = prior @ np.linalg.inv(prior + found.covariance) @ prior
        if found.theta @ np.linalg.solve(gained, found.theta) > gate.sigma**2:
            return f'a correction of {np.linalg.norm(found.theta):.3f} rad is more than the prediction allows'
        if np.linalg.norm(found.theta) > self.config.alignment.max_turn_rad:
            return f'a correction of {np.linalg.norm(found.theta):.3f} rad is out of reach'
        return None

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
                self._lost_ns, self._offset, self._refused, self._disagreeing = None, None, 0, 0
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
        self.map.clear()
        self._front.correct(self._front.orientation, self.config.alignment_std_rad**2 * np.eye(3))
        self._lost_ns, self._offset, self._refused, self._disagreeing = None, None, 0, 0
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
