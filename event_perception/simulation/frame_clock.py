# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""When to render: the faster the image moves, the closer the frames."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from event_perception.simulation.truth import image_flow

if TYPE_CHECKING:
    from event_perception.simulation.sequence import SimulatedSequence

PROBE_S = 0.01  # the speed of the image is looked at this often
PROBE_SCALE = 0.1  # of the camera, for the probing views
SPEED_MARGIN = 1.2  # speeds may be higher between probes
SPEED_QUANTILE = 0.995  # a few pixels on a grazing surface do not set the pace


def frame_times(sequence: 'SimulatedSequence') -> NDArray[np.int64]:
    """Instants from start to end such that the image moves at most ``max_motion_px`` in between.

    Frame k is where the integral of (speed / max_motion) reaches k.
    """
    duration_s = sequence.duration_s
    probes = np.linspace(0, duration_s, max(2, int(np.ceil(duration_s / PROBE_S)) + 1))
    speed = SPEED_MARGIN * _image_speeds(sequence, probes)
    speed = np.maximum(speed, np.maximum(np.roll(speed, 1), np.roll(speed, -1)))
    rate_hz = np.maximum(speed / sequence.max_motion_px, 1 / sequence.max_frame_s)
    steps = 0.5 * (rate_hz[1:] + rate_hz[:-1]) * np.diff(probes)
    phase = np.concatenate([[0.0], np.cumsum(steps)])
    n = int(np.ceil(phase[-1]))
    t_s = np.interp(np.linspace(0, phase[-1], n + 1), phase, probes)
    return sequence.start_ns + np.unique(np.rint(t_s * 1e9).astype(np.int64))


def _image_speeds(sequence: 'SimulatedSequence', t_s: NDArray) -> NDArray[np.float64]:
    """Speed of the fast parts of the image, px/s, at each instant."""
    scale = max(PROBE_SCALE, 8 / min(sequence.camera.height, sequence.camera.width))
    camera = sequence.camera.scaled(min(scale, 1.0))
    trajectory, scene = sequence.trajectory, sequence.scene
    speeds = np.empty(t_s.size)
    for k, (t, T) in enumerate(zip(t_s, trajectory.pose(t_s))):
        flow = image_flow(
            camera,
            scene.depth(camera, T, t),
            omega_rad_s=trajectory.omega(t)[0],
            v_m_s=trajectory.velocity(t)[0],
            object_velocity_m_s=scene.object_velocity(camera, T, t) @ T[:3, :3],
        )
        speeds[k] = np.quantile(np.hypot(flow[0], flow[1]), SPEED_QUANTILE)
    return speeds * sequence.camera.fx / camera.fx
