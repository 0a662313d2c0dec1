# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the declared bit order of spike planes can be right: neighbours in the image must look alike.

A wrong order mirrors every group of eight pixels. Pixels on both sides of a byte border are then fifteen
pixels apart in the scene; under the right order they touch. The declared order is refused only when the
other one explains the borders better by far.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError

PLANES_LOOKED_AT = 64
LEAST_SCORE = 12.0  # standard errors; natural pictures in the right order score far below zero
LEAST_RATIO = 1.2


def check_bit_order(canonical: NDArray[np.uint8], *, height: int, width: int, where: str) -> None:
    """Refuse planes whose byte borders fit the opposite bit order much better than the declared one.

    Args:
        canonical: Packed planes (n, bytes), first pixel in bit 0 as declared; the first 64 are looked at.
        height: Sensor rows.
        width: Sensor columns.
        where: What the planes come from, for the message.

    Raises:
        DataError: If the order is wrong beyond doubt.
    """
    score, ratio = border_evidence(canonical, height=height, width=width)
    if score > LEAST_SCORE and ratio > LEAST_RATIO:
        raise DataError(
            f'{where}: the picture is scrambled in groups of eight pixels (borders of bytes differ '
            f'{ratio:.1f} times as much as in the opposite bit order); declare the other bit_order, or set '
            f'check_bit_order=False if the scene really looks so'
        )


def border_evidence(canonical: NDArray[np.uint8], *, height: int, width: int) -> tuple[float, float]:
    """Evidence against the declared order: (paired score in standard errors, ratio of border differences)."""
    planes = canonical[:PLANES_LOOKED_AT]
    n_bytes = height * width // 8
    if n_bytes < 64 or not len(planes):
        return 0.0, 1.0
    bits = np.unpackbits(planes[:, :n_bytes], axis=1, bitorder='little')
    rate = bits.mean(axis=0, dtype=np.float64).reshape(n_bytes, 8)
    declared = np.abs(rate[1:, 0] - rate[:-1, 7])
    opposite = np.abs(rate[1:, 7] - rate[:-1, 0])
    difference = declared - opposite
    spread = difference.std()
    if spread == 0 or opposite.mean() == 0:
        return 0.0, 1.0
    return (
        float(difference.mean() / spread * np.sqrt(len(difference))),
        float(declared.mean() / opposite.mean()),
    )
