# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The image whose gradients fit what is known of them: an anisotropic Poisson equation.

    (D^T (A + lambda I) D + eps I) M = D^T B + eps H

D: forward differences on the two faces of a pixel, to its right and below, 0 beyond the border. A, symmetric and
positive semi-definite, says how well each component of the gradient is known, B = A grad. What A does not know is
filled in from the neighbours (lambda) and from H (eps). The operator is symmetric and positive definite, so
conjugate gradients apply; its diagonal is the preconditioner.

Conjugate gradients spread an error by one pixel an iteration. So before them what is wide is solved on blocks of 4x4
pixels: with A averaged, the same equation, eps times 16, and the residual summed for its right side. That correction
is added to M in the length that helps most.

Sources: Saad, Iterative Methods for Sparse Linear Systems, 2003, algorithm 9.1; Briggs, Henson and McCormick, A
Multigrid Tutorial, 2000 (coarse grid correction).
"""

import numpy as np
from numba import njit

FAST = {'reassoc', 'contract', 'nsz', 'arcp'}
f32 = np.float32
BLOCK = 4  # side of the blocks, px
WIDE_TOLERANCE = 0.02  # relative residual at which the search on blocks ends


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


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def block_sums(values, out):  # type: ignore[no-untyped-def]
    """Sums of blocks of 4x4 pixels (H, W) -> (ceil(H / 4), ceil(W / 4)); at the border of fewer."""
    out[:] = 0
    for i in range(values.shape[0]):
        line, into = values[i], out[i // BLOCK]
        for j in range(values.shape[1]):
            into[j // BLOCK] += line[j]


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def spread_blocks(blocks, out):  # type: ignore[no-untyped-def]
    """Writes what blocks say at each pixel, bilinear between their centres, constant beyond them."""
    rows, columns = blocks.shape
    for i in range(out.shape[0]):
        y = min(max((f32(i) - f32(1.5)) / f32(BLOCK), f32(0)), f32(rows - 1))
        a = min(int(y), max(rows - 2, 0))
        v, b = y - f32(a), min(a + 1, rows - 1)
        for j in range(out.shape[1]):
            x = min(max((f32(j) - f32(1.5)) / f32(BLOCK), f32(0)), f32(columns - 1))
            c = min(int(x), max(columns - 2, 0))
            u, d = x - f32(c), min(c + 1, columns - 1)
            above = blocks[a, c] + u * (blocks[a, d] - blocks[a, c])
            below = blocks[b, c] + u * (blocks[b, d] - blocks[b, c])
            out[i, j] = above + v * (below - above)


@njit(cache=True, nogil=True, fastmath=FAST, error_model='numpy')
def _product(first, second):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(first.shape[0]):
        line = f32(0)
        for a, b in zip(first[i], second[i]):
            line += a * b
        total += float(line)
    return total


@njit(cache=True, nogil=True, error_model='numpy')
def _iterate(A, smoothness, attachment, M, work, rho, enough, iterations):  # type: ignore[no-untyped-def]
    """Conjugate gradients from a residual in ``work``; returns iterations made and what is left of rho."""
    residual, direction, applied, inverse = work[0], work[1], work[2], work[3]
    flux = np.zeros((2, 2, M.shape[1]), np.float32)
    _turn(direction, residual, inverse, f32(0))
    done = 0
    while done < iterations and rho > enough:
        curvature = apply_operator(A, smoothness, attachment, direction, applied, flux)
        following = _step(M, residual, direction, applied, inverse, f32(rho / curvature))
        _turn(direction, residual, inverse, f32(following / rho))
        rho = following
        done += 1
    return done, rho


@njit(cache=True, nogil=True, error_model='numpy')
def _correct(A, smoothness, attachment, M, work, iterations, tolerance):  # type: ignore[no-untyped-def]
    """Solve for what is wide on blocks, add it to M, and bring the residual in ``work`` up to date; returns rho."""
    residual, direction, applied, inverse = work[0], work[1], work[2], work[3]
    rows, columns = -(-M.shape[0] // BLOCK), -(-M.shape[1] // BLOCK)
    area = f32(BLOCK * BLOCK)
    wide_A = np.empty((3, rows, columns), np.float32)
    for k in range(3):
        block_sums(A[k], wide_A[k])
    wide_A /= area
    wide_M, wide_work = np.zeros((rows, columns), np.float32), np.zeros((4, rows, columns), np.float32)
    inverse_diagonal(wide_A, smoothness, area * attachment, wide_work[3])
    block_sums(residual, wide_work[0])
    rho = _step(wide_M, wide_work[0], wide_work[1], wide_work[2], wide_work[3], f32(0))
    _iterate(
        wide_A, smoothness, area * attachment, wide_M, wide_work, rho, tolerance * tolerance * rho, iterations
    )
    spread_blocks(wide_M, direction)
    flux = np.zeros((2, 2, M.shape[1]), np.float32)
    curvature = apply_operator(A, smoothness, attachment, direction, applied, flux)
    downhill = _product(direction, residual)
    length = f32(downhill / curvature) if curvature > 0.0 else f32(0)
    return _step(M, residual, direction, applied, inverse, length)


@njit(cache=True, nogil=True, error_model='numpy')
def solve(A, B, H, smoothness, attachment, M, iterations, wide_iterations, tolerance, work):  # type: ignore[no-untyped-def]
    """Improve M in place by preconditioned conjugate gradients, on blocks and then on pixels.

    Args:
        A: A_xx, A_xy, A_yy, float32 (3, H, W).
        B: float32 (2, H, W).
        H: Prior, float32 (H, W).
        smoothness: lambda, float32, positive.
        attachment: eps, float32, positive.
        M: Start and result, float32 (H, W).
        iterations: Most iterations on pixels.
        wide_iterations: Most iterations on blocks before; 0 leaves them out.
        tolerance: The search ends when the residual, in the norm of the inverse diagonal, has shrunk to this share of
            the right side's.
        work: Workspace, float32 (4, H, W).

    Returns:
        Iterations made on pixels, and the residual's share.
    """
    residual, direction, applied, inverse = work[0], work[1], work[2], work[3]
    flux = np.zeros((2, 2, M.shape[1]), np.float32)
    inverse_diagonal(A, smoothness, attachment, inverse)
    right_side(B, attachment, H, residual)
    direction[:] = 0
    applied[:] = 0
    scale = _step(M, residual, direction, applied, inverse, f32(0))
    if scale == 0.0:
        M[:] = 0
        return 0, 0.0
    apply_operator(A, smoothness, attachment, M, applied, flux)
    # A direction of zero leaves M as it is; the residual loses what M already explains.
    rho, enough = _step(M, residual, direction, applied, inverse, f32(1)), tolerance * tolerance * scale
    if wide_iterations > 0 and rho > enough:
        rho = _correct(A, smoothness, attachment, M, work, wide_iterations, WIDE_TOLERANCE)
    done, rho = _iterate(A, smoothness, attachment, M, work, rho, enough, iterations)
    return done, np.sqrt(rho / scale)
