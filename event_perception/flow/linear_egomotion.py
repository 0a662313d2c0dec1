# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Motion of the camera from the flow of tiles and their depth: linear, robust, without a search.

The flow of a static point is linear in (omega, v) once its depth is known (see ``motion_field``), so each tile gives
two equations, whitened by the curvature that holds its velocity. Things that move on their own are outliers: the
equations are reweighted by 1 / (1 + d^2). A large near object can bend the whole estimate, because v / Z is free; so
several starts are made, each from one part of the image, and the one with the least robust cost wins; a gyroscope or
another prior on the rate holds the rest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.events import TwistPrior

Vector = NDArray[np.float64]

SCALE_PX_S = 15.0  # error of a tile of typical curvature
ROUNDS = 15
PARTS = 3  # the image is cut into so many columns, and so many rows, for the starts
FEWEST = 6  # tiles that a start must rest on
WEAKEST = 1e-9  # added to the normal equations, relative to their trace: unobserved motion stays at the prior or zero


@dataclass(frozen=True, eq=False)
class LinearEgomotion:
    """A fit.

    Attributes:
        omega: rad/s (3,).
        v: m/s (3,).
        covariance: (6, 6) in the order (v, omega).
        inlier: Weight of each tile, 0 to 1, (n,).
        cost: sum log(1 + d^2) over the tiles, and the prior.
    """

    omega: Vector
    v: Vector
    covariance: Vector
    inlier: Vector
    cost: float


def fit_egomotion(
    flow: Vector, curvature: Vector, basis: Vector, place: Vector, prior: TwistPrior | None = None
) -> LinearEgomotion | None:
    """Fit (omega, v) to the velocities of tiles.

    Args:
        flow: Velocities (n, 2), px/s.
        curvature: xx, xy, yy of each, positive semidefinite (n, 3); tiles with 0 are left out.
        basis: Flow of each tile for unit omega and unit v, the latter divided by depth: (n, 2, 6).
        place: Pixel coordinates of the tiles (n, 2).
        prior: What is known otherwise; nan where not.

    Returns:
        The best fit; None if fewer than ``FEWEST`` tiles can be used.
    """
    usable = (curvature[:, 0] + curvature[:, 2] > 0) & np.isfinite(basis).all(axis=(1, 2))
    if usable.sum() < FEWEST:
        return None
    root = _whitening(curvature[usable])
    A, b = root @ basis[usable], np.einsum('nij,nj->ni', root, flow[usable])
    information, pull = _prior_terms(prior)
    fits = [_reweighted(A, b, information, pull, w) for w in _starts(place[usable])]
    x, weight, cost, normal = min(fits, key=lambda fit: fit[2])
    inlier = np.zeros(len(flow))
    inlier[usable] = weight
    order = [3, 4, 5, 0, 1, 2]
    covariance = np.asarray(np.linalg.inv(normal)[np.ix_(order, order)], np.float64)
    return LinearEgomotion(x[:3], x[3:], covariance, inlier, cost)


def _whitening(curvature: Vector) -> Vector:
    """Square roots (n, 2, 2) of the curvatures, scaled so that a typical tile has an error of ``SCALE_PX_S``."""
    P = np.empty((len(curvature), 2, 2))
    P[:, 0, 0], P[:, 1, 1] = curvature[:, 0], curvature[:, 2]
    P[:, 0, 1] = P[:, 1, 0] = curvature[:, 1]
    P /= np.median(np.trace(P, axis1=1, axis2=2)) / 2 * SCALE_PX_S**2
    eigenvalues, Q = np.linalg.eigh(P)
    scaled: Vector = Q * np.sqrt(np.maximum(eigenvalues, 0.0))[:, None, :]
    return scaled @ np.swapaxes(Q, 1, 2)


def _prior_terms(prior: TwistPrior | None) -> tuple[Vector, Vector]:
    """Information matrix (6, 6) and its product with the mean, in the order (omega, v); zero where not known."""
    information, pull = np.zeros((6, 6)), np.zeros(6)
    if prior is None:
        return information, pull
    known = np.concatenate([prior.omega_rad_s, prior.v_m_s])
    order = [3, 4, 5, 0, 1, 2]
    covariance = prior.covariance[np.ix_(order, order)]
    told = np.isfinite(known) & np.isfinite(np.diag(covariance)) & (np.diag(covariance) > 0)
    if told.any():
        block = np.linalg.inv(covariance[np.ix_(told, told)])
        information[np.ix_(told, told)] = block
        pull[told] = block @ known[told]
    return information, pull


def _starts(place: Vector) -> list[Vector]:
    """Weights of the tiles to begin with: all, and each part of the image that holds enough of them."""
    low, high = place.min(axis=0), place.max(axis=0)
    cell = np.minimum((PARTS * (place - low) / np.maximum(high - low, 1e-9)).astype(int), PARTS - 1)
    part = cell[:, 1] * PARTS + cell[:, 0]
    starts = [np.ones(len(place))]
    starts += [(part == k).astype(float) for k in range(PARTS**2) if (part == k).sum() >= FEWEST]
    return starts


def _reweighted(
    A: Vector, b: Vector, information: Vector, pull: Vector, weight: Vector
) -> tuple[Vector, Vector, float, Vector]:
    """Iteratively reweighted least squares; solution, weights, robust cost and normal matrix."""
    for _ in range(ROUNDS):
        normal = np.einsum('n,nik,nil->kl', weight, A, A) + information
        normal += WEAKEST * max(float(np.trace(normal)), 1e-12) * np.eye(6)
        x = np.linalg.solve(normal, np.einsum('n,nik,ni->k', weight, A, b) + pull)
        squared = np.sum((A @ x - b) ** 2, axis=1)
        weight = 1 / (1 + squared)
    away = x @ information @ x - 2 * x @ pull
    return x, weight, float(np.log1p(squared).sum() + 0.5 * away), normal
