# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compile every kernel before the first message: compilation takes seconds, in which a stream would pile up."""

import numpy as np

from event_perception.events import EventArray, SpikeStream
from event_perception.io.codecs import decoders
from event_perception.io.decode import decode_event_packet
from event_perception.motion import CameraModel
from event_perception.odometry import ODOMETRIES
from event_perception.pipeline import Pipeline
from event_perception.pipeline_config import PipelineConfig

HEIGHT, WIDTH = 48, 64
N_EVENTS = 5000
PAYLOAD = bytes(64)


def warm_up(config: PipelineConfig) -> None:
    """Decode nothing in every encoding, and send some noise through a pipeline of this kind."""
    for encoding in decoders.names():
        decode_event_packet(encoding, PAYLOAD, height=HEIGHT, width=WIDTH)
    camera = CameraModel(fx=50.0, fy=50.0, cx=31.5, cy=23.5, height=HEIGHT, width=WIDTH)
    pipeline = Pipeline(config, camera)
    pipeline.active |= {'warped'}
    pipeline.push(_noise(config))
    pipeline.push(_spike_noise(config))
    pipeline.finish()
    # what noise does not reach
    more = getattr(ODOMETRIES.load(config.odometry.method), 'warm_up', None)
    if more is not None:
        more(camera)


def _spike_noise(config: PipelineConfig) -> SpikeStream:
    """Planes that one image can be made of; those to come are missing, which all methods can do with."""
    bits = np.random.default_rng(0).random((64, HEIGHT, WIDTH)) < 0.3
    gain = 0.6  # in case that the scale is to be that of the stream
    period_ns = round(1e9 * config.images.period_s / len(bits))
    return SpikeStream(bits, height=HEIGHT, width=WIDTH, plane_period_ns=period_ns, gain=gain)


def _noise(config: PipelineConfig) -> EventArray:
    rng = np.random.default_rng(0)
    span_ns = round(3e9 * max(config.window.duration_s, config.images.period_s))
    return EventArray(
        np.sort(rng.integers(0, span_ns, N_EVENTS)),
        rng.integers(0, WIDTH, N_EVENTS),
        rng.integers(0, HEIGHT, N_EVENTS),
        rng.choice([-1, 1], N_EVENTS),
        height=HEIGHT,
        width=WIDTH,
    )
