# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels of a simulated camera to the logarithm of light that an event sensor responds to.

Eight-bit pictures of a renderer are gamma coded; light is their luminance after decoding, white = 255 dn. Below the
knee the response of the sensor is linear (Hu et al., "v2e", CVPRW 2021), which also keeps the quantisation of dark
pixels from becoming events.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.io.image_messages import image_to_array
from event_perception.simulation.dvs import srgb_to_linear
from event_perception.simulation.dvs_kernels import log_light

LUMINANCE = {'r': 0.2126, 'g': 0.7152, 'b': 0.0722}
"""Weights of linear light in luminance: Rec. ITU-R BT.709."""
ENCODINGS = ('rgb8', 'rgba8', 'bgr8', 'bgra8', 'mono8', '32FC1')
WHITE_DN = 255.0

Transfer = Literal['srgb', 'linear']


@dataclass(frozen=True, slots=True)
class LightConfig:
    """What the numbers in the pictures mean."""

    transfer: Literal['srgb', 'linear'] = param(
        'srgb', 'Eight-bit pictures: srgb (gamma coded, what renderers show) or linear in light.'
    )
    float_white: float = param(1.0, 'Value of a 32FC1 picture, linear light, that counts as white.', ge=1e-9)
    knee_dn: float = param(
        20.0, 'Below this light the response is linear; white is 255 dn.', ge=1.0, le=255.0
    )


def log_light_from_message(message: Any, config: LightConfig) -> NDArray[np.float32]:
    """Log light (H, W), ln of dn, of a ``sensor_msgs/Image``.

    Args:
        message: Encoding rgb8, rgba8, bgr8, bgra8, mono8 or 32FC1 (linear light).
        config: What its numbers mean.

    Raises:
        DataError: If the encoding is another one, the bytes do not fit the size, a value is not finite or negative.
    """
    encoding = str(message.encoding)
    if encoding not in ENCODINGS:
        raise DataError(f'camera image with encoding {encoding!r}: supported are {list(ENCODINGS)}')
    pixels = image_to_array(message)
    if encoding == '32FC1':
        return _log(_checked(pixels) * np.float32(WHITE_DN / config.float_white), config.knee_dn)
    table = _light_table(config.transfer)
    if pixels.ndim == 2:
        return _log_table(config.transfer, config.knee_dn)[pixels]
    weights = np.array([LUMINANCE[c] for c in encoding[:3]], np.float32)
    light = np.empty(pixels.shape[:2], np.float32)
    _luminance(np.ascontiguousarray(pixels), table, weights, light)
    return _log(light, config.knee_dn)


def _checked(light: NDArray[np.float32]) -> NDArray[np.float32]:
    lowest = float(light.min(initial=0.0))
    if not (np.isfinite(light).all() and lowest >= 0):
        raise DataError(
            'a 32FC1 camera image has values that are negative or not finite; light is at least 0'
        )
    return light


def _log(light: NDArray[np.float32], knee_dn: float) -> NDArray[np.float32]:
    out = np.empty(light.size, np.float32)
    log_light(np.ascontiguousarray(light).ravel(), False, knee_dn, out)
    return out.reshape(light.shape)


@lru_cache(maxsize=2)
def _light_table(transfer: Transfer) -> NDArray[np.float32]:
    """Light in dn of every 8-bit value."""
    value = np.arange(256) / 255.0
    light = srgb_to_linear(value) if transfer == 'srgb' else value
    return (WHITE_DN * light).astype(np.float32)


@lru_cache(maxsize=8)
def _log_table(transfer: Transfer, knee_dn: float) -> NDArray[np.float32]:
    return _log(_light_table(transfer), knee_dn)


@njit(cache=True, nogil=True)
def _luminance(pixels: NDArray, table: NDArray, weights: NDArray, out: NDArray) -> None:
    a, b, c = weights[0], weights[1], weights[2]
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            p = pixels[row, column]
            out[row, column] = a * table[p[0]] + b * table[p[1]] + c * table[p[2]]
