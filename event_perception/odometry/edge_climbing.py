# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A pose from map points that climb the ridges of an event image.

    events moved to one instant by the predicted twist and the depth of the map; binned
    for sigma in 6, 3, 1.5, 1 px: image blurred, its local mean removed, in local standard deviations, at most 1
        Gauss-Newton on sum w (1 - I(u(T p)))^2 + prior; steps clamped; T <- exp(x) T

Coarse blur gives reach, fine blur accuracy. The prior holds what the edges do not tell.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import se3_exp

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClimbingConfig:
    """Tracking of a pose on map points."""

    sigmas_px: tuple[float, ...] = param((6.0, 3.0, 1.5, 1.0), 'Blur of the event image, stage by stage, px.')
    iterations: int = param(6, 'Most Gauss-Newton steps of a stage.', ge=1, le=100)
    around: float = param(4.0, 'The neighbourhood of the normalisation, times the blur.', ge=1.5, le=50.0)
    saturation: float = param(3.0, 'Local standard deviations that count as the top of a ridge.', ge=0.5)
    max_step: float = param(0.03, 'A step is shortened to this, rad and parts of the depth.', ge=1e-3, le=1.0)
    tolerance: float = param(2e-4, 'A step below this ends a stage, rad and parts of the depth.', ge=0.0)
    noise_factor: float = param(
        40.0, 'Map points whose residuals err together: the covariance is so much larger.', ge=1.0
    )


@dataclass(frozen=True, eq=False)
class Climb:
    """A pose on the map.

    Attributes:
        T_camera_odom: (4, 4).
        covariance: Of the left perturbation (tau, theta), camera axes, (6, 6), events and prior together.
        height: Mean of the finest image at the visible points, weighted: about 0 by chance, at most 1.
        heights: At every point, nan where it is not visible, float32 (n,).
        visible: Share of the points inside the view.
        sound: Whether every step was finite and the last one small.
    """

    T_camera_odom: Matrix
    covariance: Matrix
    height: float
    heights: Float32
    visible: float
    sound: bool


def edge_images(pixels: Float32, camera: CameraModel, config: ClimbingConfig) -> list[Float32]:
    """Blurred, locally normalised images of events that were moved to one instant, coarse to fine.

    Args:
        pixels: Undistorted, float32 (2, n).
        camera: Its size is used.
        config: Parameters.
    """
    votes = np.zeros((camera.height, camera.width), np.float32)
    bin_pixels(pixels, votes)
    images = []
    for sigma in config.sigmas_px:
        blurred = cv2.GaussianBlur(votes, (0, 0), sigma)
        side = 2 * int(config.around * sigma) + 1
        mean = cv2.blur(blurred, (side, side))
        variance = cv2.blur(blurred * blurred, (side, side)) - mean * mean
        floor = 0.05 * float(variance.mean()) + 1e-8
        score = (blurred - mean) / (config.saturation * np.sqrt(np.maximum(variance, 0) + floor))
        images.append(np.clip(score, -1, 1).astype(np.float32))
    return images


def climb(
    points: Float32,
    weights: Float32,
    images: list[Float32],
    T_camera_odom: Matrix,
    prior: Matrix,
    camera: CameraModel,
    config: ClimbingConfig,
) -> Climb:
    """Find the pose that puts the points on ridges.

    Args:
        points: Odometry frame, float32 (n, 3).
        weights: Of the points, float32 (n,).
        images: See ``edge_images``.
        T_camera_odom: The prediction.
        prior: Covariance of the prediction's left perturbation (tau, theta), camera axes.
        camera: Its matrix is used.
        config: Parameters.
    """
    T, sound = T_camera_odom.copy(), True
    intrinsics = np.array([camera.fx, camera.cx, camera.fy, camera.cy])
    depth = _median_depth(points, T)
    unit = np.array([depth] * 3 + [1.0] * 3)
    information = np.linalg.inv(prior)
    heights = np.full(len(points), np.nan, np.float32)
    moved = np.zeros(6)
    A = b = np.zeros(0)
    size = np.inf
    for image in images:
        for _ in range(config.iterations):
            A, b, energy, total = climbing_sums(points, weights, T, intrinsics, image, heights)
            noise = config.noise_factor * max(energy / max(total, 1e-9), 1e-3)
            normal = A / noise + information
            step = np.linalg.solve(normal, b / noise - information @ moved) / unit
            size = float(np.abs(step).max())
            if not np.isfinite(size):
                return Climb(T_camera_odom.copy(), prior.copy(), 0.0, heights, 0.0, False)
            step *= min(1.0, config.max_step / max(size, 1e-12))
            moved = moved + step * unit  # small turns: added rather than composed
            T = se3_exp(step * unit) @ T
            if size < config.tolerance:
                break
    seen = np.isfinite(heights)
    sound = size < config.max_step
    share = float(weights[seen].sum())
    height = float((weights[seen] * heights[seen]).sum() / max(share, 1e-9))
    covariance = np.linalg.inv(normal)
    return Climb(T, 0.5 * (covariance + covariance.T), height, heights, float(seen.mean()), sound)


