# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Grids of velocities over the image, and going from one to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.flow.field_kernels import field_at_pixels

Velocities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NodeGrid:
    """Nodes a spacing apart; the first is the centre of the first cell: pixel (spacing - 1) / 2.

    Attributes:
        height: Rows of the sensor.
        width: Columns of the sensor.
        spacing: Distance of nodes, px.
    """

    height: int
    width: int
    spacing: float

    @property
    def rows(self) -> int:
        """Rows of nodes, at least two."""
        return max(2, round(self.height / self.spacing))

    @property
    def columns(self) -> int:
        """Columns of nodes, at least two."""
        return max(2, round(self.width / self.spacing))

    def __len__(self) -> int:
        return self.rows * self.columns

    @property
    def first(self) -> float:
        """Pixel coordinate of the first row and column."""
        return 0.5 * (self.spacing - 1.0)

    @property
    def centres(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Pixel columns (columns,) and rows (rows,) of the nodes."""
        columns, rows = np.arange(float(self.columns)), np.arange(float(self.rows))
        return self.first + self.spacing * columns, self.first + self.spacing * rows

    def at(self, velocities: Velocities, x: NDArray[np.floating], y: NDArray[np.floating]) -> Velocities:
        """Bilinear interpolation at pixel columns x (c,) and rows y (r,), constant beyond the border: (r * c, 2)."""
        field = velocities.reshape(self.rows, self.columns, 2)
        i, a = self._between(x, self.columns)
        j, b = self._between(y, self.rows)
        along = field[:, i] * (1 - a)[:, None] + field[:, i + 1] * a[:, None]
        across = along[j] * (1 - b)[:, None, None] + along[j + 1] * b[:, None, None]
        return np.ascontiguousarray(across.reshape(-1, 2))

    def to(self, other: 'NodeGrid', velocities: Velocities) -> Velocities:
        """The same field on the nodes of another grid."""
        return self.at(velocities, *other.centres)

    def dense(self, velocities: Velocities) -> NDArray[np.float32]:
        """The field at every pixel, float32 (2, H, W)."""
        flow = np.empty((2, self.height, self.width), np.float32)
        field_at_pixels(
            np.ascontiguousarray(velocities, np.float32),
            self.first,
            self.first,
            float(self.spacing),
            self.rows,
            self.columns,
            flow,
        )
        return flow

    def _between(self, place: NDArray[np.floating], count: int) -> tuple[NDArray[np.int64], Velocities]:
        exact = np.clip((np.asarray(place) - self.first) / self.spacing, 0, count - 1)
        index = np.minimum(exact.astype(np.int64), count - 2)
        return index, exact - index
