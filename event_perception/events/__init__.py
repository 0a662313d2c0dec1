# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events and spikes as arrays, and the windows that they are cut into."""

from event_perception.events.event_array import EventArray, concatenate
from event_perception.events.samples import DepthImage, FrameImage, ImuSample, TwistPrior
from event_perception.events.slicer import SlicerCounts, WindowConfig, WindowSlicer
from event_perception.events.window import EventWindow

__all__ = [
    'DepthImage',
    'EventArray',
    'EventWindow',
    'FrameImage',
    'ImuSample',
    'SlicerCounts',
    'TwistPrior',
    'WindowConfig',
    'WindowSlicer',
    'concatenate',
]
