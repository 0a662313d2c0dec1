# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``egomotion.csv``: one row a window, what was estimated and what it cost. Not estimated is nan."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_perception.io.csv_table import CsvWriter, read_csv
from event_perception.io.seconds import ns_from_seconds, seconds_text
from event_perception.motion.result import EgomotionResult

COLUMNS = (
    't_s',
    'wx_rad_s',
    'wy_rad_s',
    'wz_rad_s',
    'vx_m_s',
    'vy_m_s',
    'vz_m_s',
    'n_events',
    'n_evaluations',
    'converged',
    'solve_ms',
)


@dataclass(frozen=True, eq=False)
class EgomotionTable:
    """The columns of the file, n rows.

    Attributes:
        t_ns: Instants described, int64 (n,), the input's own time base.
        omega_rad_s: Angular velocity (n, 3), nan where not estimated.
        v_m_s: Linear velocity (n, 3), nan where not estimated.
        n_events: Events used, int64 (n,).
        n_evaluations: Evaluations of the objective, int64 (n,).
        converged: bool (n,).
        solve_ms: Time taken, float64 (n,), milliseconds.
    """

    t_ns: NDArray[np.int64]
    omega_rad_s: NDArray[np.float64]
    v_m_s: NDArray[np.float64]
    n_events: NDArray[np.int64]
    n_evaluations: NDArray[np.int64]
    converged: NDArray[np.bool_]
    solve_ms: NDArray[np.float64]

    def __len__(self) -> int:
        return self.t_ns.shape[0]


class EgomotionCsvWriter(CsvWriter):
    """Writes results as they come.

    Args:
        path: A file that does not exist yet.

    Raises:
        FileExistsError: If it does.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, COLUMNS)

    def write(self, result: EgomotionResult, solve_ms: float = float('nan')) -> None:
        """Add one row; ``t_s`` is the instant that the result describes."""
        motion = [f'{value:.9g}' for value in (*result.omega, *result.v)]
        self.add_row(
            [
                seconds_text(result.t_ref_ns),
                *motion,
                result.n_events,
                result.n_evaluations,
                int(result.converged),
                f'{solve_ms:.6g}',
            ]
        )


def read_egomotion(path: Path) -> EgomotionTable:
    """Read an ``egomotion.csv``; further columns are ignored.

    Raises:
        DataError: If a column is missing or a value is not a number.
    """
    return read_csv(path, COLUMNS, _table)


def _table(rows: list[dict[str, str]]) -> EgomotionTable:
    def floats(*names: str) -> NDArray[np.float64]:
        return np.array([[float(row[name]) for name in names] for row in rows]).reshape(-1, len(names))

    return EgomotionTable(
        t_ns=np.array([ns_from_seconds(row['t_s']) for row in rows], np.int64),
        omega_rad_s=floats('wx_rad_s', 'wy_rad_s', 'wz_rad_s'),
        v_m_s=floats('vx_m_s', 'vy_m_s', 'vz_m_s'),
        n_events=np.array([int(row['n_events']) for row in rows], np.int64),
        n_evaluations=np.array([int(row['n_evaluations']) for row in rows], np.int64),
        converged=np.array([row['converged'].strip() in ('1', 'True', 'true') for row in rows], np.bool_),
        solve_ms=floats('solve_ms').reshape(-1),
    )
