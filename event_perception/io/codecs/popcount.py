# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Number of set bits of a mask, for compiled kernels: without a branch, so that many are counted at once."""

import numpy as np

from event_perception.io.codecs.backend import njit


@njit(cache=True, nogil=True)
def popcount(mask: np.int64) -> np.int64:
    """Set bits of a mask of up to 32 bits, summed in pairs, fours and bytes."""
    mask = mask - (mask >> 1 & 0x55555555)
    mask = (mask & 0x33333333) + (mask >> 2 & 0x33333333)
    mask = mask + (mask >> 4) & 0x0F0F0F0F
    return mask * 0x01010101 >> 24 & 0xFF
