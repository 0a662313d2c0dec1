# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How much an OFF event weighs against an ON event: the running ratio of their numbers.

The two contrast thresholds of a sensor differ. Where mean brightness is steady, every pixel goes up as far as it
goes down in the long run, so thresholds are inversely proportional to numbers of events.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param

BLOCK_EVENTS = 1024  # the ratio is looked at in blocks: enough to judge a block by itself
N_ON, N_OFF, BLOCK_ON, BLOCK_N, FOLDED_TICK, OFF_WEIGHT = range(6)
"""Places in the state array."""


@dataclass(frozen=True, slots=True)
class BalanceConfig:
    """How the weight of OFF events follows the stream."""

    memory_s: float = param(5.0, 'Time constant of the running numbers, seconds.', ge=0.1, le=1000.0)
    half_events: int = param(
        10_000, 'Events at which the ratio counts half; before, both polarities weigh nearly alike.', ge=1
    )
    max_share: float = param(
        0.85,
        'Blocks with more than this share of one polarity leave the ratio alone, as when light is switched.',
        ge=0.5,
        le=0.99,
    )
    limit: float = param(
        2.5, 'The weight stays between 1/this and this; 1 weighs both alike.', ge=1.0, le=10.0
    )

    def in_ticks(self, tick_s: float) -> tuple[float, float, float, float]:
        """What ``fold_block`` takes."""
        return self.memory_s / tick_s, float(self.half_events), self.max_share, self.limit


def new_balance() -> NDArray[np.float64]:
    """State without events, both polarities weighing alike."""
    balance = np.zeros(6)
    balance[OFF_WEIGHT] = 1.0
    return balance


@njit(cache=True, nogil=True)
def fold_block(balance, settings, tick):  # type: ignore[no-untyped-def]
    """Let the numbers of a full block into the running ones, and begin the next block.

    Args:
        balance: State (6,), changed.
        settings: ``BalanceConfig.in_ticks``.
        tick: Time of its end.
    """
    memory, half_at, max_share, limit = settings
    on = balance[BLOCK_ON]
    off = BLOCK_EVENTS - on
    if max(on, off) <= max_share * BLOCK_EVENTS:
        kept = math.exp(-(tick - balance[FOLDED_TICK]) / memory)
        balance[N_ON] = balance[N_ON] * kept + on
        balance[N_OFF] = balance[N_OFF] * kept + off
        balance[FOLDED_TICK] = tick
        total = balance[N_ON] + balance[N_OFF]
        # Few events say little: shrink the logarithm of the ratio towards 0.
        log_ratio = math.log(balance[N_ON] / balance[N_OFF]) * total / (total + half_at)
        balance[OFF_WEIGHT] = min(max(math.exp(log_ratio), 1 / limit), limit)
    balance[BLOCK_ON] = balance[BLOCK_N] = 0
