# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the egomotion estimator is measured against: variance of binned events in torch, maximised by SciPy.

That is contrast maximisation as it is commonly written (Gallego and Scaramuzza, RA-L 2017): bilinear votes, first
order rotation warp, automatic derivatives, L-BFGS-B from the estimate of the window before. Only the derivative of
the binning differs from one baseline to the next.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from event_perception.binning import bin_events, classic_bilinear
from event_perception.events import EventWindow
from event_perception.motion import CameraModel
from event_perception.motion.warped_image import bearing_events

Vector = NDArray[np.float64]
Binning = Callable[[torch.Tensor, int, int], torch.Tensor]

MAX_RATE_RAD_S = 60.0  # beyond, an optimiser has run away and starts again from zero


@dataclass(frozen=True)
class Baseline:
    """How events are binned and differentiated: ``kernel`` votes, ``reconstruction`` of the derivative."""

    kernel: str
    reconstruction: str | None

    def bin(self, points: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Image of points (N, 2)."""
        if self.kernel == 'bilinear' and self.reconstruction is None:
            return classic_bilinear(points, None, height=height, width=width)
        return bin_events(
            points, None, height=height, width=width, kernel=self.kernel, reconstruction=self.reconstruction
        )


BASELINES = {
    'raw bilinear': Baseline('bilinear', None),
    'weak bilinear': Baseline('bilinear', 'linear'),
    'weak rect': Baseline('rect', 'linear'),
    'straight-through rect': Baseline('rect', 'straight_through'),
    'sigmoid rect': Baseline('rect', 'sigmoid'),
}


class BaselineEstimator:
    """Angular velocity by L-BFGS-B on the negative variance, warm-started from window to window.

    Args:
        camera: The camera.
        baseline: Binning and derivative.
        start_rad_s: Where the first window starts (3,).
        bin_size_px: Side of a bin, image pixels.
    """

    def __init__(
        self, camera: CameraModel, baseline: Baseline, start_rad_s: Vector, bin_size_px: float = 2.0
    ) -> None:
        self._camera, self._baseline = camera, baseline
        self._scale = torch.tensor([camera.fx, camera.fy]) / bin_size_px
        self._centre = (torch.tensor([camera.cx, camera.cy]) + 0.5) / bin_size_px - 0.5
        self._size = (round(camera.height / bin_size_px), round(camera.width / bin_size_px))
        self.omega = np.asarray(start_rad_s, np.float64)

    def update(self, window: EventWindow) -> tuple[Vector, int]:
        """Angular velocity (3,), rad/s, and the number of evaluations."""
        objective = self.objective(window)
        found = minimize(objective, self.omega, jac=True, method='L-BFGS-B')
        usable = np.isfinite(found.x).all() and np.linalg.norm(found.x) < MAX_RATE_RAD_S
        self.omega = np.asarray(found.x, np.float64) if usable else np.zeros(3)
        return self.omega, int(found.nfev)

    def objective(self, window: EventWindow) -> Callable[[Vector], tuple[float, Vector]]:
        """Negative variance and its gradient as a function of the angular velocity."""
        events, _ = bearing_events(window, self._camera)
        x, y, d = (torch.from_numpy(a) for a in (events.x, events.y, events.d))
        bearings = torch.stack([x, y, torch.ones_like(x)], dim=-1)

        def evaluate(omega: Vector) -> tuple[float, Vector]:
            w = torch.tensor(omega, dtype=torch.float32, requires_grad=True)
            turned = bearings + d[:, None] * torch.linalg.cross(w.expand_as(bearings), bearings)
            points = turned[:, :2] / turned[:, 2:] * self._scale + self._centre
            loss = -self._baseline.bin(points, *self._size).var(correction=0)
            (gradient,) = torch.autograd.grad(loss, w)
            return loss.item(), gradient.double().numpy()

        return evaluate
