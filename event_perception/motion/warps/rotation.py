# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Exact rotation, at constant rate or at constant angular acceleration: the reference of the fused kernels."""

import numpy as np

from event_perception.motion.warps.base import SceneEvents, Vector, Warped
from event_perception.motion.warps.linear_fractional import NEAREST

SMALL_SQUARED_ANGLE = 1e-2  # rad^2; below it four Taylor terms are exact to 1e-15


class Rotation:
    """X(t_ref) = exp(d [omega]_x) X, omega in rad/s."""

    names: tuple[str, ...] = ('wx_rad_s', 'wy_rad_s', 'wz_rad_s')

    def warp(self, parameters: Vector, events: SceneEvents, order: int = 2) -> Warped:
        """Points at the reference time, with derivatives up to ``order``."""
        rates = np.repeat(np.asarray(parameters, np.float64)[:, None], len(events), axis=1)
        return _rotate(rates, events, np.ones((1, len(events))), order)


class AngularAcceleration:
    """Rotation by d omega + d^2/2 alpha: rate at the reference time and acceleration, rad/s and rad/s^2."""

    names: tuple[str, ...] = (*Rotation.names, 'ax_rad_s2', 'ay_rad_s2', 'az_rad_s2')

    def warp(self, parameters: Vector, events: SceneEvents, order: int = 2) -> Warped:
        """Points at the reference time, with derivatives up to ``order``."""
        omega, alpha = np.asarray(parameters, np.float64).reshape(2, 3)
        shares = np.stack([np.ones(len(events)), 0.5 * events.d])
        rates = omega[:, None] * shares[0] + alpha[:, None] * shares[1]
        return _rotate(rates, events, shares, order)


def _rotate(rates: Vector, events: SceneEvents, shares: Vector, order: int) -> Warped:
    """Rotate by d times the rates (3, n); parameter block b changes the rate by shares[b]."""
    phi = rates * events.d
    rotated = _exp_times(phi, np.stack([events.x, events.y, np.ones(len(events))]))
    inside = rotated[2] > NEAREST
    depth = np.where(inside, rotated[2], 1.0)
    point = rotated / depth
    # d X / d phi_k = (J e_k) x X, J the left Jacobian of the rotation vector phi
    J = _left_jacobian(phi)
    turned = np.stack([_cross(J[:, k], point) for k in range(3)])
    slope = turned[:, :2] - point[:2] * turned[:, 2:]  # (3, 2, n)
    scale = shares * events.d
    first = np.concatenate([scale_b * slope for scale_b in scale]).transpose(1, 0, 2)
    if order < 2:
        return Warped(point[:2], inside, first, None)
    bend = _second_by_phi(phi, J, point, turned)
    z = turned[:, 2]
    by_phi = bend[:, :, :2] - point[:2] * bend[:, :, 2:]
    by_phi = by_phi - slope[:, None] * z[None, :, None] - slope[None, :] * z[:, None, None]
    blocks = [[a * b * by_phi for b in scale] for a in scale]
    second = np.concatenate([np.concatenate(row, axis=1) for row in blocks], axis=0)
    return Warped(point[:2], inside, first, second.transpose(2, 0, 1, 3))


def _cross(a: Vector, b: Vector) -> Vector:
    return np.cross(a, b, axis=0)


def _coefficients(s: Vector) -> tuple[Vector, Vector, Vector, Vector, Vector]:
    """Functions of s = t^2: a = sin t / t, b = (1 - cos t) / t^2, c = (t - sin t) / t^3, db/ds, dc/ds."""
    small = s < SMALL_SQUARED_ANGLE
    big = np.where(small, 1.0, s)
    t = np.sqrt(big)
    a, b, c = np.sin(t) / t, (1 - np.cos(t)) / big, (t - np.sin(t)) / (t * big)
    slope_b, slope_c = (a - 2 * b) / (2 * big), (b - 3 * c) / (2 * big)
    a = np.where(small, 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72))), a)
    b = np.where(small, 0.5 - s / 24 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90))), b)
    c = np.where(small, 1 / 6 - s / 120 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110))), c)
    slope_b = np.where(small, -1 / 24 + s / 360 * (1 - s * 3 / 112 * (1 - s * 4 / 270)), slope_b)
    slope_c = np.where(small, -1 / 120 + s / 2520 * (1 - s * 3 / 144 * (1 - s * 4 / 330)), slope_c)
    return a, b, c, slope_b, slope_c


def _exp_times(phi: Vector, X: Vector) -> Vector:
    a, b, _, _, _ = _coefficients((phi**2).sum(axis=0))
    once = _cross(phi, X)
    return X + a * once + b * _cross(phi, once)


def _left_jacobian(phi: Vector) -> Vector:
    """(3, 3, n): J[:, k] = J e_k = e_k + b phi x e_k + c phi x (phi x e_k)."""
    _, b, c, _, _ = _coefficients((phi**2).sum(axis=0))
    columns = []
    for e in np.eye(3):
        unit = np.repeat(e[:, None], phi.shape[1], axis=1)
        once = _cross(phi, unit)
        columns.append(unit + b * once + c * _cross(phi, once))
    return np.stack(columns, axis=1)


def _second_by_phi(phi: Vector, J: Vector, X: Vector, turned: Vector) -> Vector:
    """d^2 X / d phi_k d phi_l = (d J_k / d phi_l) x X + J_k x (J_l x X), (3, 3, 3, n)."""
    _, b, c, slope_b, slope_c = _coefficients((phi**2).sum(axis=0))
    second = np.empty((3, 3, *X.shape))
    units = np.repeat(np.eye(3)[:, :, None], phi.shape[1], axis=2)
    for k in range(3):
        once = _cross(phi, units[k])
        twice = _cross(phi, once)
        for m in range(3):
            moved = b * _cross(units[m], units[k])
            moved += c * (_cross(units[m], once) + _cross(phi, _cross(units[m], units[k])))
            moved += 2 * phi[m] * (slope_b * once + slope_c * twice)
            second[k, m] = _cross(moved, X) + _cross(J[:, k], turned[m])
    return second
