# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""CSV files with named columns: written row by row, read as a whole."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from event_perception.errors import DataError

Table = TypeVar('Table')
Writer = TypeVar('Writer', bound='CsvWriter')


class CsvWriter:
    """Writes a new file.

    Args:
        path: A file that does not exist yet.
        columns: Their names.

    Raises:
        FileExistsError: If it does.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open('x', encoding='ascii', newline='')
        self._rows = csv.writer(self._file, lineterminator='\n')
        self._rows.writerow(columns)

    def add_row(self, values: Iterable[object]) -> None:
        """One row, in the order of the columns."""
        self._rows.writerow(values)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self: Writer) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_csv(path: Path, columns: Sequence[str], table: Callable[[list[dict[str, str]]], Table]) -> Table:
    """What ``table`` makes of the rows; further columns are ignored.

    Raises:
        DataError: If a column is missing or a value is not what it should be.
    """
    with path.open(encoding='utf-8', newline='') as file:
        rows = csv.DictReader(file)
        missing = sorted(set(columns) - set(rows.fieldnames or ()))
        if missing:
            raise DataError(f'{path}: columns {missing} are missing; expected {",".join(columns)}')
        values = list(rows)
    try:
        return table(values)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f'{path}: {error}') from error
