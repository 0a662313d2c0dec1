# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The objective of every tracker: events against each other, against a map, or both.

    f(p) = -(1/N) [own sum_j (h_j - mean h)^2 + 2 sum_n w_n M~(u_n(p))],   h_j = sum_n w_n k(u_n - j)

h is the image of the moved events and M~ the map, rendered into the same view and smoothed by the B-spline of the
kernel pair, of which the weak derivatives of sum_j h_j M_j are the exact ones: against the map alone, value,
gradient and Hessian come from the same taps, agree with each other and need no image of votes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError
from event_perception.motion.fused_variance import FusedVariance
from event_perception.motion.grid import RING, BinGrid
from event_perception.motion.newton import Evaluation
from event_perception.motion.scheme import Scheme
from event_perception.motion.tracking_kernels import move_points, track_pull_back, track_spread

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]

_ROWS, _COLUMNS = np.triu_indices(6)


class TrackingObjective(FusedVariance):
    """Value, gradient and exact Hessian by one or two small twists (r, t), each weighted per event.

    Parameters are (r_a, t_a, r_b, t_b), rad and metres times the weights. With the weight a = t - t_ref they are
    (omega, v), with a weight of 1 a pose correction (theta, tau): if that maps the true camera into the predicted
    one, R_true = R_predicted Exp(theta), p_true = p_predicted + R_predicted tau.

    Args:
        grid: The bins; events are tested against a map on the same grid.
        kernel: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear', 'cubic' or 'lanczos2'.
        own: Weight of the window's own contrast.
        translation: Whether there are t_a, t_b; without, parameters are (r_a, r_b).

    The workspace is kept from call to call; one instance serves one thread.

    Raises:
        ConfigError: If a name is unknown.
    """

    def __init__(
        self,
        grid: BinGrid,
        kernel: str = 'bilinear',
        reconstruction: str = 'linear',
        *,
        own: float = 0.0,
        translation: bool = False,
    ) -> None:
        super().__init__(grid, Scheme(kernel, reconstruction, 'exact'))
        self.own, self.translation = own, translation
        self._map = np.zeros(grid.padded_shape, np.float32)
        self._cotangent = np.zeros(grid.padded_shape, np.float32)
        self._mapped = False

    @property
    def n_parameters(self) -> int:
        """How many parameters there are for the events chosen."""
        return (6 if self.translation else 3) * (2 if self._two else 1)

    def set_events(
        self,
        x: ArrayLike,
        y: ArrayLike,
        w: ArrayLike,
        weights: tuple[ArrayLike, ...],
        q: ArrayLike | None = None,
    ) -> None:
        """Choose the events of the following evaluations.

        Args:
            x: X/Z of the bearings, (n,), undistorted and possibly moved already.
            y: Y/Z.
            w: Votes, 1 for ordinary events.
            weights: Of the first twist and, if there is one, of the second, each (n,).
            q: Inverse depth; infinitely far by default.
        """
        given = [np.ascontiguousarray(array, np.float32) for array in (x, y, w, *weights)]
        self._x, self._y, votes, self._a = given[:4]
        self._two = len(weights) > 1
        self._b = given[4] if self._two else np.zeros_like(votes)
        self._q = np.zeros_like(votes) if q is None else np.ascontiguousarray(q, np.float32)
        self._reserve(votes)
        self._inverse = np.empty(len(votes), np.float32)

    def set_map(self, rendered: Float32 | None, weight: float = 1.0) -> None:
        """Choose the map of the following evaluations.

        Args:
            rendered: The map as this view should see it, (height, width) of the grid, its mean removed inside its
                support and 0 outside; None for none.
            weight: Of the map against the own contrast.

        Raises:
            DataError: If the image does not fit the grid.
        """
        self._mapped = rendered is not None
        if rendered is None:
            self._map[:] = 0
            return
        if rendered.shape != self._shape:
            raise DataError(
                f'a map of shape {rendered.shape} on a grid of {self._shape}; render it on this grid'
            )
        np.multiply(rendered, np.float32(weight), out=self._map[RING:-RING, RING:-RING])

    def image(self, parameters: Vector) -> Float32:
        """Image of the moved events, float32 (height, width)."""
        self._move(parameters)
        self._vote()
        return self._counts()

    def evaluate(self, parameters: Vector, order: int = 2) -> Evaluation:
        """The objective, with order 1 its gradient, with order 2 also its Hessian."""
        self._move(parameters)
        gradient, triangles = np.zeros((2, 6)), np.zeros((3, 21))
        if not self.own:
            deviation, total = 0.0, self._pull_back(self._map, order, gradient, triangles)
        else:
            deviation, total = self._own_value(), self._map_value()
            if order > 0:
                self._pull_back(self._cotangent, order, gradient, triangles)
        hessian = self._joined(triangles)
        if order > 1 and self.own:
            hessian += self.own * self._products()
        active = self._active()
        factor = -2.0 / self._total_weight
        value = factor * total + self.own * deviation
        return Evaluation(value, factor * gradient.ravel()[active], factor * hessian)

    def _move(self, parameters: Vector) -> None:
        twists = np.zeros(12, np.float32)
        twists[self._active()] = parameters
        move_points(
            self._x, self._y, self._q, self._a, self._b, twists[:6], twists[6:],
            self._u, self._v, self._inverse, self._inside,
        )  # fmt: skip
        self._find_cells()

    def _active(self) -> NDArray[np.intp]:
        """Indices of the parameters among the twelve."""
        one = np.arange(6 if self.translation else 3)
        return np.concatenate([one, one + 6]) if self._two else one

    def _own_value(self) -> float:
        """-variance of the votes; the cotangent is set to own (h - mean) + map."""
        self._vote()
        value = self._value()
        mean = self._image[0]  # of the ring, after ``_value``
        np.subtract(self._image.reshape(self._map.shape), mean, out=self._cotangent)
        self._cotangent *= np.float32(self.own)
        self._cotangent += self._map
        return value

    def _map_value(self) -> float:
        return self._pull_back(self._map, 0, np.empty((2, 6)), np.empty((3, 21))) if self._mapped else 0.0

    def _pull_back(self, image: Float32, order: int, gradient: Vector, triangles: Vector) -> float:
        derivatives = (self.translation, self._two) if order else (False, False)
        sums = track_pull_back(self.scheme.kernel, self.scheme.reconstruction, order, *derivatives)
        return float(
            sums(
                self._cell, self._rx, self._ry, self._u, self._v, self._inverse,
                self._x, self._y, self._q, self._weights, self._a, self._b,
                self._affine[0], self._affine[2], image.ravel(), self._stride, gradient, triangles,
            )
        )  # fmt: skip

    def _products(self) -> Vector:
        """sum_j J_jk J_jl - S_k S_l / M."""
        changes = self._cleared_changes(self.n_parameters)
        track_spread(self.scheme.kernel, self.scheme.reconstruction, self.translation, self._two)(
            self._cell, self._rx, self._ry, self._u, self._v, self._inverse,
            self._x, self._y, self._q, self._weights, self._a, self._b,
            self._affine[0], self._affine[2], changes, self._stride,
        )  # fmt: skip
        return self._deviations(changes, self.n_parameters)

    def _joined(self, triangles: Vector) -> Vector:
        """Blocks a a, a b, b b as one symmetric matrix of the active parameters."""
        blocks = np.empty((3, 6, 6))
        blocks[:, _ROWS, _COLUMNS] = blocks[:, _COLUMNS, _ROWS] = triangles
        joined = np.block([[blocks[0], blocks[1]], [blocks[1], blocks[2]]])
        active = self._active()
        return np.asarray(joined[np.ix_(active, active)])
