# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images from events by a high-pass filter in every pixel: the default, and the cheapest.

Each pixel adds up its events, +1 for ON and -r for OFF, and forgets both with time and with every event. The
leak in time removes what drifts; the leak per event heals errors where many events fall; r, the running ratio
of ON to OFF events, removes the difference between the two thresholds.

Sources: Scheerlinck, Barnes and Mahony, Continuous-time intensity estimation using event cameras, ACCV 2018
(leak in time); Pfrommer, FIBAR, arXiv 2510.20071 (leak per event, balance of polarities).
"""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.images import leaky_state as leaky
from event_perception.images.balance import OFF_WEIGHT, BalanceConfig, new_balance
from event_perception.images.limits import DisplayConfig, DisplayLimits


@dataclass(frozen=True, slots=True)
class HighpassConfig:
    """How fast pixels forget, and how they are shown."""

    time_constant_s: float = param(0.35, 'Leak in time: time constant, seconds.', ge=0.01, le=100.0)
    event_leak: float = param(
        0.12, 'Leak per event: each event first shrinks the pixel by exp(-this); 0 is a plain leaky integrator.',
        ge=0.0, le=5.0,
    )  # fmt: skip
    max_disorder_s: float = param(
        0.1, 'A step back in time up to this is disorder, beyond it a new stream, seconds.', ge=0.0, le=10.0
    )
    median: bool = param(True, 'Whether a 3x3 median removes single wrong pixels at read-out.', live=True)
    sharpen: float = param(
        1.0, 'Unsharp masking at read-out against smear: this much of the detail is added; 0 is none.',
        ge=0.0, le=5.0, live=True,
    )  # fmt: skip
    sharpen_sigma_px: float = param(
        2.0, 'What unsharp masking takes for detail: what a blur of this sigma removes, px.', ge=0.3, le=20.0
    )
    balance: BalanceConfig = BalanceConfig()
    display: DisplayConfig = DisplayConfig()


class HighpassFilter:
    """Reconstructs log intensity, up to its slowly varying part, from events alone.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """

    config_type: ClassVar[type[HighpassConfig]] = HighpassConfig

    def __init__(self, config: HighpassConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or HighpassConfig()
        self._push_tables = leaky.decay_tables(config.time_constant_s, config.event_leak)
        self._read_tables = leaky.decay_tables(config.time_constant_s)
        self._balancing = config.balance.in_ticks(leaky.TICK_S)
        self._max_back = round(config.max_disorder_s / leaky.TICK_S)
        self._value = np.zeros((height, width), np.float32)
        self._last = np.full((height, width), leaky.NEVER, np.int64)
        self._balance = new_balance()
        self._newest = leaky.NEVER + self._max_back
        self.restarts = 0
        self._limits = DisplayLimits(config.display)

    def push(self, stream: EventArray) -> None:
        """Add the next events.

        Raises:
            DataError: If they come from a sensor of another size.
        """
        check_size(stream, self._value.shape)
        self._newest, restarts = leaky.push_events(
            stream.t_ns, stream.x, stream.y, stream.p,
            self._value, self._last, self._push_tables, None,
            self._balance, self._balancing, self._newest, self._max_back,
        )  # fmt: skip
        if restarts:
            self.restarts += restarts
            self._limits.reset()

    def image(self, t_ns: int) -> NDArray[np.float32]:
        """Log intensity between the display limits, float32 (H, W) in [0, 1].

        The limits follow the images that are read; everything else depends on the events alone.
        """
        log_image = self.log_image(t_ns)
        if self.config.sharpen:
            log_image = unsharp(log_image, self.config.sharpen, self.config.sharpen_sigma_px)
        self._limits.follow(t_ns, log_image)
        return self._limits.scale(log_image)

    def log_image(self, t_ns: int) -> NDArray[np.float32]:
        """Log intensity relative to its slow part, in ON contrast thresholds, float32 (H, W), not scaled."""
        tick = t_ns >> leaky.TICK_SHIFT
        log_image: NDArray[np.float32] = leaky.read_state(
            tick, self._value, self._last, self._read_tables, None
        )
        return np.asarray(cv2.medianBlur(log_image, 3), np.float32) if self.config.median else log_image

    @property
    def limits(self) -> tuple[float, float]:
        """Log intensities that the last image shows as 0 and 1, in ON contrast thresholds."""
        return self._limits.limits

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Pixels that have fired at all, bool (H, W); the others show the unknown as 0."""
        return self._last != leaky.NEVER

    @property
    def off_weight(self) -> float:
        """What an OFF event counts now, an ON event being 1."""
        return float(self._balance[OFF_WEIGHT])


def check_size(events: EventArray, shape: tuple[int, ...]) -> None:
    """Refuse events of another sensor.

    Raises:
        DataError: If the sizes differ.
    """
    if (events.height, events.width) != shape:
        raise DataError(
            f'events of a {events.width}x{events.height} sensor, but the image is {shape[1]}x{shape[0]}; '
            'make a reconstructor of the size of the sensor'
        )


def unsharp(image: NDArray[np.float32], amount: float, sigma_px: float) -> NDArray[np.float32]:
    """Add ``amount`` times what a Gaussian blur of ``sigma_px`` removes; a new array (H, W)."""
    blurred = cv2.GaussianBlur(image, (0, 0), sigma_px)
    return np.asarray(cv2.addWeighted(image, 1.0 + amount, blurred, -amount, 0.0), np.float32)
