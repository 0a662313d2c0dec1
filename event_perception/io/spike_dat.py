# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Spike camera recordings: concatenated planes without header, time or size.

Nothing in such a file says what it is, so the caller declares it, and everything that can be checked is:
the size, the line counters of PCIe packets, and whether neighbouring pixels look alike.
"""

import logging
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events.bit_order import check_bit_order as refuse_wrong_bit_order
from event_perception.events.plane_layout import BitOrder, PlaneLayout
from event_perception.events.plane_size import check_plane_bytes, check_width
from event_perception.events.spike_stream import SpikeStream
from event_perception.io.spike_pcie import PACKET_BYTES, find_first_plane, plane_headers, stamp_headers

DatKind = Literal['camera', 'camera_header', 'pcie', 'plain']
HEADER_PIXELS = 16  # columns that the USB camera appends to a row in its "with head" format

logger = logging.getLogger(__name__)


def dat_layout(
    kind: DatKind, *, width: int, bit_order: BitOrder = 'little', flipped_rows: bool | None = None
) -> PlaneLayout:
    """Layout of a recording.

    Args:
        kind: ``camera``: contiguous pixels, bottom row first (400 x 250 over USB); ``camera_header``: the same
            with 16 header columns behind each row; ``pcie``: two packets of 64 bytes a row, as stored
            (1000 x 1000); ``plain``: contiguous pixels, top row first.
        width: Columns of pixels, without header columns.
        bit_order: ``little``: the first pixel is bit 0 of its byte, as all known cameras write it.
        flipped_rows: Whether the bottom row is stored first; None takes what the kind says.

    Raises:
        DataError: If the kind is not one of these.
    """
    flips = {'camera': True, 'camera_header': True, 'pcie': False, 'plain': False}
    if kind not in flips:
        raise DataError(f'kind={kind!r}: choose one of {list(flips)}')
    flip = flips[kind] if flipped_rows is None else flipped_rows
    if kind == 'camera_header':
        return PlaneLayout('rows', (width + HEADER_PIXELS + 7) // 8, bit_order, flip)
    if kind == 'pcie':
        return PlaneLayout('split_rows', 2 * PACKET_BYTES, bit_order, flip)
    return PlaneLayout('contiguous', 0, bit_order, flip)


def read_dat(
    path: str | PathLike[str],
    *,
    height: int,
    width: int,
    plane_period_ns: int,
    start_ns: int = 0,
    gain: float = 0.0,
    kind: DatKind = 'camera',
    bit_order: BitOrder = 'little',
    flipped_rows: bool | None = None,
    check_bit_order: bool = True,
    check_plane_size: bool = True,
) -> SpikeStream:
    """Open a recording; planes stay on disk until read.

    A remainder behind the last whole plane is left out, counted in ``ignored_bytes`` and logged.

    Args:
        path: The file.
        height: Rows of the sensor.
        width: Columns of pixels, without header columns.
        plane_period_ns: Time from plane to plane.
        start_ns: Instant of the first plane.
        gain: Spikes per plane at intensity 1, if known.
        kind: See ``dat_layout``.
        bit_order: See ``dat_layout``.
        flipped_rows: See ``dat_layout``.
        check_bit_order: Whether to refuse a picture that the opposite order explains far better.
        check_plane_size: Whether to refuse a height and width that others explain far better.

    Raises:
        DataError: If the file holds no whole plane, fits another known kind better, a PCIe plane is not where
            it should be, or size or bit order are wrong.
    """
    path = Path(path)
    layout = dat_layout(kind, width=width, bit_order=bit_order, flipped_rows=flipped_rows)
    content = _map(path)
    plane_bytes = layout.minimum_bytes(height=height, width=width)
    skipped = find_first_plane(content, plane_bytes, path) if kind == 'pcie' else 0
    n_planes, remainder = divmod(content.size - skipped, plane_bytes)
    if n_planes == 0:
        raise DataError(
            f'{path}: {content.size} bytes are less than one plane of {plane_bytes} bytes '
            f'({height} x {width}, kind={kind}); check height, width and kind'
        )
    if (
        check_plane_size and layout.kind == 'contiguous'
    ):  # headers repeat with rows, which says nothing of planes
        check_plane_bytes(content, plane_bytes, str(path))
    if remainder:
        _refuse_if_other_kind_fits(path, content.size, height, width, kind)
        logger.warning('%s: the last %d bytes are no whole plane and are left out', path, remainder)
    planes = content[skipped : skipped + n_planes * plane_bytes].reshape(n_planes, plane_bytes)
    if kind == 'pcie':
        _check_every_plane(planes, path)
    some = layout.canonical(planes[:64], height=height, width=width)
    if check_plane_size:
        check_width(some, height=height, width=width, where=str(path))
    if check_bit_order:
        refuse_wrong_bit_order(some, height=height, width=width, where=str(path))
    return SpikeStream(
        planes,
        height=height,
        width=width,
        plane_period_ns=plane_period_ns,
        start_ns=start_ns,
        layout=layout,
        gain=gain,
        ignored_bytes=skipped + remainder,
    )


def write_dat(
    path: str | PathLike[str],
    stream: SpikeStream,
    *,
    kind: DatKind = 'camera',
    bit_order: BitOrder = 'little',
    flipped_rows: bool | None = None,
) -> None:
    """Write the planes of a stream in one of the layouts of ``dat_layout``; an existing file is an error.

    Raises:
        DataError: If the layout cannot hold this width, or PCIe is asked for another size than its own.
        FileExistsError: If the file is there.
    """
    layout = dat_layout(kind, width=stream.width, bit_order=bit_order, flipped_rows=flipped_rows)
    layout.minimum_bytes(height=stream.height, width=stream.width)
    with Path(path).open('xb') as file:
        for first in range(0, len(stream), 64):
            planes = layout.pack(stream.unpack(first, first + 64))
            if kind == 'pcie':
                planes = stamp_headers(planes, height=stream.height, width=stream.width)
            file.write(planes.tobytes())


def _map(path: Path) -> NDArray[np.uint8]:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f'{path}: cannot be opened: {error}') from error
    if size == 0:
        raise DataError(f'{path}: the file is empty')
    return np.memmap(path, np.uint8, mode='r')


def _refuse_if_other_kind_fits(path: Path, size: int, height: int, width: int, kind: DatKind) -> None:
    """A remainder usually means the wrong declaration: say so where another one leaves none."""
    others: tuple[DatKind, ...] = ('camera', 'camera_header')
    for other in others:
        layout = dat_layout(other, width=width)
        same_size = layout == dat_layout(kind, width=width, flipped_rows=True)
        if not same_size and size % layout.minimum_bytes(height=height, width=width) == 0:
            raise DataError(
                f'{path}: {size} bytes are no multiple of a plane of kind={kind}, but a whole number of planes '
                f'of kind={other!r}; declare that, or cut the file to whole planes'
            )


def _check_every_plane(planes: NDArray[np.uint8], path: Path) -> None:
    good = plane_headers(planes)
    if not good.all():
        first = int(np.argmin(good))
        raise DataError(
            f'{path}: plane {first} of {len(planes)} has wrong line counters: bytes are missing there. Cut the '
            f'file before byte {first * planes.shape[1]} behind its first plane and read the parts apart'
        )
