# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images of the derivatives of an image: every event spreads, with the taps of kappa', how the parameters move it.

    J_jk = dh_j / dp_k = sum_n w_n (kappa'(x_n - j_x) kappa(y_n - j_y) du_n/dp_k + kappa kappa' dv_n/dp_k)

The parameters of one bin lie side by side in memory, so that one vector instruction serves all of them. Numba
leaves such short rows to scalar instructions, hence the few lines of LLVM here.
"""

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.types import Array, Integer, UniTuple
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from event_perception.binning.taps import taps
from event_perception.motion.grid import RING
from event_perception.motion.image_kernels import make_taps

_FAST = ('contract', 'reassoc', 'nsz')
_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()


def channels(n_parameters: int) -> int:
    """Numbers kept per bin: those of the parameters, and zeros up to a whole vector."""
    return next(size for size in (4, 8, 16) if n_parameters <= size - size // 4)


def _spread(
    typing_context: Any,
    images: Any,
    corner: Any,
    stride: Any,
    u: Any,
    v: Any,
    x: Any,
    x1: Any,
    y: Any,
    y1: Any,
) -> Any:
    """Add ``(x1[a] y[b]) u + (x[a] y1[b]) v`` to the channels of bin corner + b stride + a, for all taps a, b.

    Args:
        typing_context: Of the compiler.
        images: float32 (bins * channels,).
        corner: Index of the bin of the first taps, int32.
        stride: Bins per row, int32.
        u: float32, one per channel; what multiplies kappa' kappa.
        v: What multiplies kappa kappa'.
        x: Taps kappa along a row, float32.
        x1: Taps kappa' along a row.
        y: Taps kappa across rows.
        y1: Taps kappa' across rows.
    """
    fits = isinstance(images, Array) and isinstance(corner, Integer) and isinstance(stride, Integer)
    if not fits or not all(isinstance(t, UniTuple) for t in (u, v, x, x1, y, y1)):
        raise TypeError('spread takes an array, two integers and six tuples of float32')
    signature = types.void(images, corner, stride, u, v, x, x1, y, y1)
    return signature, _Spread(len(u), len(x))


spread: Any = intrinsic(_spread)


class _Spread:
    """Code of ``spread`` for a number of channels and of taps."""

    def __init__(self, n_channels: int, n_taps: int) -> None:
        self.n_channels, self.n_taps = n_channels, n_taps
        self.vector = ir.VectorType(_F32, n_channels)
        self.nothing = ir.Constant(self.vector, ir.Undefined)

    def __call__(self, context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        images, corner, stride, u, v, x, x1, y, y1 = arguments
        start = make_array(signature.args[0])(context, build, images).data
        corner, stride = (i if i.type.width == 64 else build.sext(i, _I64) for i in (corner, stride))
        U, V = self._joined(build, u), self._joined(build, v)
        X, X1, Y, Y1 = ([self._splat(build, t, k) for k in range(self.n_taps)] for t in (x, x1, y, y1))
        for b in range(self.n_taps):
            along, across = build.fmul(U, Y[b], flags=_FAST), build.fmul(V, Y1[b], flags=_FAST)
            row = build.add(corner, build.mul(stride, _I64(b)))
            for a in range(self.n_taps):
                change = build.fadd(
                    build.fmul(along, X1[a], flags=_FAST), build.fmul(across, X[a], flags=_FAST), flags=_FAST
                )
                self._add_at(build, start, build.add(row, _I64(a)), change)
        return context.get_dummy_value()

    def _joined(self, build: Any, numbers: Any) -> Any:
        vector = self.nothing
        for k in range(self.n_channels):
            vector = build.insert_element(vector, build.extract_value(numbers, k), _I32(k))
        return vector

    def _splat(self, build: Any, numbers: Any, k: int) -> Any:
        first = build.insert_element(self.nothing, build.extract_value(numbers, k), _I32(0))
        zeros = ir.Constant(ir.VectorType(_I32, self.n_channels), [0] * self.n_channels)
        return build.shuffle_vector(first, self.nothing, zeros)

    def _add_at(self, build: Any, start: Any, place: Any, change: Any) -> None:
        at = build.gep(start, [build.mul(place, _I64(self.n_channels))])
        at = build.bitcast(at, ir.PointerType(self.vector))
        before = build.load(at)
        before.align = 4
        build.store(build.fadd(before, change, flags=_FAST), at).align = 4


@cache
def backward_taps(kernel: str, reconstruction: str) -> dict[str, Any]:
    """What templates that spread read: ``VALUES``, ``SLOPES`` of a remainder, ``FIRST`` offset."""
    return {
        'VALUES': make_taps(kernel, reconstruction, 0),
        'SLOPES': make_taps(kernel, reconstruction, 1),
        'FIRST': np.int32(taps(kernel, reconstruction).first),
    }


def deviations(images: NDArray[np.float32], n_parameters: int) -> NDArray[np.float64]:
    """sum_j J_jk J_jl - S_k S_l / M over the bins of the image, S_k = sum_j J_jk; float64 (k, k).

    Args:
        images: Padded, float32 (rows, columns, channels).
        n_parameters: k.
    """
    inside = images[RING:-RING, RING:-RING]
    rows, columns, _ = inside.shape
    # Row by row in float32, rows in float64.
    products = np.matmul(inside.transpose(0, 2, 1), inside).sum(axis=0, dtype=np.float64)
    sums = np.matmul(np.ones(columns, np.float32), inside).sum(axis=0, dtype=np.float64)
    S = sums[:n_parameters]
    return np.asarray(products[:n_parameters, :n_parameters] - np.outer(S, S) / (rows * columns))
