# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Trajectories as text, one pose a line: ``t x y z qx qy qz qw``, seconds and metres.

That is the format of the TUM RGB-D benchmark and of ``groundtruth.txt`` in the Event Camera Dataset. Times
are read and written digit by digit as nanoseconds: a float64 of seconds since 1970 knows only 240 ns.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError
from event_perception.io.quaternion import quaternion_from_rotation, transform
from event_perception.io.seconds import ns_from_seconds, seconds_text

FIELDS = 8


@dataclass(frozen=True, eq=False)
class PoseSample:
    """A pose at one instant: ``T_world_body`` (4, 4) maps body coordinates to world coordinates."""

    t_ns: int
    T_world_body: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses in the order of the file: ``t_ns`` int64 (n,), ``T_world_body`` float64 (n, 4, 4)."""

    t_ns: NDArray[np.int64]
    T_world_body: NDArray[np.float64]

    def __len__(self) -> int:
        return self.t_ns.shape[0]


class TumWriter:
    """Writes poses as they come.

    Args:
        path: A file that does not exist yet.

    Raises:
        FileExistsError: If it does.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open('x', encoding='ascii')

    def write(self, t_ns: int, T_world_body: ArrayLike) -> None:
        """Add one pose, (4, 4)."""
        T = np.asarray(T_world_body, np.float64)
        values = np.concatenate([T[:3, 3], quaternion_from_rotation(T[:3, :3])])
        self._file.write(f'{seconds_text(t_ns)} {" ".join(f"{value:.9f}" for value in values)}\n')

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> 'TumWriter':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_trajectory(path: Path, poses: Iterable[tuple[int, ArrayLike]]) -> None:
    """Write (t_ns, T_world_body) pairs as a TUM file."""
    with TumWriter(path) as writer:
        for t_ns, T_world_body in poses:
            writer.write(t_ns, T_world_body)


def read_trajectory(path: Path) -> Trajectory:
    """Read a TUM file or an ECD ``groundtruth.txt``.

    Raises:
        DataError: If a line is not a pose.
    """
    poses = list(iterate_trajectory(path))
    t_ns = np.array([pose.t_ns for pose in poses], np.int64)
    return Trajectory(t_ns, np.array([pose.T_world_body for pose in poses]).reshape(-1, 4, 4))


def iterate_trajectory(path: Path) -> Iterator[PoseSample]:
    """The poses of a file one by one; empty lines and comments (#) are skipped.

    Raises:
        DataError: If a line is not a pose.
    """
    with path.open(encoding='utf-8', errors='replace') as file:
        for number, line in enumerate(file, 1):
            fields = line.replace(',', ' ').split()
            if fields and not fields[0].startswith('#'):
                yield _pose(fields, f'{path}:{number}')


def _pose(fields: list[str], where: str) -> PoseSample:
    try:
        if len(fields) != FIELDS:
            raise DataError(f'{len(fields)} numbers')
        values = [float(field) for field in fields[1:]]
        return PoseSample(ns_from_seconds(fields[0]), transform(values[:3], values[3:]))
    except ValueError as error:
        raise DataError(f'{where}: expected "t x y z qx qy qz qw": {error}') from error
