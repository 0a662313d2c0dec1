# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compile every kernel of the simulated camera before the first frame: it takes seconds, in which frames pile up."""

from types import SimpleNamespace

import numpy as np

from event_perception.motion.camera import CameraModel
from event_perception.simulation.camera_light import LightConfig, log_light_from_message
from event_perception.simulation.camera_stream import CameraFrame, CameraStreamConfig
from event_perception.simulation.dvs_config import DvsConfig
from event_perception.simulation.event_camera import SimulatedEventCamera
from event_perception.simulation.packets import EventPacketCutter
from event_perception.simulation.spikes import SpikeSensorConfig

HEIGHT, WIDTH = 32, 48
PERIOD_NS = 10_000_000


def warm_up(
    stream: CameraStreamConfig, dvs: DvsConfig, encoding: str, spikes: SpikeSensorConfig | None
) -> None:
    """Send three frames of a moving pattern through a camera of this kind, re-projected and by optical flow."""
    camera = CameraModel(fx=40.0, fy=40.0, cx=23.5, cy=15.5, height=HEIGHT, width=WIDTH)
    depth = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    for depth_m in (depth, None):
        if depth_m is None and stream.method == 'depth':
            continue
        sensor, cutter = SimulatedEventCamera(stream, dvs, spikes), EventPacketCutter(encoding, 0.004)
        for k in range(3):
            pose = np.eye(4)
            pose[0, 3] = -0.1 * k
            light = log_light_from_message(_picture(2 * k), LightConfig())
            sensed = sensor.push(CameraFrame(k * PERIOD_NS, light, depth_m, pose, camera))
            for _ in cutter.packets(sensed.events):
                pass


def _picture(shift_px: int) -> SimpleNamespace:
    columns, rows = np.meshgrid(np.arange(WIDTH) - shift_px, np.arange(HEIGHT))
    grey = (127 + 100 * np.sin(0.7 * columns) * np.cos(0.5 * rows)).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=2)
    return SimpleNamespace(
        encoding='rgb8', height=HEIGHT, width=WIDTH, step=3 * WIDTH, is_bigendian=0, data=pixels.tobytes()
    )
