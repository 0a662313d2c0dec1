# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a simulated 60 Hz camera becomes events in real time on one core: CPU time of a frame, all steps."""

from time import process_time
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.simulation.camera_light import LightConfig, log_light_from_message
from event_perception.simulation.camera_stream import CameraFrame, CameraStreamConfig, Method
from event_perception.simulation.dvs_config import dvs_preset
from event_perception.simulation.event_camera import SimulatedEventCamera
from event_perception.simulation.packets import EventPacketCutter
from event_perception.simulation.stand_in import TURNING, StandIn

RATE_HZ, FRAMES, REPEATS = 60.0, 90, 3
SCENES = (TURNING, 'room')
SEED = 0


def bench_sim_camera() -> dict[str, Any]:
    """For slow turning and a hand-held camera in a room, by depth and by flow; the least of some repeats.

    The real-time factor is the frame period over the CPU time of a frame: image bytes to encoded packets.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return {scene: _scene(scene) for scene in SCENES}
    finally:
        cv2.setNumThreads(threads)


def _scene(scene: str) -> dict[str, Any]:
    world = StandIn(scene, seed=SEED, duration_s=FRAMES / RATE_HZ)
    frames = []
    for k in range(FRAMES):
        t_ns = round(k * 1e9 / RATE_HZ)
        image = _message(world.picture(t_ns))
        frames.append((t_ns, image, world.depth(t_ns), world.state(t_ns).T_world_camera))
    methods: tuple[Method, ...] = ('depth', 'flow')
    return {method: _timed(world, frames, method) for method in methods}


def _timed(world: StandIn, frames: list[tuple[Any, ...]], method: Method) -> dict[str, float]:
    best_s = np.inf
    for _ in range(REPEATS + 1):  # the first one compiles
        dvs = dvs_preset('clean', input_transfer='log', threshold_on=0.3, threshold_off=0.3)
        camera = SimulatedEventCamera(CameraStreamConfig(method=method), dvs)
        cutter, events = EventPacketCutter('mono', 0.02), 0
        started_s = process_time()
        for t_ns, image, depth_m, T in frames:
            light = log_light_from_message(image, LightConfig())
            sensed = camera.push(CameraFrame(t_ns, light, depth_m, T, world.camera))
            events += sum(packet.count for packet in cutter.packets(sensed.events))
        best_s = min(best_s, process_time() - started_s)
    return {
        'cpu_ms_per_frame': 1e3 * best_s / len(frames),
        'real_time_factor_one_core': len(frames) / RATE_HZ / best_s,
        'mev_s': events / len(frames) * RATE_HZ * 1e-6,
        'views_per_frame': camera.stream.counts.views / len(frames),
    }


def _message(pixels: NDArray[np.uint8]) -> SimpleNamespace:
    height, width, channels = pixels.shape
    return SimpleNamespace(
        encoding='rgb8',
        height=height,
        width=width,
        step=width * channels,
        is_bigendian=0,
        data=pixels.tobytes(),
    )
