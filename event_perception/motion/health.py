# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an estimate may be used. A wrong rate that looks good costs more than a missing one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.egomotion_config import HealthConfig


@dataclass(frozen=True, slots=True)
class Refined:
    """What the search for one window ended with.

    Attributes:
        x: Rate (3,) and, if estimated, its change over the window (3,), rad/s.
        covariance: Of ``x`` by event noise alone; infinite where the objective is flat.
        gain: Objective divided by that of no motion.
        n_evaluations: Evaluations on all events.
        converged: Whether the solver's last step was short.
    """

    x: NDArray[np.float64]
    covariance: NDArray[np.float64]
    gain: float
    n_evaluations: int
    converged: bool


def objection(found: Refined, px_per_rad_s: float, config: HealthConfig) -> str | None:
    """What speaks against an estimate, or None.

    Args:
        found: The estimate.
        px_per_rad_s: Motion of an event at the window end, image pixels for 1 rad/s.
        config: Limits.
    """
    rate = float(np.linalg.norm(found.x[:3]))
    if not np.isfinite(found.x).all() or rate > config.max_rate_rad_s:
        return f'the search ran away to {rate:.3g} rad/s'
    if not found.converged:
        return f'no convergence within {found.n_evaluations} evaluations'
    sigma_px = px_per_rad_s * float(np.sqrt(np.diag(found.covariance)[:3].max()))
    if not sigma_px <= config.max_sigma_px:
        return f'flat objective: the motion is known to {sigma_px:.2g} px only'
    if rate * px_per_rad_s > config.visible_px and found.gain < config.min_gain:
        return f'no sharper than without motion (gain {found.gain:.3f} < {config.min_gain:g})'
    return None
