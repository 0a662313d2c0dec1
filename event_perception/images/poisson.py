# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The image whose gradients fit what is known of them: an anisotropic Poisson equation.

    (D^T (A + lambda I) D + eps I) M = D^T B + eps H

D: forward differences on the two faces of a pixel, to its right and below, 0 beyond the border. A, symmetric and
positive semi-definite, says how well each component of the gradient is known, B = A grad. What A does not know is
filled in from the neighbours (lambda) and from H (eps). The operator is symmetric and positive definite, so
conjugate gradients apply; its diagonal is the preconditioner.

Source of the conjugate gradients: Saad, Iterative Methods for Sparse Linear Systems, 2003, algorithm 9.1.
"""

import numpy as np
from numba import njit

FAST = {'reassoc', 'contract', 'nsz', 'arcp'}
f32 = np.float32


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def apply_operator(A, smoothness, attachment, M, out, flux):  # type: ignore[no-untyped-def]
    """Writes out = (D^T (A + smoothness I) D + attachment I) M; returns M . out.

    Args:
        A: A_xx, A_xy, A_yy, float32 (3, H, W).
        smoothness: lambda, float32.
        attachment: eps, float32.
        M: float32 (H, W).
        out: Output, float32 (H, W).
        flux: Workspace, float32 (2, 2, W): fluxes of the row above and of this row.
    """
    rows, columns = M.shape
    flux[:] = 0
    product = 0.0
    for i in range(rows):
        above, here = flux[(i + 1) % 2], flux[i % 2]
        down = f32(1) if i + 1 < rows else f32(0)
        line, below = M[i], M[min(i + 1, rows - 1)]
        a, b, c, result = A[0, i], A[1, i], A[2, i], out[i]
        for j in range(columns - 1):
            gx, gy = line[j + 1] - line[j], down * (below[j] - line[j])
            here[0, j] = (a[j] + smoothness) * gx + b[j] * gy
            here[1, j] = down * (b[j] * gx + (c[j] + smoothness) * gy)
        last = columns - 1
        here[0, last] = f32(0)
        here[1, last] = down * (c[last] + smoothness) * (below[last] - line[last])
        result[0] = attachment * line[0] - here[0, 0] - here[1, 0] + above[1, 0]
        total = result[0] * line[0]
        for j in range(1, columns):
            result[j] = attachment * line[j] - here[0, j] - here[1, j] + here[0, j - 1] + above[1, j]
            total += result[j] * line[j]
        product += float(total)
    return product


@njit(cache=True, nogil=True, error_model='numpy')
def right_side(B, attachment, H, out):  # type: ignore[no-untyped-def]
    """Writes out = D^T B + attachment H; fluxes across the border count as 0."""
    rows, columns = H.shape
    for i in range(rows):
        for j in range(columns):
            value = attachment * H[i, j]
            if j + 1 < columns:
                value -= B[0, i, j]
            if j > 0:
                value += B[0, i, j - 1]
            if i + 1 < rows:
                value -= B[1, i, j]
            if i > 0:
                value += B[1, i - 1, j]
            out[i, j] = value


@njit(cache=True, nogil=True, error_model='numpy')
def inverse_diagonal(A, smoothness, attachment, out):  # type: ignore[no-untyped-def]
    """Writes out = 1 / diagonal of the operator."""
    rows, columns = out.shape
    for i in range(rows):
        for j in range(columns):
            value = attachment
            right, down = j + 1 < columns, i + 1 < rows
            if right:
                value += A[0, i, j] + smoothness
            if down:
                value += A[2, i, j] + smoothness
            if right and down:
                value += f32(2) * A[1, i, j]
            if j > 0:
                value += A[0, i, j - 1] + smoothness
            if i > 0:
                value += A[2, i - 1, j] + smoothness
            out[i, j] = f32(1) / value


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def _step(M, residual, direction, applied, inverse, length):  # type: ignore[no-untyped-def]
    """M += length direction, residual -= length applied; returns residual . (residual / diagonal)."""
    total = 0.0
    for i in range(M.shape[0]):
        m, r, p, q, d = M[i], residual[i], direction[i], applied[i], inverse[i]
        line = f32(0)
        for j in range(m.shape[0]):
            m[j] += length * p[j]
            r[j] -= length * q[j]
            line += r[j] * r[j] * d[j]
        total += float(line)
    return total


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def _turn(direction, residual, inverse, share):  # type: ignore[no-untyped-def]
    """Makes direction = residual / diagonal + share direction."""
    for i in range(direction.shape[0]):
        p, r, d = direction[i], residual[i], inverse[i]
        for j in range(p.shape[0]):
            p[j] = r[j] * d[j] + share * p[j]


@njit(cache=True, nogil=True, error_model='numpy')
def solve(A, B, H, smoothness, attachment, M, iterations, tolerance, work):  # type: ignore[no-untyped-def]
    """Improve M in place by preconditioned conjugate gradients.

    Args:
        A: A_xx, A_xy, A_yy, float32 (3, H, W).
        B: float32 (2, H, W).
        H: Prior, float32 (H, W).
        smoothness: lambda, float32, positive.
        attachment: eps, float32, positive.
        M: Start and result, float32 (H, W).
        iterations: Most iterations.
        tolerance: The search ends when the residual, in the norm of the inverse diagonal, has shrunk to this share of
            the right side's.
        work: Workspace, float32 (4, H, W).

    Returns:
        Iterations made, and the residual's share.
    """
    residual, direction, applied, inverse = work[0], work[1], work[2], work[3]
    flux = np.zeros((2, 2, M.shape[1]), np.float32)
    inverse_diagonal(A, smoothness, attachment, inverse)
    right_side(B, attachment, H, residual)
    scale = _step(M, residual, direction, applied, inverse, f32(0))
    if scale == 0.0:
        M[:] = 0
        return 0, 0.0
    apply_operator(A, smoothness, attachment, M, applied, flux)
    direction[:] = 0
    rho = 0.0
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            residual[i, j] -= applied[i, j]
            rho += float(residual[i, j] * residual[i, j] * inverse[i, j])
    _turn(direction, residual, inverse, f32(0))
    done = 0
    while done < iterations and rho > tolerance * tolerance * scale:
        curvature = apply_operator(A, smoothness, attachment, direction, applied, flux)
        following = _step(M, residual, direction, applied, inverse, f32(rho / curvature))
        _turn(direction, residual, inverse, f32(following / rho))
        rho = following
        done += 1
    return done, np.sqrt(rho / scale)
