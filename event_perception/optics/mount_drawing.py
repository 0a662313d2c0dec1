# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A drawing of a robot with its camera, from the side and from above, as SVG text."""

import math

import numpy as np
from numpy.typing import NDArray

from event_perception.evaluation.plots import STYLE
from event_perception.motion.camera import CameraModel
from event_perception.optics.mount import Body, Mount

WIDTH, HEIGHT = 640, 260
REACH_M = 0.9  # how far the field of view is drawn


def mount_svg(mount: Mount, camera: CameraModel, body: Body, *, floor_m: float) -> str:
    """Side view (x forward, z up) and view from above (x forward, y left); the field of view as a fan.

    Args:
        mount: Pose of the camera.
        camera: Gives the field of view.
        body: Box of the robot.
        floor_m: Height of the floor in the base frame.
    """
    rotation, position = mount.rotation.detach().numpy(), mount.position_m.detach().numpy()
    half_v = math.atan(camera.height / 2 / camera.fy)
    half_h = math.atan(camera.width / 2 / camera.fx)
    parts = []
    for panel, (axis, half, title) in enumerate(((2, half_v, 'from the side'), (1, half_h, 'from above'))):
        left = panel * WIDTH / 2
        parts.append(
            _panel(rotation, position, body, axis, half, floor_m if axis == 2 else None, left, title)
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="camera mount" style="{STYLE}">{"".join(parts)}</svg>'
    )


def _panel(
    rotation: NDArray[np.float64],
    position: NDArray[np.float64],
    body: Body,
    axis: int,
    half: float,
    floor_m: float | None,
    left: float,
    title: str,
) -> str:
    """One view; the fan is spanned by the camera axis across (down from the side, right from above)."""
    scale = WIDTH / 2 / 2.4
    across = rotation[:, 1 if axis == 2 else 0]

    def point(x: float, y: float) -> str:
        return f'{left + WIDTH / 4 + (x - 0.35) * scale:.1f} {HEIGHT * 0.55 - y * scale:.1f}'

    rim = []
    for a in np.linspace(-half, half, 15):
        direction = math.cos(a) * rotation[:, 2] + math.sin(a) * across
        reach = REACH_M
        if floor_m is not None and direction[2] < -1e-6:
            reach = min(reach, (floor_m - position[2]) / direction[2])
        rim.append(position + reach * direction)
    fan = 'L'.join(point(p[0], p[axis]) for p in [position, *rim])
    lo, hi = body.low_m, body.high_m
    box = 'L'.join(
        point(x, y) for x, y in ((lo[0], lo[axis]), (hi[0], lo[axis]), (hi[0], hi[axis]), (lo[0], hi[axis]))
    )
    parts = [f'<text x="{left + 12:.0f}" y="20">{title}</text>']
    if floor_m is not None:
        parts.append(
            f'<path d="M{point(-0.8, floor_m)}L{point(1.5, floor_m)}" stroke="#8b95a3" stroke-width="2"/>'
        )
    parts += [
        f'<path d="M{fan}Z" fill="#2563a8" fill-opacity=".18" stroke="#2563a8"/>',
        f'<path d="M{box}Z" fill="#d9dee5" stroke="#4a5568"/>',
        f'<circle cx="{point(*position[[0, axis]]).split()[0]}" cy="{point(*position[[0, axis]]).split()[1]}" r="4.5" '
        'fill="#c8472d"/>',
    ]
    return ''.join(parts)
