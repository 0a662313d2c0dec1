# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a simulated DVS pixel is like: every constant of the emulator, declared once."""

from dataclasses import dataclass, replace
from typing import Literal

from event_perception.config import param
from event_perception.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DvsConfig:
    """Parameters of ``DvsEmulator``; the defaults are those of the v2e command line (Hu et al. 2021)."""

    model: Literal['physical', 'naive'] = param(
        'physical', 'Pixel model: physical, or naive difference of consecutive frames.'
    )
    threshold_on: float = param(0.2, 'Contrast threshold of ON events, ln units.', ge=0.01, le=2.0)
    threshold_off: float = param(0.2, 'Contrast threshold of OFF events, ln units.', ge=0.01, le=2.0)
    threshold_sigma: float = param(0.03, 'Spread of both thresholds over pixels, ln units.', ge=0.0, le=0.5)
    input_transfer: Literal['dn', 'linear', 'srgb', 'log'] = param(
        'dn',
        'What frames hold: dn light 0..255, linear light 0..1, srgb 0..255 gamma coded, log: ln of dn.',
    )
    linlog_knee_dn: float = param(20.0, 'Below this light the response is linear, dn.', ge=1.0, le=255.0)
    naive_epsilon: float = param(1e-6, 'Added to the light before the logarithm of the naive model.', ge=0.0)
    cutoff_hz: float = param(
        300.0, 'Photoreceptor bandwidth at white, Hz; 0 switches the filter off.', ge=0.0
    )
    filter: Literal['exact', 'euler'] = param(
        'exact', 'Filter step: exact for light that is linear between frames, or clamped Euler as in v2e.'
    )
    leak_rate_hz: float = param(0.01, 'Mean rate of leak (ON) events of a still pixel, Hz.', ge=0.0)
    noise_rate_decades: float = param(
        0.1, 'Spread of the leak rate over pixels, standard deviation in decades.', ge=0.0, le=1.0
    )
    shot_noise_rate_hz: float = param(0.001, 'Mean rate of noise events of a dark pixel, Hz.', ge=0.0)
    shot_noise_bright_factor: float = param(
        0.25, 'Noise rate at white divided by the rate at black.', ge=0.0, le=1.0
    )
    hot_pixel_fraction: float = param(0.0, 'Share of pixels that fire on their own.', ge=0.0, le=0.1)
    hot_pixel_rate_hz: float = param(50.0, 'Mean rate of a hot pixel, Hz.', ge=0.0)
    refractory_s: float = param(5e-4, 'Dead time of a pixel after an event, seconds.', ge=0.0, le=1.0)
    refractory_mode: Literal['hold', 'dead'] = param(
        'hold',
        'hold: an event due in the dead time comes at its end; dead: the reference is set at its end.',
    )
    random_initial_phase: bool = param(
        False, 'Start every pixel at a random distance from its thresholds, as a running sensor would.'
    )
    time_jitter_s: float = param(
        0.0, 'Standard deviation of the time stamps, seconds; clipped at 4 of them.', ge=0.0, le=0.01
    )
    time_resolution_ns: int = param(1000, 'Step of the time stamps, nanoseconds.', ge=1, le=1_000_000)
    seed: int = param(0, 'Seed of thresholds and noise.', ge=0)


_IDEAL = {
    'threshold_sigma': 0.0,
    'cutoff_hz': 0.0,
    'leak_rate_hz': 0.0,
    'shot_noise_rate_hz': 0.0,
    'refractory_s': 0.0,
}
PRESETS: dict[str, dict[str, float | bool]] = {
    'default': {},
    'ideal': _IDEAL,
    'clean': _IDEAL | {'threshold_sigma': 0.02},
    'noisy': {
        'threshold_sigma': 0.05,
        'cutoff_hz': 30.0,
        'leak_rate_hz': 0.1,
        'shot_noise_rate_hz': 5.0,
        'refractory_s': 0.0,
        'hot_pixel_fraction': 2e-4,
        'random_initial_phase': True,
    },
}


def dvs_preset(name: str, **changes: object) -> DvsConfig:
    """A named configuration with some fields changed.

    Args:
        name: ``default``, ``ideal`` (no mismatch, filter, noise or dead time), ``clean`` or ``noisy``.
        changes: Fields that differ from the preset.

    Raises:
        ConfigError: If the preset is unknown.
    """
    if name not in PRESETS:
        raise ConfigError(f'DVS preset {name!r} is unknown; choose one of {sorted(PRESETS)}')
    return replace(DvsConfig(), **(PRESETS[name] | changes))  # type: ignore[arg-type]
