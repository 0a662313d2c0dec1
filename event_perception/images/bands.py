# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bands of rows that threads work on side by side; compiled loops let go of the interpreter, so that they do."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Part = TypeVar('Part')


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, 'bands')


class Bands:
    """Splits rows evenly; every border is a multiple of ``step`` rows, so that blocks and words stay whole.

    Args:
        n_rows: Rows.
        step: What borders are multiples of.
        threads: Bands that are wanted; fewer where there are not so many steps.
    """

    def __init__(self, n_rows: int, *, step: int, threads: int) -> None:
        steps = -(-n_rows // step)
        n_bands = max(1, min(threads, steps))
        borders = [min(k * steps // n_bands * step, n_rows) for k in range(n_bands + 1)]
        self.borders = list(itertools.pairwise(borders))

    def map(self, function: Callable[[int, int], Part]) -> list[Part]:
        """Results of ``function(first_row, end_row)`` for every band, from top to bottom."""
        if len(self.borders) == 1:
            return [function(*self.borders[0])]
        return list(_threads(len(self.borders)).map(function, *zip(*self.borders)))
