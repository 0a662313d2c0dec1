# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How the thresholds, and the reference, of a pixel are distributed: what an expected event image is taken over.

A pixel is three numbers: z_on, z_off ~ N(0, 1) and w ~ U(0, 1), with

    c_on = mean_on + sigma z_on,   c_off = mean_off + sigma z_off,   d_0 = w (c_on + c_off) - c_off or 0,

d_0 the first residual, signal minus reference. Samples are stratified. A ``line`` is a direction s in which the
three numbers move together; births and deaths of events are integrated along it, so it must move every level
a c_on - b c_off - d_0 that a pixel can reach:

    random phase        w = s                                      moves all levels alike
    common mismatch     z_on = z_off = s                           moves all but level a - b = 0
    independent         z_on = (q + s)/sqrt 2, z_off = (q - s)/sqrt 2   moves level (a, b) by (a + b) sigma/sqrt 2
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from event_perception.errors import DataError

Z_MAX = 4.5  # of the normal distributions; beyond lies 7e-6 of them
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ThresholdSpread:
    """Distribution of the thresholds over pixels; every tensor may be attached.

    Attributes:
        mean_on: ON threshold, ln units, scalar or (H, W).
        mean_off: OFF threshold, alike.
        sigma: Standard deviation of both, scalar; 0 only with ``random_phase``.
        mismatch: Whether both thresholds of a pixel deviate together or on their own.
        random_phase: Whether the reference starts anywhere between the thresholds, as in a running sensor.

    Raises:
        DataError: If a threshold can be zero or negative within ``Z_MAX`` deviations, or nothing is random.
    """

    mean_on: Tensor
    mean_off: Tensor
    sigma: Tensor
    mismatch: Literal['common', 'independent'] = 'independent'
    random_phase: bool = False

    def __post_init__(self) -> None:
        sigma = float(self.sigma.detach())
        least = min(float(mean.detach().min()) for mean in (self.mean_on, self.mean_off))
        if not (np.isfinite(sigma) and sigma >= 0 and least - Z_MAX * sigma > 0):
            raise DataError(
                f'thresholds of at least {least:g} with deviation {sigma:g}: some would be zero or negative; '
                f'keep the mean above {Z_MAX:g} deviations'
            )
        if sigma == 0 and not self.random_phase:
            raise DataError(
                'sigma=0 without random_phase: nothing to take an expectation over; set one of them'
            )

    @property
    def density(self) -> Literal['normal', 'uniform']:
        """Of s along a line."""
        return 'uniform' if self.random_phase else 'normal'

    @property
    def s_range(self) -> tuple[float, float]:
        """Where lines begin and end."""
        return (0.0, 1.0) if self.random_phase else (-Z_MAX, Z_MAX)

    def samples(self, n: int, pixels: int, rng: np.random.Generator) -> Numbers:
        """(z_on, z_off, w) of n pixels at every place, (n, pixels, 3), each number stratified over n."""
        u = np.stack([_stratified(n, pixels, rng) for _ in range(3)], axis=-1)
        z = np.clip(ndtri(u[..., :2]), -Z_MAX, Z_MAX)
        if self.mismatch == 'common':
            z[..., 1] = z[..., 0]
        elif not self.random_phase:  # strata along the lines and across them
            z = np.stack([z[..., 0] + z[..., 1], z[..., 0] - z[..., 1]], axis=-1) * np.sqrt(0.5)
        return np.concatenate([z, u[..., 2:]], axis=-1)

    def lines(self, n: int, pixels: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
        """Origin (n, pixels, 3) and direction (3,) of n lines at every place."""
        if self.random_phase:
            origin = self.samples(n, pixels, rng)
            origin[..., 2] = 0.0
            return origin, np.array([0.0, 0.0, 1.0])
        origin = np.zeros((n, pixels, 3))
        if self.mismatch == 'common':
            return origin, np.array([1.0, 1.0, 0.0])
        q = np.clip(ndtri(_stratified(n, pixels, rng)), -Z_MAX, Z_MAX) * np.sqrt(0.5)
        origin[..., 0] = origin[..., 1] = q
        return origin, np.array([1.0, -1.0, 0.0]) * np.sqrt(0.5)

    def lines_needed(self, wanted: int) -> int:
        """How many lines a place needs: one where nothing is random across it."""
        across = float(self.sigma.detach()) > 0 if self.random_phase else self.mismatch == 'independent'
        return wanted if across else 1

    def pixel(self, numbers: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """c_on, c_off and d_0 of (z_on, z_off, w) (..., 3) at flat places (...), attached to the distribution."""
        on = self._at(self.mean_on, place) + self.sigma * numbers[..., 0]
        off = self._at(self.mean_off, place) + self.sigma * numbers[..., 1]
        first = numbers[..., 2] * (on + off) - off if self.random_phase else torch.zeros_like(on)
        return on, off, first

    def _at(self, mean: Tensor, place: Tensor) -> Tensor:
        return mean.to(torch.float64) if mean.ndim == 0 else mean.to(torch.float64).flatten()[place]


def _stratified(n: int, pixels: int, rng: np.random.Generator) -> Numbers:
    """One uniform number in each of n equal parts of (0, 1), in random order, at every place: (n, pixels)."""
    part = rng.permuted(np.tile(np.arange(n)[:, None], (1, pixels)), axis=0)
    return np.clip((part + rng.random((n, pixels))) / n, 1e-12, 1 - 1e-12)
