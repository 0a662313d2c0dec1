# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``odometry.csv``: what belongs to each pose of ``trajectory.tum``: its state, and how well it claims to be known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.io.csv_table import CsvWriter, read_csv
from event_perception.io.seconds import ns_from_seconds, seconds_text

_ROWS, _COLUMNS = np.triu_indices(6)
MOMENTS = tuple(f'c{row}{column}' for row, column in zip(_ROWS, _COLUMNS))
COLUMNS = ('t_s', 'status', 'correction_rad', *MOMENTS)


@dataclass(frozen=True, eq=False)
class OdometryTable:
    """The columns of the file, n rows.

    Attributes:
        t_ns: Instants of the poses, int64 (n,).
        status: 'tracking', 'degraded' or 'lost', n texts.
        correction_rad: By how much each pose was turned against the prediction (n,).
        pose_covariance: (n, 6, 6), order (x, y, z, rotation about x, y, z), axes of the odometry frame.
    """

    t_ns: NDArray[np.int64]
    status: tuple[str, ...]
    correction_rad: NDArray[np.float64]
    pose_covariance: NDArray[np.float64]

    def __len__(self) -> int:
        return self.t_ns.shape[0]


class OdometryCsvWriter(CsvWriter):
    """Writes rows as they come.

    Args:
        path: A file that does not exist yet.

    Raises:
        FileExistsError: If it does.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, COLUMNS)

    def write(self, t_ns: int, status: str, correction_rad: float, pose_covariance: ArrayLike) -> None:
        """Add one row; of the covariance (6, 6) the upper triangle is written, row by row."""
        moments = np.asarray(pose_covariance, np.float64)[_ROWS, _COLUMNS]
        self.add_row(
            [seconds_text(t_ns), status, f'{correction_rad:.6g}', *(f'{moment:.6g}' for moment in moments)]
        )


def read_odometry(path: Path) -> OdometryTable:
    """Read an ``odometry.csv``.

    Raises:
        DataError: If a column is missing or a value is not a number.
    """
    return read_csv(path, COLUMNS, _table)


def _table(rows: list[dict[str, str]]) -> OdometryTable:
    covariance = np.zeros((len(rows), 6, 6))
    moments = np.array([[float(row[name]) for name in MOMENTS] for row in rows]).reshape(-1, len(MOMENTS))
    covariance[:, _ROWS, _COLUMNS] = covariance[:, _COLUMNS, _ROWS] = moments
    return OdometryTable(
        t_ns=np.array([ns_from_seconds(row['t_s']) for row in rows], np.int64),
        status=tuple(row['status'] for row in rows),
        correction_rad=np.array([float(row['correction_rad']) for row in rows]),
        pose_covariance=covariance,
    )
