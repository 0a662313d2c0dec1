# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Logarithm and exponential of float32 numbers, written so that loops over them become vector instructions.

Scalar library calls cost a DVS frame more than everything else together. Range reduction and minimax
polynomials are those of the Cephes library (Moshier), logf and expf; errors stay within 3 units of the last place.
Products and sums may fuse (``contract``), which rounds once instead of twice.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

_F: Any = np.float32
LN2_HIGH, LN2_LOW = _F(0.693359375), _F(-2.12194440e-4)
SQRT2, ONE, HALF, LOG2_E = _F(1.41421356237), _F(1), _F(0.5), _F(1.44269504089)
# ln(1 + r) = r - r^2 / 2 + r^3 P(r), |r| < 0.42
L0, L1, L2 = _F(7.0376836292e-2), _F(-1.1514610310e-1), _F(1.1676998740e-1)
L3, L4, L5 = _F(-1.2420140846e-1), _F(1.4249322787e-1), _F(-1.6668057665e-1)
L6, L7, L8 = _F(2.0000714765e-1), _F(-2.4999993993e-1), _F(3.3333331174e-1)
# exp(r) = 1 + r + r^2 P(r), |r| < ln(2) / 2
E0, E1, E2 = _F(1.9875691500e-4), _F(1.3981999507e-3), _F(8.3334519073e-3)
E3, E4, E5 = _F(4.1665795894e-2), _F(1.6666665459e-1), _F(5.0000001201e-1)
LARGEST_EXPONENT = _F(80.0)
MANTISSA, EXPONENT_OF_1, EXPONENT_AT = np.int32(0x7FFFFF), np.int32(127), np.int32(23)
BITS_OF_1 = np.int32(0x3F800000)


def _bits_of(typing_context: Any, value: Any) -> Any:
    """The 32 bits of a float32, as int32."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), build


def _float_of(typing_context: Any, value: Any) -> Any:
    """The float32 of 32 bits."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), build


_bits: Any = intrinsic(_bits_of)
_from_bits: Any = intrinsic(_float_of)


@njit(cache=True, nogil=True, error_model='numpy', fastmath={'contract'}, inline='always')
def log32(value: Any) -> Any:
    """Natural logarithm of a positive normal float32."""
    bits = _bits(value)
    m = _from_bits(np.int32((bits & MANTISSA) | BITS_OF_1))  # in [1, 2)
    large = m > SQRT2
    exponent = _F(np.int32((bits >> EXPONENT_AT) - EXPONENT_OF_1)) + (ONE if large else _F(0))
    r = (m * HALF if large else m) - ONE
    p = L0
    p = p * r + L1
    p = p * r + L2
    p = p * r + L3
    p = p * r + L4
    p = p * r + L5
    p = p * r + L6
    p = p * r + L7
    p = p * r + L8
    z = r * r
    tail = r * z * p + exponent * LN2_LOW - HALF * z
    return r + tail + exponent * LN2_HIGH


@njit(cache=True, nogil=True, error_model='numpy', fastmath={'contract'}, inline='always')
def exp32(value: Any) -> Any:
    """Exponential of a float32, clipped to [-80, 80]."""
    x = min(max(value, -LARGEST_EXPONENT), LARGEST_EXPONENT)
    n = np.floor(x * LOG2_E + HALF)
    r = x - n * LN2_HIGH - n * LN2_LOW
    p = E0
    p = p * r + E1
    p = p * r + E2
    p = p * r + E3
    p = p * r + E4
    p = p * r + E5
    scale = _from_bits(np.int32((np.int32(n) + EXPONENT_OF_1) << EXPONENT_AT))
    return (p * r * r + r + ONE) * scale


@njit(cache=True, nogil=True, error_model='numpy', fastmath={'contract'})
def log_into(value: NDArray, out: NDArray) -> None:
    """Natural logarithm of positive normal numbers; flat, contiguous, float32."""
    for i in range(value.size):
        out[i] = log32(value[i])


@njit(cache=True, nogil=True, error_model='numpy', fastmath={'contract'})
def exp_into(value: NDArray, out: NDArray) -> None:
    """Exponential of numbers clipped to [-80, 80]; flat, contiguous, float32."""
    for i in range(value.size):
        out[i] = exp32(value[i])
