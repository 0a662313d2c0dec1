# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The anisotropic Poisson equation against matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import spsolve

from event_perception.images.poisson import (
    apply_operator,
    block_sums,
    inverse_diagonal,
    right_side,
    solve,
    spread_blocks,
)

ROWS, COLUMNS = 9, 12


def matrices(A):
    """D and the block-diagonal A of the equation, as sparse matrices; faces beyond the border are left out."""
    index = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)

    def difference(first, second):
        n = first.size
        rows = np.concatenate([first, first])
        columns = np.concatenate([first, second])
        values = np.concatenate([-np.ones(n), np.ones(n)])
        return sparse.csr_matrix((values, (rows, columns)), (index.size, index.size))

    D = sparse.vstack(
        [
            difference(index[:, :-1].ravel(), index[:, 1:].ravel()),
            difference(index[:-1].ravel(), index[1:].ravel()),
        ]
    )
    xx, xy, yy = (sparse.diags(a.ravel().astype(float)) for a in A)
    return D, sparse.bmat([[xx, xy], [xy, yy]])


def random_problem(seed):
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(5, 2, ROWS, COLUMNS))
    A = np.stack([(d[:, 0] ** 2).sum(0), (d[:, 0] * d[:, 1]).sum(0), (d[:, 1] ** 2).sum(0)])
    A[:, rng.random((ROWS, COLUMNS)) < 0.3] = 0
    B = rng.normal(size=(2, ROWS, COLUMNS))
    H = rng.normal(size=(ROWS, COLUMNS))
    return A.astype(np.float32), B.astype(np.float32), H.astype(np.float32)


def operator(A, smoothness, attachment):
    D, block = matrices(A)
    return D.T @ (block + smoothness * sparse.eye(block.shape[0])) @ D + attachment * sparse.eye(D.shape[1])


def applied(A, M, smoothness=0.1, attachment=0.01):
    out, flux = np.empty_like(M), np.zeros((2, 2, COLUMNS), np.float32)
    product = apply_operator(A, np.float32(smoothness), np.float32(attachment), M, out, flux)
    return out, product


def test_the_operator_is_that_of_the_matrices():
    A, B, M = random_problem(1)
    out, product = applied(A, M)
    expected = operator(A, 0.1, 0.01) @ M.ravel()
    np.testing.assert_allclose(out.ravel(), expected, rtol=2e-4, atol=2e-5)
    assert product == pytest.approx(float(M.ravel() @ expected), rel=1e-4)
    diagonal = np.empty_like(M)
    inverse_diagonal(A, np.float32(0.1), np.float32(0.01), diagonal)
    np.testing.assert_allclose(1 / diagonal.ravel(), operator(A, 0.1, 0.01).diagonal(), rtol=1e-4)
    side = np.empty_like(M)
    right_side(B, np.float32(0.01), M, side)
    D, _ = matrices(A)
    np.testing.assert_allclose(side.ravel(), D.T @ B.reshape(-1) + 0.01 * M.ravel(), rtol=1e-4, atol=1e-5)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_operator_is_symmetric_and_positive(seed):
    A, _, u = random_problem(seed)
    v = np.random.default_rng(seed + 1).normal(size=u.shape).astype(np.float32)
    of_u, energy = applied(A, u)
    of_v, _ = applied(A, v)
    scale = np.linalg.norm(u) * np.linalg.norm(of_v) + 1e-9
    assert abs(float((v * of_u).sum() - (u * of_v).sum())) < 1e-4 * scale
    assert energy > 0


def test_conjugate_gradients_find_the_solution_of_the_matrices():
    A, B, H = random_problem(3)
    M, work = np.zeros_like(H), np.zeros((4, ROWS, COLUMNS), np.float32)
    iterations, residual = solve(A, B, H, np.float32(0.1), np.float32(0.05), M, 200, 0, 1e-5, work)
    D, _ = matrices(A)
    expected = spsolve(operator(A, 0.1, 0.05).tocsc(), D.T @ B.astype(float).reshape(-1) + 0.05 * H.ravel())
    assert 10 < iterations < 200
    assert residual <= 1e-5
    np.testing.assert_allclose(M.ravel(), expected, rtol=1e-3, atol=1e-3)


def test_where_nothing_is_known_the_solution_is_the_blurred_prior():
    H = np.zeros((ROWS, COLUMNS), np.float32)
    H[4, 6] = 1.0
    zero = np.zeros((3, ROWS, COLUMNS), np.float32)
    M, work = np.zeros_like(H), np.zeros((4, ROWS, COLUMNS), np.float32)
    solve(zero, zero[:2], H, np.float32(1.0), np.float32(0.5), M, 300, 0, 1e-7, work)
    assert M.sum() == pytest.approx(1.0, rel=1e-4)
    assert M[4, 6] == M.max() and M.min() > 0


def test_a_warm_start_at_the_solution_needs_no_iteration():
    A, B, H = random_problem(4)
    M, work = np.zeros_like(H), np.zeros((4, ROWS, COLUMNS), np.float32)
    solve(A, B, H, np.float32(0.1), np.float32(0.05), M, 300, 0, 1e-6, work)
    iterations, _ = solve(A, B, H, np.float32(0.1), np.float32(0.05), M, 300, 0, 1e-4, work)
    assert iterations == 0


def test_nothing_gives_nothing():
    zero = np.zeros((3, ROWS, COLUMNS), np.float32)
    M, work = np.ones((ROWS, COLUMNS), np.float32), np.zeros((4, ROWS, COLUMNS), np.float32)
    assert solve(zero, zero[:2], zero[0], np.float32(1), np.float32(1), M, 10, 0, 0.0, work)[0] == 0
    assert not M.any()


def test_a_block_says_what_its_pixels_sum_to():
    values, blocks = np.ones((6, 9), np.float32), np.empty((2, 3), np.float32)
    block_sums(values, blocks)
    np.testing.assert_array_equal(blocks, [[16, 16, 4], [8, 8, 2]])


def test_between_the_centres_of_blocks_there_is_a_straight_line():
    out = np.empty((4, 12), np.float32)
    spread_blocks(np.array([[0, 4, 8]], np.float32), out)
    np.testing.assert_allclose(out[2], [0, 0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8, 8])


def test_blocks_solve_for_what_is_wide():
    side, y, x = 64, *np.mgrid[:64, :64].astype(np.float32)
    scene = np.sin(x / 15) + np.cos(y / 12)
    D = np.stack([np.diff(scene, axis=1, append=scene[:, -1:]), np.diff(scene, axis=0, append=scene[-1:])])
    A = np.stack([np.ones_like(x), np.zeros_like(x), np.ones_like(x)])
    error = {}
    for wide_iterations in (0, 30):
        M, work = np.zeros_like(x), np.zeros((4, side, side), np.float32)
        solve(A, D, 0 * x, np.float32(1e-3), np.float32(1e-4), M, 5, wide_iterations, 0.0, work)
        error[wide_iterations] = np.std(M - scene) / np.std(scene)
    assert error[0] > 0.7 and error[30] < 0.1
