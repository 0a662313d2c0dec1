# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a simulated camera to views close enough together for an event sensor.

Between two frames of 30 to 60 Hz the image moves by several pixels, too much for an emulator that takes light to be
linear in between. So views are put in between: re-projected where depth and pose of both frames are there, by
optical flow otherwise. The stream restarts where frames do not belong together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.motion.camera import CameraModel
from event_perception.simulation.flow_interpolation import FlowInterpolation
from event_perception.simulation.reprojection import KeyFrame, Reprojection, inverse_depth_of

Method = Literal['auto', 'depth', 'flow', 'none']


@dataclass(frozen=True, slots=True)
class CameraStreamConfig:
    """How the time between frames is filled."""

    method: Literal['auto', 'depth', 'flow', 'none'] = param(
        'auto',
        'Views between frames: depth (re-projected; frames without depth, pose or calibration are refused), flow '
        '(optical flow), none (light is linear in time), or auto: depth where it can, flow where it cannot.',
    )
    max_motion_px: float = param(
        1.5, 'Largest image motion from view to view, pixels.', ge=0.1, le=16.0, live=True
    )
    max_views: int = param(
        8, 'Most views from frame to frame; faster motion takes longer steps.', ge=1, le=200, live=True
    )
    max_gap_s: float = param(
        0.25, 'A longer pause between frames starts the sensor afresh, seconds.', ge=0.001, le=60.0
    )
    max_unknown_depth: float = param(
        0.5, 'With a larger share of unusable depth (nan, zero, negative) it is not used.', ge=0.0, le=1.0
    )


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """One frame and what is known about it.

    Attributes:
        t_ns: Its instant.
        log_light: (H, W), float32, ln of dn.
        depth_m: Depth along the optical axis (H, W); None where unknown.
        T_world_camera: Pose of the optical frame (4, 4); None where unknown.
        camera: Calibration; None where unknown.
    """

    t_ns: int
    log_light: NDArray[np.float32]
    depth_m: NDArray[np.float32] | None = None
    T_world_camera: NDArray[np.float64] | None = None
    camera: CameraModel | None = None


@dataclass(frozen=True)
class StreamCounts:
    """Running totals.

    Attributes:
        frames: Frames taken.
        views: Views put out, frames included.
        restarts: Starts of the sensor, the first included.
        reprojected: Intervals filled by re-projection.
        flow: Intervals filled by optical flow.
        faded: Intervals that flow could not explain, cross-faded.
        plain: Intervals left to the emulator.
        long_steps: Intervals with more motion than the allowed views can follow.
        depth_refused: Frames with too many unusable depth values, or depth of another size.
        unknown_depth_pixels: Pixels of used depth images without a usable value, taken as infinitely far.
    """

    frames: int = 0
    views: int = 0
    restarts: int = 0
    reprojected: int = 0
    flow: int = 0
    faded: int = 0
    plain: int = 0
    long_steps: int = 0
    depth_refused: int = 0
    unknown_depth_pixels: int = 0


class CameraStream:
    """Fills the time between frames.

    Args:
        config: How.

    Attributes:
        config: May be replaced while running.
        counts: Running totals.
        restarted: Whether the latest frame began a new stream: the sensor must be reset before its view.
    """

    def __init__(self, config: CameraStreamConfig | None = None) -> None:
        self.config = config or CameraStreamConfig()
        self.counts = StreamCounts()
        self.restarted = False
        self._last: CameraFrame | None = None
        self._key: KeyFrame | None = None

    def push(self, frame: CameraFrame) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Instants and log light of the views after the previous frame, the frame itself last.

        The frame has been taken in, and ``restarted`` is set, before the first view is computed.

        Raises:
            DataError: If the frame is not after the previous one: restart() belongs between them; or if the
                method is depth and depth, pose or calibration of the frame is missing.
        """
        last, last_key = self._last, self._key
        if last is not None and frame.t_ns <= last.t_ns:
            raise DataError(
                f'a camera frame at {frame.t_ns} ns after one at {last.t_ns} ns; restart the stream at a jump'
            )
        key = self._key_frame(frame)
        if key is None and self.config.method == 'depth':
            raise DataError(
                'a camera frame without usable depth, pose or calibration: publish them, or set method to auto'
            )
        self._last, self._key = frame, key
        self._count(frames=1)
        if last is None or not self._continues(last, frame):
            self.restarted = True
            self._count(restarts=1, views=1)
            return iter([(frame.t_ns, frame.log_light)])
        self.restarted = False
        return self._views(last, last_key, frame, key)

    def restart(self) -> None:
        """Forget the previous frame: the next one begins a new stream."""
        self._last = self._key = None

    def _continues(self, last: CameraFrame, frame: CameraFrame) -> bool:
        together = frame.t_ns - last.t_ns <= self.config.max_gap_s * 1e9
        return together and frame.log_light.shape == last.log_light.shape

    def _key_frame(self, frame: CameraFrame) -> KeyFrame | None:
        """What re-projection needs, if all of it is there and usable."""
        if self.config.method in ('flow', 'none') or frame.T_world_camera is None or frame.camera is None:
            return None
        if frame.depth_m is None or frame.camera.distortion_model != 'none':
            return None
        shape = frame.log_light.shape
        if frame.depth_m.shape != shape or (frame.camera.height, frame.camera.width) != shape:
            self._count(depth_refused=1)
            return None
        inverse, unknown = inverse_depth_of(frame.depth_m)
        if unknown > self.config.max_unknown_depth * inverse.size:
            self._count(depth_refused=1)
            return None
        self._count(unknown_depth_pixels=unknown)
        return KeyFrame(frame.log_light, inverse, frame.T_world_camera)

    def _views(
        self, last: CameraFrame, last_key: KeyFrame | None, frame: CameraFrame, key: KeyFrame | None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        filling = self._filling(last, last_key, frame, key)
        steps = 1
        if filling is not None:
            wanted = int(np.ceil(filling.motion_px() / self.config.max_motion_px))
            steps = min(max(wanted, 1), self.config.max_views)
            self._count(long_steps=int(wanted > steps))
        for k in range(1, steps):
            t_ns = last.t_ns + (frame.t_ns - last.t_ns) * k // steps
            share = (t_ns - last.t_ns) / (frame.t_ns - last.t_ns)
            self._count(views=1)
            yield t_ns, filling.view(share)  # type: ignore[union-attr]
        self._count(views=1)
        yield frame.t_ns, frame.log_light

    def _filling(
        self, last: CameraFrame, last_key: KeyFrame | None, frame: CameraFrame, key: KeyFrame | None
    ) -> Reprojection | FlowInterpolation | None:
        if key is not None and last_key is not None and frame.camera is not None:
            self._count(reprojected=1)
            return Reprojection(frame.camera, last_key, key)
        if self.config.method == 'none' or min(frame.log_light.shape) < SMALLEST_FLOW_PX:
            self._count(plain=1)
            return None
        filling = FlowInterpolation(last.log_light, frame.log_light)
        self._count(**{'flow' if filling.explains else 'faded': 1})
        return filling

    def _count(self, **by: int) -> None:
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + n for name, n in by.items()})


SMALLEST_FLOW_PX = 16  # a side shorter than this is too small for the search
