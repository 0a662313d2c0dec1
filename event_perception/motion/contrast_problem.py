# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Contrast maximisation for any warp and any objective: one window as a function of the parameters.

    u_n = warp(p)      h = bins of u_n      F(h)
    gradient = sum_n w_n (v' du_n/dp),  v = dF/dh carried to the events by the weak derivative
    Hessian  = sum_n w_n (du/dp^T v'' du/dp + v' d2u/dp2)  +  (dh/dp)^T F'' (dh/dp)

Float64 and general; the fused ``rotation_variance`` gives the same numbers for rotations, faster.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from event_perception.binning.cpu import CpuBinning
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation
from event_perception.motion.objectives import Objective
from event_perception.motion.warps import WarpModel
from event_perception.motion.warps.base import SceneEvents

Vector = NDArray[np.float64]


class ContrastProblem:
    """The sharpness of one window's image as a function of the motion.

    Args:
        events: The events.
        warp: The family of motions.
        objective: What is minimised.
        grid: The bins.
        kernel: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear', 'cubic', 'lanczos2', or None for raw derivatives of the vote kernel, which
            have no useful Hessian.
    """

    def __init__(
        self,
        events: SceneEvents,
        warp: WarpModel,
        objective: Objective,
        grid: BinGrid,
        *,
        kernel: str = 'bilinear',
        reconstruction: str | None = 'linear',
    ) -> None:
        self.events, self.warp, self.objective, self.grid = events, warp, objective, grid
        self._binning = CpuBinning((grid.height, grid.width), kernel=kernel, reconstruction=reconstruction)
        self._total = max(float(events.w.sum()), 1e-30)

    def image(self, parameters: Vector) -> Vector:
        """Image of warped events, float64 (height, width)."""
        return self._binning.value(self._points(parameters, 0)[0], self.events.w)

    def evaluate(self, parameters: Vector, order: int = 2) -> Evaluation:
        """The objective, with order 1 its gradient, with order 2 also its Hessian."""
        k, w = len(self.warp.names), self.events.w
        points, first, second = self._points(parameters, order)
        image = self._binning.value(points, w)
        value = self.objective.value(image, self._total)
        if order == 0:
            return Evaluation(value, np.zeros(k), np.zeros((k, k)))
        cotangent = self.objective.cotangent(image, self._total)
        slopes = self._binning.vjp(points, w, cotangent).T
        gradient = np.einsum('akn,an->k', first, slopes)
        if order == 1 or second is None:
            return Evaluation(value, gradient, np.zeros((k, k)))
        bends = self._binning.second(points, w, cotangent)
        hessian = np.einsum('akln,an->kl', second, slopes)
        for a in range(2):
            for b in range(2):
                hessian += (first[a] * bends[:, a, b]) @ first[b].T
        changes = np.stack([self._binning.jvp(points, w, first[:, j].T) for j in range(k)])
        hessian += self.objective.curvature(image, changes, self._total)
        return Evaluation(value, gradient, 0.5 * (hessian + hessian.T))

    def _points(self, parameters: Vector, order: int) -> tuple[Vector, Vector, Vector | None]:
        """Bin coordinates (n, 2), nan where undefined, and their derivatives in bins."""
        warped = self.warp.warp(np.asarray(parameters, np.float64), self.events, order)
        scale = np.array([self.grid.scale_x, self.grid.scale_y])
        points = self.grid.to_bins(warped.points.T)
        points[~warped.inside] = np.nan
        first = warped.first * scale[:, None, None]
        second = None if warped.second is None else warped.second * scale[:, None, None, None]
        return points, first, second


Evaluate = Callable[[Vector, int], Evaluation]


def normalised(evaluate: Evaluate, n_parameters: int) -> Evaluate:
    """F(p) / |F(0)|: comparable between windows (Shiba, Aoki and Gallego, ECCV 2022)."""
    scale = 1.0 / max(abs(evaluate(np.zeros(n_parameters), 0).value), 1e-30)

    def divided(parameters: Vector, order: int = 2) -> Evaluation:
        there = evaluate(parameters, order)
        return Evaluation(scale * there.value, scale * there.gradient, scale * there.hessian)

    return divided


def multi_reference(problems: Sequence[ContrastProblem]) -> Evaluate:
    """Mean over problems that differ in their reference time: no reference is preferred (same source)."""

    def mean(parameters: Vector, order: int = 2) -> Evaluation:
        parts = [problem.evaluate(parameters, order) for problem in problems]
        n = len(parts)
        value = sum(part.value for part in parts) / n
        gradient = np.sum([part.gradient for part in parts], axis=0) / n
        return Evaluation(value, gradient, np.sum([part.hessian for part in parts], axis=0) / n)

    return mean
