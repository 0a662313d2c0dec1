# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How the bits of one spike plane lie in memory, and the one canonical order that the kernels read.

Cameras and files differ in the first bit of a byte, in header bits between rows and in which row comes
first. Planes are carried as they came; only what a kernel reads is brought into one order, without
unpacking where whole bytes can be copied.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError

PlaneKind = Literal['contiguous', 'rows', 'split_rows']
BitOrder = Literal['little', 'big']


@dataclass(frozen=True, slots=True)
class PlaneLayout:
    """Place of pixel (x, y) in a plane.

    Attributes:
        kind: ``contiguous``: bit y * width + x; ``rows``: every row starts at a multiple of
            ``row_stride_bytes``; ``split_rows``: every half row starts at half of that.
        row_stride_bytes: Distance of rows in bytes; 0 when contiguous.
        bit_order: ``little``: the first pixel of a byte is its bit 0, as cameras write it; ``big``: bit 7.
        flipped_rows: Whether the first stored row is the bottom row of the image.
    """

    kind: PlaneKind = 'contiguous'
    row_stride_bytes: int = 0
    bit_order: BitOrder = 'little'
    flipped_rows: bool = False

    def minimum_bytes(self, *, height: int, width: int) -> int:
        """Bytes that a plane of this size takes at least.

        Raises:
            DataError: If the layout cannot hold rows of this width.
        """
        stride = self.row_stride_bytes
        if self.kind == 'contiguous':
            return (height * width + 7) // 8
        if self.kind == 'rows':
            if stride < (width + 7) // 8:
                raise DataError(f'row_stride_bytes={stride}: {width} pixels need at least {(width + 7) // 8}')
            return height * stride
        if self.kind != 'split_rows':
            raise DataError(f'plane layout {self.kind!r}: choose contiguous, rows or split_rows')
        if width % 2 or stride % 2 or stride // 2 < (width // 2 + 7) // 8:
            raise DataError(
                f'split rows of width={width}, row_stride_bytes={stride}: both must be even and half a stride '
                f'at least {(width // 2 + 7) // 8} bytes'
            )
        return height * stride

    def pack(self, bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bits (n, H, W), top row first, as planes (n, minimum_bytes) of this layout; padding is zero."""
        n, height, width = bits.shape
        rows = bits[:, ::-1] if self.flipped_rows else bits
        if self.kind == 'contiguous':
            return np.packbits(rows.reshape(n, height * width), axis=1, bitorder=self.bit_order)
        parts = 1 if self.kind == 'rows' else 2
        packed = np.packbits(rows.reshape(n, height, parts, width // parts), axis=3, bitorder=self.bit_order)
        planes = np.zeros((n, height, parts, self.row_stride_bytes // parts), np.uint8)
        planes[..., : packed.shape[3]] = packed
        return planes.reshape(n, -1)

    def unpack(self, planes: NDArray[np.uint8], *, height: int, width: int) -> NDArray[np.uint8]:
        """Planes (n, >= minimum_bytes) as 0 or 1, uint8 (n, H, W), top row first."""
        n = planes.shape[0]
        stored = planes[:, : self.minimum_bytes(height=height, width=width)]
        if self.kind == 'contiguous':
            flat = np.unpackbits(stored, axis=1, count=height * width, bitorder=self.bit_order)
            rows = flat.reshape(n, height, width)
        else:
            parts = 1 if self.kind == 'rows' else 2
            split = stored.reshape(n, height, parts, self.row_stride_bytes // parts)
            rows = np.unpackbits(split, axis=3, count=width // parts, bitorder=self.bit_order)
            rows = rows.reshape(n, height, width)
        return rows[:, ::-1] if self.flipped_rows else rows

    def canonical(self, planes: NDArray[np.uint8], *, height: int, width: int) -> NDArray[np.uint8]:
        """Planes as contiguous bits, first pixel in bit 0, rows in stored order: uint8 (n, ceil(H W / 8)).

        A view where the planes are so already. Bits behind the last pixel are not defined.
        """
        n = planes.shape[0]
        if self.kind == 'contiguous':
            stored = planes[:, : (height * width + 7) // 8]
        elif self.kind == 'rows' and width % 8 == 0:
            rows = planes[:, : height * self.row_stride_bytes].reshape(n, height, self.row_stride_bytes)
            stored = np.ascontiguousarray(rows[:, :, : width // 8]).reshape(n, -1)
        else:
            as_stored = PlaneLayout(self.kind, self.row_stride_bytes, self.bit_order)
            bits = as_stored.unpack(planes, height=height, width=width)
            return np.packbits(bits.reshape(n, -1), axis=1, bitorder='little')
        return stored if self.bit_order == 'little' else REVERSED_BITS[stored]


def _reversed_bits() -> NDArray[np.uint8]:
    every_byte = np.arange(256, dtype=np.uint8)[:, None]
    return np.packbits(np.unpackbits(every_byte, axis=1), axis=1, bitorder='little')[:, 0]


REVERSED_BITS = _reversed_bits()
