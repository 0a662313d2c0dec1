# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How fast images come from events, beside the least that any such method must do, and how good they are."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np
from numba import njit

from event_perception import images
from event_perception.evaluation.tags import SampleSource, tag_score
from event_perception.events import EventArray, EventWindow, FrameImage, concatenate
from event_perception.flow.affine import AffineFlow
from event_perception.flow.motion_field import MotionField
from event_perception.images.flow_track import ideal_camera
from event_perception.io import open_recording
from event_perception.motion.camera import CameraModel

RECORDING = Path(__file__).resolve().parent.parent / 'recordings' / 'apriltags'
REPEATS = 9
PERIOD_NS = 10_000_000


def bench_images() -> dict[str, Any]:
    """Times of the event filters and of flow from egomotion, and tags read in the bundled recording."""
    recording = open_recording(RECORDING)
    events = concatenate([part for part in recording.samples() if isinstance(part, EventArray)])
    bare_ns = _bare_loop_ns(events)
    return {
        'events': len(events),
        'bare_loop_ns_per_event': bare_ns,
        'highpass': _filter('highpass', events, bare_ns),
        'complementary': _filter('complementary', events, bare_ns),
        'flow_from_egomotion_ms': _flow_ms(events),
        'gradient': _gradient_ms(events),
        'tags': _tags(recording),
    }


def _tags(recording: SampleSource) -> dict[str, Any]:
    """Tags read in the images of each method, and the worst instant of `gradient` beside `highpass`."""
    highpass, gradient = tag_score(recording, 'highpass'), tag_score(recording, 'gradient')
    late = tag_score(recording, 'gradient', latency_s=0.02)
    return {
        'detector': f'OpenCV {cv2.__version__}',
        'highpass': highpass.summary(),
        'gradient': gradient.summary()
        | {'fewest_more_than_highpass': int((gradient.count - highpass.count).min())},
        'gradient_20_ms_late': late.summary(),
    }


def _gradient_ms(events: EventArray) -> dict[str, float]:
    """Medians over the images of one pass at 100 Hz: with the flow inside, and without its share.

    CPU time of all threads: what else the machine does hardly adds to it.
    """
    reconstructor = images.create('gradient', height=events.height, width=events.width)
    start_ns, done, frame_s, flow_s = int(events.t_ns[0]), 0, [], []
    estimator = AffineFlow(None, ideal_camera(events.height, events.width))
    for k in range(1, int((events.t_ns[-1] - start_ns) // PERIOD_NS)):
        t_ns = start_ns + k * PERIOD_NS
        stop = int(np.searchsorted(events.t_ns, t_ns))
        window = EventWindow.from_events(events[done:stop], t0_ns=t_ns - PERIOD_NS, t1_ns=t_ns)
        begin = process_time()
        estimator.update(window)
        middle = process_time()
        reconstructor.push(events[done:stop])
        reconstructor.image(t_ns)
        frame_s.append(process_time() - middle)
        flow_s.append(middle - begin)
        done = stop
    with_flow, alone = np.array(frame_s[1:]) * 1e3, np.array(frame_s[1:]) * 1e3 - np.array(flow_s[1:]) * 1e3
    return {
        'image_with_flow_ms': float(np.median(with_flow)),
        'image_with_flow_p95_ms': float(np.percentile(with_flow, 95)),
        'image_without_flow_ms': float(np.median(alone)),
        'flow_ms': float(np.median(flow_s[1:])) * 1e3,
    }


def _filter(name: str, events: EventArray, bare_ns: float) -> dict[str, float]:
    reconstructor = images.create(name, height=events.height, width=events.width)
    if name == 'complementary':
        frame = np.full((events.height, events.width), 0.5, np.float32)
        reconstructor.push(FrameImage(int(events.t_ns[0]), frame))
    # From the second push on, time steps back and the filter starts again: that costs next to nothing.
    push_ns = _fastest_s(lambda: reconstructor.push(events)) / len(events) * 1e9
    end_ns = int(events.t_ns[-1])
    return {
        'ns_per_event': push_ns,
        'times_bare_loop': push_ns / bare_ns,
        'image_ms': _fastest_s(lambda: reconstructor.image(end_ns)) * 1e3,
    }


def _bare_loop_ns(events: EventArray) -> float:
    image = np.zeros((events.height, events.width), np.float32)
    return _fastest_s(lambda: _add(events.x, events.y, events.p, image)) / len(events) * 1e9


def _flow_ms(events: EventArray) -> float:
    camera = CameraModel(
        300.0, 300.0, events.width / 2, events.height / 2, height=events.height, width=events.width
    )
    field = MotionField(None, camera)
    return _fastest_s(lambda: field.rotational(np.array([0.1, 0.2, 0.3]))) * 1e3


def _fastest_s(function: Callable[[], Any]) -> float:
    """The least of several runs: what else the machine does can only add."""
    function()
    best = float('inf')
    for _ in range(REPEATS):
        start = perf_counter()
        function()
        best = min(best, perf_counter() - start)
    return best


@njit(cache=True, nogil=True)
def _add(x, y, p, image):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        image[y[i], x[i]] += p[i]
