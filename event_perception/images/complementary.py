# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events and frames: fast change from the events, everything slow from the last frame.

    L <- b L + (1 - b) L_frame + C_p,   b = exp(-(t - t_last) / tau),   L_frame = log(1 + I)

Since L_frame is held between frames, D = L - L_frame simply leaks to 0: the state of the high-pass filter, with
a frame added back at read-out. A saturated pixel of the frame says little, so there D leaks ten times slower.

Source: Scheerlinck, Barnes and Mahony, Continuous-time intensity estimation using event cameras, ACCV 2018.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import EventArray, FrameImage
from event_perception.images import leaky_state as leaky
from event_perception.images.balance import BalanceConfig, new_balance
from event_perception.images.highpass import check_size

UNKNOWN = 0.5
"""Intensity of the frame that is assumed before the first one."""


@dataclass(frozen=True, slots=True)
class ComplementaryConfig:
    """How events and frames are weighed."""

    time_constant_s: float = param(
        0.32, 'Time in which the frame takes over from the events, seconds.', ge=0.01, le=100.0
    )
    contrast: float = param(0.1, 'What an ON event adds to log(1 + I), with I from 0 to 1.', ge=1e-3, le=1.0)
    dark: float = param(0.05, 'Frame values below this count as saturated.', ge=0.0, le=0.49)
    bright: float = param(0.95, 'Frame values above this count as saturated.', ge=0.51, le=1.0)
    saturated_rate: float = param(
        0.1, 'How fast a saturated pixel of the frame takes over, relative to the others.', ge=0.0, le=1.0
    )
    max_disorder_s: float = param(
        0.1, 'A step back in time up to this is disorder, beyond it a new stream, seconds.', ge=0.0, le=10.0
    )
    balance: BalanceConfig = BalanceConfig()


class ComplementaryFilter:
    """Reconstructs intensity on the scale of the frames, between and beyond them.

    Before the first frame it behaves as a leaky integrator around mid-grey.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """

    config_type: ClassVar[type[ComplementaryConfig]] = ComplementaryConfig

    def __init__(self, config: ComplementaryConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or ComplementaryConfig()
        self._tables = leaky.decay_tables(config.time_constant_s)
        self._balancing = config.balance.in_ticks(leaky.TICK_S)
        self._max_back = round(config.max_disorder_s / leaky.TICK_S)
        self._difference = np.zeros((height, width), np.float32)
        self._last = np.full((height, width), leaky.NEVER, np.int64)
        self._log_frame = np.full((height, width), np.log1p(UNKNOWN), np.float32)
        self._slowness = np.ones((height, width), np.float32)
        self._balance = new_balance()
        self._newest = leaky.NEVER + self._max_back
        self._has_frame = False
        self.restarts = 0

    def push(self, stream: EventArray | FrameImage) -> None:
        """Add the next events, or the next frame.

        Raises:
            DataError: If they come from a sensor of another size, or a frame holds values that are not finite.
        """
        if isinstance(stream, FrameImage):
            self.push_frame(stream)
            return
        check_size(stream, self._difference.shape)
        self._newest, restarts = leaky.push_events(
            stream.t_ns, stream.x, stream.y, stream.p,
            self._difference, self._last, self._tables, self._slowness,
            self._balance, self._balancing, self._newest, self._max_back,
        )  # fmt: skip
        self.restarts += restarts

    def push_frame(self, frame: FrameImage) -> None:
        """Hold this frame from its instant on; what is shown at that instant does not jump.

        Raises:
            DataError: If its size differs or a value is not finite.
        """
        value = self._checked(frame.value)
        tick = frame.t_ns >> leaky.TICK_SHIFT
        log_frame = np.log1p(value)
        if self._has_frame:
            shown = self._log_image(tick)
            self._difference[:] = (shown - log_frame) / np.float32(self.config.contrast)
        else:
            self._difference[:] = 0
        self._last = np.maximum(self._last, tick)
        self._log_frame = log_frame
        saturated = (value < self.config.dark) | (value > self.config.bright)
        self._slowness = np.where(saturated, self.config.saturated_rate, 1.0).astype(np.float32)
        self._has_frame = True

    def image(self, t_ns: int) -> NDArray[np.float32]:
        """Intensity on the scale of the frames, linear, float32 (H, W), clipped to [0, 1]."""
        intensity = np.expm1(self._log_image(t_ns >> leaky.TICK_SHIFT))
        return np.clip(intensity, 0.0, 1.0, out=intensity)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Pixels of which anything is known, bool (H, W): all, once there was a frame."""
        return self._last != leaky.NEVER

    def _log_image(self, tick: int) -> NDArray[np.float32]:
        difference = leaky.read_state(tick, self._difference, self._last, self._tables, self._slowness)
        log_image: NDArray[np.float32] = self._log_frame + np.float32(self.config.contrast) * difference
        return log_image

    def _checked(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        if value.shape != self._difference.shape:
            raise DataError(
                f'a frame of shape {value.shape}, but the events are of shape {self._difference.shape}; '
                'frames must come from the same pixels'
            )
        if not np.isfinite(value).all():
            raise DataError('a frame holds values that are not finite; frames are float32 in [0, 1]')
        return np.clip(value, 0.0, 1.0).astype(np.float32)
