# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Surrogate derivatives of the hard histogram: the baselines that functional backpropagation is measured against.

- ``straight_through``: the hard histogram is treated, backward, as if it had been bilinear. Its taps are
  those of the bilinear vote itself: -1 and +1 on the two nearest bin centres.
- ``sigmoid``: both edges of the bin are softened to logistic steps,
  kappa(x) = S(4 (x + 1/2)) - S(4 (x - 1/2)).

Both have a width to choose and no derivation from the objective; neither is the default of anything.
"""

import numpy as np
from numpy.typing import NDArray

SURROGATES = ('straight_through', 'sigmoid')
SIGMOID_SLOPE = 4.0  # per bin
SIGMOID_TOLERANCE = 1e-7  # of its polynomials: the logistic function has poles close to the real axis
SIGMOID_REACH = 3.5  # bins; what lies beyond, 4e-5 of the mass, is cut


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The softened bin: S(slope (x + 1/2)) - S(slope (x - 1/2)), S the logistic function."""
    rise, fall = SIGMOID_SLOPE * (x + 0.5), SIGMOID_SLOPE * (x - 0.5)
    return 0.5 * (np.tanh(0.5 * rise) - np.tanh(0.5 * fall))
