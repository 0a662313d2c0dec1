# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An event camera and a spike camera in the place of an ordinary simulated one: frames in, events and spikes out."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import flatten
from event_perception.errors import ConfigError
from event_perception.events import EventArray, concatenate
from event_perception.events.spike_stream import SpikeStream
from event_perception.simulation.camera_stream import CameraFrame, CameraStream, CameraStreamConfig
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import DvsConfig, dvs_preset
from event_perception.simulation.spikes import SpikeEmulator, SpikeSensorConfig

CAMERA_DVS = dvs_preset('clean', input_transfer='log', random_initial_phase=True)
"""Pixels for pictures of a renderer: mismatch, but no noise and no bandwidth limit. Frames come as logarithms."""
DVS_DEFAULTS = {f'dvs.{name}': value for name, value in flatten(CAMERA_DVS).items()}
SPIKE_PERIOD_NS = 1_000_000
SPIKE_DEFAULTS = {'spikes.plane_period_ns': SPIKE_PERIOD_NS}
WHITE = np.float32(255)


@dataclass(frozen=True, eq=False)
class Sensed:
    """What the sensors gave from one frame to the next."""

    events: EventArray
    spikes: SpikeStream | None


class SimulatedEventCamera:
    """Turns frames into events and, if wanted, spike planes.

    Args:
        stream: How the time between frames is filled.
        dvs: Pixels of the event sensor; frames reach it as logarithms of light.
        spikes: Pixels of the spike sensor; None for no spikes.
        events: Whether events are wanted.

    Raises:
        ConfigError: If the event sensor is told to expect anything but logarithms.
    """

    def __init__(
        self,
        stream: CameraStreamConfig | None = None,
        dvs: DvsConfig = CAMERA_DVS,
        spikes: SpikeSensorConfig | None = None,
        *,
        events: bool = True,
    ) -> None:
        if dvs.input_transfer != 'log':
            raise ConfigError(
                f'dvs.input_transfer={dvs.input_transfer!r}: pictures reach the sensor as log here; what their '
                'numbers mean is set by light.transfer and light.float_white'
            )
        self.stream = CameraStream(stream)
        self._dvs, self._spike_config, self._wants_events = dvs, spikes, events
        self._emulator: DvsEmulator | None = None
        self._planes: _SpikePlanes | None = None

    def push(self, frame: CameraFrame) -> Sensed:
        """Events and spikes after the previous frame, up to and including this one.

        Raises:
            DataError: As ``CameraStream.push``.
        """
        views = self.stream.push(frame)
        height, width = frame.log_light.shape
        if self.stream.restarted:
            self._restart(frame.t_ns, height, width)
        parts = [EventArray.empty(height=height, width=width)]
        planes: list[NDArray[np.bool_]] = []
        for t_ns, light in views:
            if self._emulator is not None:
                parts.append(self._emulator.push(light, t_ns))
            if self._planes is not None:
                planes += self._planes.push(t_ns, light)
        return Sensed(concatenate(parts), self._planes.stream(planes) if self._planes is not None else None)

    def restart(self) -> None:
        """Begin anew with the next frame: time has jumped."""
        self.stream.restart()

    def _restart(self, t_ns: int, height: int, width: int) -> None:
        if self._wants_events:
            self._emulator = DvsEmulator(height=height, width=width, config=self._dvs)
        if self._spike_config is not None:
            self._planes = _SpikePlanes(self._spike_config, t_ns, height, width)


class _SpikePlanes:
    """Exposes planes at a fixed period to light that runs linearly from view to view."""

    def __init__(self, config: SpikeSensorConfig, start_ns: int, height: int, width: int) -> None:
        self._emulator = SpikeEmulator(config, height=height, width=width)
        self._size = (height, width)
        self._period_ns, self._gain = config.plane_period_ns, config.gain
        self._next_ns, self._index = start_ns + config.plane_period_ns, 0
        self._last: tuple[int, NDArray[np.float32]] | None = None

    def push(self, t_ns: int, log_light: NDArray[np.float32]) -> Iterable[NDArray[np.bool_]]:
        """The planes that end up to the instant of the next view."""
        light = np.clip(np.exp(log_light) / WHITE, 0, 1).astype(np.float32)
        planes = []
        while self._last is not None and self._next_ns <= t_ns:
            last_ns, last = self._last
            share = np.float32((self._next_ns - last_ns) / (t_ns - last_ns))
            planes.append(self._emulator.expose(last + share * (light - last)))
            self._next_ns += self._period_ns
        self._last = (t_ns, light)
        return planes

    def stream(self, planes: list[NDArray[np.bool_]]) -> SpikeStream | None:
        """The planes of now as a stream, behind those before; None if there are none."""
        if not planes:
            return None
        first, self._index = self._index, self._index + len(planes)
        height, width = self._size
        return SpikeStream(
            np.stack(planes),
            height=height,
            width=width,
            plane_period_ns=self._period_ns,
            start_ns=self._next_ns - len(planes) * self._period_ns,
            gain=self._gain,
            first_plane_index=first,
        )
