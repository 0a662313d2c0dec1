# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A batch of events as four parallel arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError


@dataclass(frozen=True, init=False, eq=False)
class EventArray:
    """Events of one sensor. Immutable: the arrays are read-only views.

    Times need not be sorted: real decoders deliver small disorder, and the window slicer deals with it.

    Args:
        t_ns: Times, absolute, int64 nanoseconds, shape (n,).
        x: Columns, 0 to width - 1, right, shape (n,); an integer is a pixel centre.
        y: Rows, 0 to height - 1, down, shape (n,).
        p: Polarities, -1 or +1, shape (n,).
        height: Sensor rows.
        width: Sensor columns.

    Raises:
        DataError: If shapes disagree, times or coordinates are not integers, a coordinate lies outside the
            sensor or a polarity is neither -1 nor +1.
    """

    t_ns: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.int8]
    height: int
    width: int

    def __init__(
        self, t_ns: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike, *, height: int, width: int
    ) -> None:
        _check_size(height, width)
        _check_content(t_ns=t_ns, x=x, y=y, p=p, height=height, width=width)
        self._set(np.asarray(t_ns), np.asarray(x), np.asarray(y), np.asarray(p), height, width)

    @classmethod
    def trusted(
        cls,
        t_ns: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.int8],
        *,
        height: int,
        width: int,
    ) -> 'EventArray':
        """Skip the content checks: only for arrays that a decoder or a slice has already checked."""
        events = cls.__new__(cls)
        events._set(t_ns, x, y, p, height, width)
        return events

    @classmethod
    def empty(cls, *, height: int, width: int) -> 'EventArray':
        """No events, of a sensor of this size."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, none, height=height, width=width)

    def _set(self, t_ns: NDArray, x: NDArray, y: NDArray, p: NDArray, height: int, width: int) -> None:
        for name, array, dtype in (
            ('t_ns', t_ns, np.int64),
            ('x', x, np.uint16),
            ('y', y, np.uint16),
            ('p', p, np.int8),
        ):
            view = np.ascontiguousarray(array, dtype).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        object.__setattr__(self, 'height', int(height))
        object.__setattr__(self, 'width', int(width))

    def __len__(self) -> int:
        return self.t_ns.shape[0]

    def __getitem__(self, which: slice | NDArray) -> 'EventArray':
        """The events of a slice or of a boolean or index array, as views where numpy gives views."""
        return EventArray.trusted(
            self.t_ns[which],
            self.x[which],
            self.y[which],
            self.p[which],
            height=self.height,
            width=self.width,
        )

    def between(self, t0_ns: int, t1_ns: int) -> 'EventArray':
        """Events with t0 <= t < t1; the times must be sorted."""
        start, stop = np.searchsorted(self.t_ns, (t0_ns, t1_ns))
        return self[start:stop]

    def is_sorted(self) -> bool:
        """Whether times never decrease."""
        return bool(np.all(self.t_ns[1:] >= self.t_ns[:-1]))

    def sorted(self) -> 'EventArray':
        """The same events in time order; equal times keep their order."""
        return self if self.is_sorted() else self[np.argsort(self.t_ns, kind='stable')]

    def shifted(self, offset_ns: int) -> 'EventArray':
        """The same events with a constant added to their times."""
        return EventArray.trusted(
            self.t_ns + np.int64(offset_ns), self.x, self.y, self.p, height=self.height, width=self.width
        )


def concatenate(parts: Sequence[EventArray]) -> EventArray:
    """Join batches of one sensor in the given order.

    Raises:
        DataError: If there is no part or the sensor sizes differ.
    """
    if not parts:
        raise DataError('concatenate got no parts; give at least one EventArray (EventArray.empty for none)')
    sizes = {(part.height, part.width) for part in parts}
    if len(sizes) != 1:
        raise DataError(f'cannot join events of sensors of different (height, width): {sorted(sizes)}')
    (height, width) = sizes.pop()
    if len(parts) == 1:
        return parts[0]
    t_ns, x, y, p = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ('t_ns', 'x', 'y', 'p')
    )
    return EventArray.trusted(t_ns, x, y, p, height=height, width=width)


def _check_size(height: int, width: int) -> None:
    for name, value in (('height', height), ('width', width)):
        if not 1 <= value <= 65535:
            raise DataError(f'{name}={value}: a sensor has 1 to 65535 pixels a side')


def _check_content(
    *, t_ns: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike, height: int, width: int
) -> None:
    arrays = {'t_ns': np.asarray(t_ns), 'x': np.asarray(x), 'y': np.asarray(y), 'p': np.asarray(p)}
    n = arrays['t_ns'].shape
    for name, array in arrays.items():
        if array.ndim != 1 or array.shape != n:
            raise DataError(f'{name} has shape {array.shape}; t_ns, x, y, p must be 1-D and of one length')
        if array.size and array.dtype.kind not in 'iu':
            raise DataError(
                f'{name} has dtype {array.dtype}; integers are expected (times in ns, pixels, -1 or +1)'
            )
    for name, limit in (('x', width), ('y', height)):
        _check_inside(name, arrays[name], limit)
    polarity = arrays['p']
    if polarity.size and not np.all((polarity == 1) | (polarity == -1)):
        bad = polarity[(polarity != 1) & (polarity != -1)][0]
        raise DataError(f'p contains {bad}; polarities are -1 and +1 (convert 0/1 with 2 * p - 1)')


def _check_inside(name: str, array: NDArray, limit: int) -> None:
    if array.size and not (array.min() >= 0 and array.max() < limit):
        raise DataError(f'{name} spans {array.min()} to {array.max()}; the sensor has 0 to {limit - 1}')
