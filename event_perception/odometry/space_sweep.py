# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Votes of back-projected events in a volume of inverse depth (disparity space image), seen from one place.

An edge lies where the viewing rays of many events from many places meet. Planes z_i are equally spaced in inverse
depth. Events are taken in packets that share one pose: a homography sends a packet to the nearest plane z_0, and from
there to every other plane the map is affine, the same for all events of the packet:

    H^-1 = K (z_0 R + t e_3^T) K^-1,   C = -R^T t   (camera centre of the packet, in the reference view)
    x_i = x_0 z_0 s / z_i + C_x (1 - s) / z_i,   s = (z_i - C_z) / (z_0 - C_z)

Source: Rebecq and others, EMVS, IJCV 2018.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import se3_inverse

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SweptVolume:
    """What the rays leave in a reference view.

    Attributes:
        votes: Float32 (planes, height, width).
        inverse_depth: Of the planes (planes,), from near to far.
    """

    votes: Float32
    inverse_depth: Matrix


def sweep(
    pixels: Float32,
    poses: Matrix,
    packet: int,
    T_reference: Matrix,
    camera: CameraModel,
    inverse_depth: Matrix,
) -> SweptVolume:
    """Send events of many poses through the planes of a reference view.

    Args:
        pixels: Undistorted, float32 (2, n): columns, rows.
        poses: T_odom_camera of the packets, (ceil(n / packet), 4, 4).
        packet: Events that share a pose.
        T_reference: T_odom_camera of the reference view.
        camera: Its matrix and size are used; pixels are undistorted already.
        inverse_depth: Of the planes, falling: nearest first.
    """
    z = 1.0 / inverse_depth
    maps = [_packet_maps(se3_inverse(T) @ T_reference, camera.matrix, z) for T in poses]
    homographies = np.array([m[0] for m in maps], np.float32)
    affine = np.array([m[1] for m in maps], np.float32)
    near = np.empty_like(pixels)
    to_nearest_plane(pixels, homographies, packet, near)
    votes = np.zeros((len(z), camera.height, camera.width), np.float32)
    vote_planes(near, affine, packet, votes)
    return SweptVolume(votes, inverse_depth)


def _packet_maps(T_event_reference: Matrix, K: Matrix, z: Matrix) -> tuple[Matrix, Matrix]:
    """The homography of a packet to plane z_0 (3, 3), and its affine maps to all planes (planes, 3)."""
    R, t = T_event_reference[:3, :3], T_event_reference[:3, 3]
    centre = -R.T @ t
    back = K @ (z[0] * R + np.outer(t, [0.0, 0.0, 1.0])) @ np.linalg.inv(K)
    s = (z - centre[2]) / (z[0] - centre[2])
    factor = z[0] * s / z
    moved = (1 - s) / z
    shift_x = K[0, 2] * (1 - factor) + K[0, 0] * centre[0] * moved
    shift_y = K[1, 2] * (1 - factor) + K[1, 1] * centre[1] * moved
    return np.linalg.inv(back), np.stack([factor, shift_x, shift_y], axis=-1)


@njit(cache=True, nogil=True)
def to_nearest_plane(pixels, homographies, packet, near):  # type: ignore[no-untyped-def]
    """Pixels of plane z_0, float32 (2, n); those behind the view get -1e6, which no plane takes."""
    for i in range(pixels.shape[1]):
        H = homographies[i // packet]
        x, y = pixels[0, i], pixels[1, i]
        w = H[2, 0] * x + H[2, 1] * y + H[2, 2]
        front = w > np.float32(1e-6)
        inverse = np.float32(1) / (w if front else np.float32(1))
        near[0, i] = (H[0, 0] * x + H[0, 1] * y + H[0, 2]) * inverse if front else np.float32(-1e6)
        near[1, i] = (H[1, 0] * x + H[1, 1] * y + H[1, 2]) * inverse if front else np.float32(-1e6)


@njit(cache=True, nogil=True)
def vote_planes(near, affine, packet, votes):  # type: ignore[no-untyped-def]
    """Add bilinear votes; plane after plane, so that the plane written to stays in the cache.

    Args:
        near: Pixels on plane z_0, float32 (2, n).
        affine: Factor and shifts of every packet and plane, float32 (packets, planes, 3).
        packet: Events of a packet.
        votes: Added to, float32 (planes, height, width).
    """
    planes, height, width = votes.shape
    one = np.float32(1)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    n = near.shape[1]
    for plane in range(planes):
        image = votes[plane]
        for k in range(affine.shape[0]):
            a, bx, by = affine[k, plane, 0], affine[k, plane, 1], affine[k, plane, 2]
            for i in range(k * packet, min(n, (k + 1) * packet)):
                x, y = near[0, i] * a + bx, near[1, i] * a + by
                if x >= 0 and y >= 0 and x < right and y < bottom:
                    column, row = int(x), int(y)
                    fx, fy = x - np.float32(column), y - np.float32(row)
                    image[row, column] += (one - fx) * (one - fy)
                    image[row, column + 1] += fx * (one - fy)
                    image[row + 1, column] += (one - fx) * fy
                    image[row + 1, column + 1] += fx * fy
