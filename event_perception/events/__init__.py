# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events and spikes as arrays, and the windows that they are cut into."""

from event_perception.events.event_array import EventArray, concatenate
from event_perception.events.plane_layout import PlaneLayout
from event_perception.events.samples import DepthImage, FrameImage, ImuSample, TwistPrior
from event_perception.events.slicer import SlicerCounts, WindowConfig, WindowSlicer
from event_perception.events.spike_stream import SpikeStream
from event_perception.events.window import EventWindow

__all__ = [
    'DepthImage',
    'EventArray',
    'EventWindow',
    'FrameImage',
    'ImuSample',
    'PlaneLayout',
    'SlicerCounts',
    'SpikeStream',
    'TwistPrior',
    'WindowConfig',
    'WindowSlicer',
    'concatenate',
]
