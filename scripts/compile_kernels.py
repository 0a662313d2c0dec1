# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiles the kernels of the nodes into numba's cache on disk, so that tests do not wait for a compiler."""

import numpy as np

from event_perception import images
from event_perception.config import build
from event_perception.events import SpikeStream
from event_perception.nodes.sim_config import SIMULATOR_DEFAULTS, SimulatorConfig
from event_perception.nodes.warm_up import warm_up as warm_up_pipeline
from event_perception.pipeline_config import ImagesStageConfig, PipelineConfig
from event_perception.simulation import scenes
from event_perception.simulation.warm_up import warm_up as warm_up_camera


def main() -> None:
    """Perception, the simulated camera, and the scenes of the stand-in."""
    warm_up_pipeline(PipelineConfig())
    for method in ('tiles', 'residual'):
        warm_up_pipeline(build(PipelineConfig, {'stages': ('flow',), 'flow.method': method}))
    for method in ('rotation_slam', 'depth_slam', 'monocular'):
        warm_up_pipeline(build(PipelineConfig, {'odometry.method': method}))
    warm_up_pipeline(PipelineConfig(images=ImagesStageConfig(method='gradient')))
    warm_up_spikes()
    simulator = build(SimulatorConfig, SIMULATOR_DEFAULTS)
    warm_up_camera(simulator.stream, simulator.dvs, simulator.encoding, None)
    sequence = scenes.create('room', seed=0, duration_s=0.02)
    sequence.image(0)
    sequence.depth(0)
    sequence.flow(0)
    sequence.events()


def warm_up_spikes() -> None:
    """An image of a few planes by the methods whose kernels take longest."""
    bits = np.random.default_rng(0).random((64, 32, 32)) < 0.3
    planes = SpikeStream(bits, height=32, width=32, plane_period_ns=50_000)
    for method in ('ati', 'compact'):
        reconstructor = images.create(method, height=32, width=32)
        reconstructor.push(planes)
        reconstructor.image(32 * planes.plane_period_ns)


if __name__ == '__main__':
    main()