def _median_depth(points: Float32, T: Matrix) -> float:
    z = points @ T[2, :3] + T[2, 3]
    front = z[z > 0]
    return float(np.median(front)) if len(front) else 1.0


@njit(cache=True, nogil=True)
def bin_pixels(pixels, votes):  # type: ignore[no-untyped-def]
    """Add bilinear votes, float32 (height, width); those that reach over the border are left out."""
    height, width = votes.shape
    one = np.float32(1)
    for i in range(pixels.shape[1]):
        x, y = pixels[0, i], pixels[1, i]
        if x >= 0 and y >= 0 and x < np.float32(width - 1) and y < np.float32(height - 1):
            column, row = int(x), int(y)
            fx, fy = x - np.float32(column), y - np.float32(row)
            votes[row, column] += (one - fx) * (one - fy)
            votes[row, column + 1] += fx * (one - fy)
            votes[row + 1, column] += (one - fx) * fy
            votes[row + 1, column + 1] += fx * fy


@njit(cache=True, nogil=True)
def climbing_sums(points, weights, T, intrinsics, image, heights):  # type: ignore[no-untyped-def]
    """Normal equations of the residuals 1 - I by a left perturbation (tau, theta) of the pose.

    Args:
        points: Odometry frame, float32 (n, 3).
        weights: (n,).
        T: T_camera_odom.
        intrinsics: fx, cx, fy, cy.
        image: Float32 (height, width).
        heights: Output, I at every point, nan outside.

    Returns:
        J^T W J (6, 6), -J^T W r (6,), the weighted sum of squares and of weights.
    """
    height, width = image.shape
    A, b, J = np.zeros((6, 6)), np.zeros(6), np.zeros(6)
    fx, cx, fy, cy = intrinsics[0], intrinsics[1], intrinsics[2], intrinsics[3]
    energy, total = 0.0, 0.0
    for i in range(points.shape[0]):
        heights[i] = np.nan
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        Z = T[2, 0] * px + T[2, 1] * py + T[2, 2] * pz + T[2, 3]
        if Z < 1e-3:
            continue
        x = (T[0, 0] * px + T[0, 1] * py + T[0, 2] * pz + T[0, 3]) / Z
        y = (T[1, 0] * px + T[1, 1] * py + T[1, 2] * pz + T[1, 3]) / Z
        u, v = fx * x + cx, fy * y + cy
        if not (u >= 0 and v >= 0 and u < width - 1 and v < height - 1):
            continue
        column, row = int(u), int(v)
        a, c = u - column, v - row
        i00, i01 = image[row, column], image[row, column + 1]
        i10, i11 = image[row + 1, column], image[row + 1, column + 1]
        value = (1 - c) * ((1 - a) * i00 + a * i01) + c * ((1 - a) * i10 + a * i11)
        gx = fx * ((1 - c) * (i01 - i00) + c * (i11 - i10))
        gy = fy * ((1 - a) * (i10 - i00) + a * (i11 - i01))
        heights[i] = value
        along = gx * x + gy * y
        J[0], J[1], J[2] = gx / Z, gy / Z, -along / Z
        J[3], J[4], J[5] = -gy - y * along, gx + x * along, gy * x - gx * y
        w, residual = weights[i], 1.0 - value
        energy += w * residual * residual
        total += w
        for j in range(6):
            b[j] += w * J[j] * residual
            for k in range(j, 6):
                A[j, k] += w * J[j] * J[k]
    for j in range(6):
        for k in range(j):
            A[j, k] = A[k, j]
    return A, b, energy, total


@njit(cache=True, nogil=True)
def move_pixels(pixels, dt_s, twist, intrinsics, inverse_depth, cell, moved):  # type: ignore[no-untyped-def]
    """Undistorted pixels of events to where they would be at the reference instant, to first order in time.

    Args:
        pixels: Float32 (2, n).
        dt_s: Event time minus reference time (n,).
        twist: v, omega of the camera (6,).
        intrinsics: fx, cx, fy, cy.
        inverse_depth: Of square cells of the view (rows, columns).
        cell: Their side, px.
        moved: Output, float32 (2, n).
    """
    fx, cx, fy, cy = intrinsics[0], intrinsics[1], intrinsics[2], intrinsics[3]
    rows, columns = inverse_depth.shape
    v0, v1, v2, w0, w1, w2 = twist[0], twist[1], twist[2], twist[3], twist[4], twist[5]
    for i in range(pixels.shape[1]):
        u, v = pixels[0, i], pixels[1, i]
        column = min(max(int(u / cell), 0), columns - 1)
        row = min(max(int(v / cell), 0), rows - 1)
        q = inverse_depth[row, column]
        x, y = (u - cx) / fx, (v - cy) / fy
        a = -(w1 - w2 * y) - v0 * q
        b = -(w2 * x - w0) - v1 * q
        c = -(w0 * y - w1 * x) - v2 * q
        moved[0, i] = u - dt_s[i] * fx * (a - x * c)
        moved[1, i] = v - dt_s[i] * fy * (b - y * c)
