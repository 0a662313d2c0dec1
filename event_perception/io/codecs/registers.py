# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Registers without a loop: the NumPy idioms that the fallback decoders share.

A word stream sets registers and, with some words, reads them. The value that a word reads is the value set
last before it; a running count of the setting words finds it.
"""

import numpy as np
from numpy.typing import NDArray


def latest(is_set: NDArray[np.bool_], values: NDArray, initial: int) -> NDArray[np.int64]:
    """The register as each word leaves it.

    Args:
        is_set: Which words set it, bool (n,).
        values: What they set, one for each True of ``is_set``.
        initial: Its value before the first word.

    Returns:
        int64 (n,).
    """
    history = np.concatenate(([initial], values)).astype(np.int64)
    return history[np.cumsum(is_set)]


def last_value(values: NDArray, initial: int) -> int:
    """The register after all words."""
    return int(values[-1]) if values.size else initial


def first_index(mask: NDArray[np.bool_], start: int = 0) -> int:
    """Index of the first True at or behind ``start``, else the length."""
    found = np.flatnonzero(mask[start:])
    return start + int(found[0]) if found.size else mask.size


def set_bits(masks: NDArray, width: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """All set bits of all masks, lowest first, in the order of the masks.

    Args:
        masks: Unsigned values below 2**32, shape (n,).
        width: Number of bits that can be set.

    Returns:
        The index of the mask and the number of the bit, one entry a set bit.
    """
    in_bytes = masks.astype('<u4').view(np.uint8).reshape(-1, 4)
    owner, bit = np.nonzero(np.unpackbits(in_bytes, axis=1, count=width, bitorder='little'))
    return owner, bit.astype(np.int64)


def wraps(values: NDArray[np.int64], half_period: int) -> NDArray[np.int64]:
    """How often a counter has wrapped at each value, since the first.

    Neighbours lie less than half a period apart: a larger fall is a wrap, a larger rise takes one back, as
    when one late value follows the wrap.
    """
    step = np.diff(values, prepend=values[:1])
    return np.cumsum((step < -half_period).astype(np.int64) - (step > half_period))
