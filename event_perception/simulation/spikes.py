# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A spike camera: every pixel integrates light, fires when full, and keeps the residue.

Charge is counted in thresholds. Every plane, each pixel receives its share of light and dark current,
perhaps with shot noise, and is compared with its threshold; a spike subtracts one threshold. Clearing the
charge instead would lose the residue and with it the proportionality of rate and light.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.config import param, update
from event_perception.errors import ConfigError, DataError
from event_perception.events.spike_stream import SpikeStream

DARK_SHAPE = 4.0  # of the gamma distribution that dark currents are drawn from, mean 1


@dataclass(frozen=True, slots=True)
class SpikeSensorConfig:
    """Physics of the sensor; the defaults are a camera without noise."""

    gain: float = param(0.6, 'Spikes per plane at intensity 1.', ge=1e-6)
    plane_period_ns: int = param(25_000, 'Time from plane to plane, ns.', ge=1)
    response_sd: float = param(0.0, 'Fixed pattern: spread of the response over the pixels.', ge=0.0, le=0.5)
    dark_current: float = param(0.0, 'Mean dark current, thresholds per plane.', ge=0.0, le=1.0)
    electrons_per_threshold: float = param(0.0, 'Electrons that fill a pixel; 0: no shot noise.', ge=0.0)
    threshold_sd: float = param(0.0, 'Comparator noise, thresholds, drawn per plane.', ge=0.0, le=0.5)
    reset_sd: float = param(0.0, 'Noise of the charge that a reset takes away, thresholds.', ge=0.0, le=0.5)
    seed: int = param(0, 'Seed of everything random.', ge=0)


PRESETS: dict[str, dict[str, float]] = {
    'clean': {},
    'typical': {
        'response_sd': 0.03,
        'dark_current': 0.002,
        'electrons_per_threshold': 1000.0,
        'threshold_sd': 0.01,
        'reset_sd': 0.01,
    },
    'harsh': {
        'response_sd': 0.05,
        'dark_current': 0.01,
        'electrons_per_threshold': 200.0,
        'threshold_sd': 0.02,
        'reset_sd': 0.02,
    },
}


def spike_sensor(
    preset: Literal['clean', 'typical', 'harsh'] = 'clean', **changes: float
) -> SpikeSensorConfig:
    """A sensor by name, with some parameters changed.

    ``typical`` is anchored at the interval statistics of a real dark recording; its fixed pattern and dark
    current are guesses, as no recording of uniform light was at hand.

    Raises:
        ConfigError: If the preset or a parameter is unknown.
    """
    if preset not in PRESETS:
        raise ConfigError(f'spike sensor {preset!r} is unknown; choose one of {list(PRESETS)}')
    return update(SpikeSensorConfig(), PRESETS[preset] | changes)


class SpikeEmulator:
    """Integrate-and-fire emulator, one light frame a plane; state carries over from call to call.

    Args:
        config: The sensor.
        height: Rows.
        width: Columns.
        start_ns: Instant of the first plane.
    """

    def __init__(
        self, config: SpikeSensorConfig | None = None, *, height: int, width: int, start_ns: int = 0
    ) -> None:
        self.config = SpikeSensorConfig() if config is None else config
        self._shape = (height, width)
        self._random = np.random.default_rng(self.config.seed)
        self._start_ns = start_ns
        self._n_planes = 0
        # Pixels are anywhere in their cycle when a recording begins.
        self._charge = self._random.random(self._shape)
        spread = self._random.standard_normal(self._shape)
        self._response = np.maximum(1.0 + self.config.response_sd * spread, 0.0)
        dark = self._random.gamma(DARK_SHAPE, 1.0 / DARK_SHAPE, self._shape)
        self._dark = self.config.dark_current * dark

    def emulate(self, frames: Iterable[ArrayLike]) -> SpikeStream:
        """Spikes under a sequence of light frames.

        Args:
            frames: One frame a plane, linear intensity, floating point (H, W), not negative; 1 gives ``gain``
                spikes a plane. Render motion for every plane: cross-fading two pictures makes ghosts.

        Returns:
            One plane a frame, following those of the last call.

        Raises:
            DataError: If a frame has another shape, is not floating point, negative or not finite.
        """
        fired = [np.packbits(self.expose(frame).reshape(-1), bitorder='little') for frame in frames]
        first = self._n_planes - len(fired)
        height, width = self._shape
        return SpikeStream(
            np.array(fired, np.uint8).reshape(len(fired), -(-height * width // 8)),
            height=height,
            width=width,
            plane_period_ns=self.config.plane_period_ns,
            start_ns=self._start_ns + first * self.config.plane_period_ns,
            gain=self.config.gain,
            first_plane_index=first,
        )

    def expose(self, frame: ArrayLike) -> NDArray[np.bool_]:
        """One plane of exposure to a frame; which pixels fire, bool (H, W)."""
        light = _checked(np.asarray(frame), self._shape)
        config, random = self.config, self._random
        arrived = config.gain * self._response * light + self._dark
        if config.electrons_per_threshold > 0:
            arrived = (
                random.poisson(arrived * config.electrons_per_threshold) / config.electrons_per_threshold
            )
        threshold: float | NDArray = 1.0
        if config.threshold_sd > 0:
            threshold = 1.0 + config.threshold_sd * random.standard_normal(self._shape)
        self._charge += arrived
        fires = self._charge >= threshold
        self._charge -= fires
        if config.reset_sd > 0:
            self._charge += config.reset_sd * fires * random.standard_normal(self._shape)
        # A pixel above saturation would store charge without limit and fire on long after the light is gone.
        overfull = self._charge >= 2.0
        self._charge[overfull] %= 1.0
        self._n_planes += 1
        return fires


def _checked(frame: NDArray, shape: tuple[int, int]) -> NDArray:
    if frame.shape != shape or frame.dtype.kind != 'f':
        raise DataError(
            f'a light frame has shape {frame.shape} and dtype {frame.dtype}; expected floating point {shape}, '
            'linear intensity (divide 8-bit pictures by 255)'
        )
    if not (np.isfinite(frame).all() and frame.min(initial=0.0) >= 0.0):
        raise DataError('a light frame holds values that are negative or not finite; intensity is at least 0')
    return frame
