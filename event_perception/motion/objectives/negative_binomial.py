# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Likelihood of the counts if every bin has a Poisson rate drawn from one Gamma distribution.

Source: Gu, Learned-Miller, Sheldon, Gallego and Bideau, The spatio-temporal Poisson point process, ICCV 2021.
"""

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from event_perception.errors import ConfigError
from event_perception.motion.objectives.base import Image


class NegativeBinomial:
    """F = -(1/N) sum_j log NB(h_j; r, q), q chosen so that the mean of NB is the mean of the image.

    Args:
        shape: r of the Gamma distribution; small: few bins hold most events.

    Counts may be fractions (bilinear votes): the Gamma function interpolates the factorial.
    """

    def __init__(self, shape: float = 0.1) -> None:
        if not shape > 0:
            raise ConfigError(f'shape={shape}: must be positive')
        self.shape = shape

    def value(self, image: Image, total: float) -> float:
        """F(h)."""
        r, q = self.shape, self._q(image, total)
        h = np.maximum(image, 0.0)
        log_p = gammaln(h + r) - gammaln(r) - gammaln(h + 1) + r * np.log1p(-q) + h * np.log(q)
        return -float(log_p.sum()) / total

    def cotangent(self, image: Image, total: float) -> Image:
        """-(1/N) (psi(h + r) - psi(h + 1) + log q)."""
        h = np.maximum(image, 0.0)
        return -(digamma(h + self.shape) - digamma(h + 1) + np.log(self._q(image, total))) / total

    def curvature(self, image: Image, changes: Image, total: float) -> Image:
        """-(1/N) sum_j (psi'(h_j + r) - psi'(h_j + 1)) J_jk J_jl."""
        h = np.maximum(image, 0.0)
        bend = (polygamma(1, h + self.shape) - polygamma(1, h + 1)).ravel()
        J = changes.reshape(len(changes), -1)
        return -(J * bend) @ J.T / total

    def _q(self, image: Image, total: float) -> float:
        """From all events, also those outside: it must not depend on the motion."""
        mean = total / image.size
        return mean / (mean + self.shape)
