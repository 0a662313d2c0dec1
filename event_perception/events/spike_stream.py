# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Planes of a spike camera, kept packed at one bit a pixel."""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events.plane_layout import PlaneLayout


@dataclass(frozen=True, init=False, eq=False)
class SpikeStream:
    """Consecutive spike planes of one sensor. Immutable: the planes are a read-only view, nothing is copied.

    Plane i holds the spikes of the interval that ends at ``start_ns + i * plane_period_ns``.

    Args:
        planes: Either packed, uint8 (n, bytes a plane) in the order that ``layout`` says, with any padding
            behind, or one value a pixel, bool or 0/1 integers (n, H, W), top row first, which are packed here.
        height: Sensor rows.
        width: Sensor columns.
        plane_period_ns: Time from plane to plane; 25 000 at 40 kHz, 50 000 at 20 kHz.
        start_ns: Instant of plane 0, sensor clock.
        layout: Order of the bits; contiguous, first pixel in bit 0, top row first unless given.
        gain: Spikes per plane at intensity 1; 0 where unknown.
        first_plane_index: Number of plane 0 since the sensor started, where a transport counts planes.
        ignored_bytes: Bytes of the source that are in no plane (a truncated end).

    Raises:
        DataError: If the size, the period, the dtype, the shape or a value cannot be.
    """

    planes: NDArray[np.uint8]
    height: int
    width: int
    plane_period_ns: int
    start_ns: int
    layout: PlaneLayout
    gain: float
    first_plane_index: int | None
    ignored_bytes: int

    def __init__(
        self,
        planes: NDArray,
        *,
        height: int,
        width: int,
        plane_period_ns: int,
        start_ns: int = 0,
        layout: PlaneLayout | None = None,
        gain: float = 0.0,
        first_plane_index: int | None = None,
        ignored_bytes: int = 0,
    ) -> None:
        layout = PlaneLayout() if layout is None else layout
        _check_scalars(height, width, plane_period_ns, gain)
        view = _packed(np.asarray(planes), height, width, layout).view()
        view.flags.writeable = False
        values = {
            'planes': view,
            'height': int(height),
            'width': int(width),
            'plane_period_ns': int(plane_period_ns),
            'start_ns': int(start_ns),
            'layout': layout,
            'gain': float(gain),
            'first_plane_index': first_plane_index,
            'ignored_bytes': int(ignored_bytes),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_dat(
        cls,
        path: str | PathLike[str],
        *,
        height: int,
        width: int,
        plane_period_ns: int,
        start_ns: int = 0,
        gain: float = 0.0,
        **reading: object,
    ) -> 'SpikeStream':
        """Open a ``.dat`` recording; the planes stay on disk until read.

        Takes the further options of ``event_perception.io.spike_dat.read_dat``: ``kind`` (camera,
        camera_header, pcie, plain), ``bit_order``, ``flipped_rows``, ``check_bit_order``,
        ``check_plane_size``.

        Raises:
            DataError: If the file cannot hold planes of this size, or its bits lie otherwise than declared.
        """
        from event_perception.io.spike_dat import read_dat

        return read_dat(
            path,
            height=height,
            width=width,
            plane_period_ns=plane_period_ns,
            start_ns=start_ns,
            gain=gain,
            **reading,  # type: ignore[arg-type]
        )

    def __len__(self) -> int:
        """Number of planes."""
        return self.planes.shape[0]

    def __getitem__(self, which: slice) -> 'SpikeStream':
        """A run of consecutive planes as a view, with its own start and index."""
        if not isinstance(which, slice) or which.step not in (None, 1):
            raise DataError(f'a stream is cut into runs of consecutive planes, got {which!r}; use start:stop')
        start, stop, _ = which.indices(len(self))
        index = None if self.first_plane_index is None else self.first_plane_index + start
        return replace_planes(self, self.planes[start : max(start, stop)], start, index)

    @property
    def next_ns(self) -> int:
        """Instant of the plane that follows the last one."""
        return self.start_ns + len(self) * self.plane_period_ns

    def unpack(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """Planes start to stop as 0 or 1, uint8 (n, H, W), top row first."""
        return self.layout.unpack(self.planes[start:stop], height=self.height, width=self.width)

    def canonical(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """Planes as contiguous bits, first pixel in bit 0, rows in stored order; see PlaneLayout.canonical."""
        return self.layout.canonical(self.planes[start:stop], height=self.height, width=self.width)

    def mean_rate(self) -> float:
        """Spikes per pixel and plane over the whole stream; 0 without planes."""
        if not len(self):
            return 0.0
        total = sum(int(self.unpack(i, i + 64).sum(dtype=np.int64)) for i in range(0, len(self), 64))
        return total / (len(self) * self.height * self.width)


def replace_planes(
    stream: SpikeStream, planes: NDArray[np.uint8], offset_planes: int, first_plane_index: int | None
) -> SpikeStream:
    """The same stream with other planes, ``offset_planes`` later."""
    return SpikeStream(
        planes,
        height=stream.height,
        width=stream.width,
        plane_period_ns=stream.plane_period_ns,
        start_ns=stream.start_ns + offset_planes * stream.plane_period_ns,
        layout=stream.layout,
        gain=stream.gain,
        first_plane_index=first_plane_index,
    )


def _check_scalars(height: int, width: int, plane_period_ns: int, gain: float) -> None:
    for name, value in (('height', height), ('width', width)):
        if not 1 <= value <= 65535:
            raise DataError(f'{name}={value}: a sensor has 1 to 65535 pixels a side')
    if plane_period_ns < 1:
        raise DataError(f'plane_period_ns={plane_period_ns}: give the time between planes, e.g. 25000')
    if not (np.isfinite(gain) and gain >= 0):
        raise DataError(f'gain={gain}: spikes per plane at intensity 1, or 0 where unknown')


def _packed(planes: NDArray, height: int, width: int, layout: PlaneLayout) -> NDArray[np.uint8]:
    if planes.ndim == 3:
        return _packed_pixels(planes, height, width, layout)
    least = layout.minimum_bytes(height=height, width=width)
    if planes.ndim != 2 or planes.dtype != np.uint8:
        raise DataError(
            f'planes have shape {planes.shape} and dtype {planes.dtype}; give packed uint8 (n, {least}) '
            f'or one value a pixel (n, {height}, {width})'
        )
    if planes.shape[1] < least:
        raise DataError(
            f'a plane has {planes.shape[1]} bytes; {height} x {width} pixels need {least} in this layout'
        )
    return planes


def _packed_pixels(planes: NDArray, height: int, width: int, layout: PlaneLayout) -> NDArray[np.uint8]:
    if planes.shape[1:] != (height, width) or planes.dtype.kind not in 'biu':
        raise DataError(
            f'planes have shape {planes.shape} and dtype {planes.dtype}; expected bool or integers '
            f'(n, {height}, {width})'
        )
    if planes.size and not (planes.min() >= 0 and planes.max() <= 1):
        raise DataError(f'planes hold values {planes.min()} to {planes.max()}; a spike is 0 or 1')
    return layout.pack(planes.astype(np.uint8, copy=False))
