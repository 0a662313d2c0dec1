# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow on excerpts of the Event Camera Dataset (Mueggler et al., IJRR 2017), where there is no flow truth to judge size.

Judged are the direction, where the motion tells it (a slider that moves sideways; rotations with a gyroscope), and
the gain of contrast.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation.flow_warp import flow_warp_gain
from event_perception.events import EventArray, EventWindow, concatenate
from event_perception.flow.motion_field import MotionField
from event_perception.flow.tiles import TileFlow
from event_perception.flow.tiles_config import TilesConfig
from event_perception.io import open_recording
from event_perception.motion.camera import CameraModel
from event_perception.motion.result import EgomotionResult

SLIDER = 'ecd_slider_depth_chunk'
ROTATIONS = ('ecd_rotation_gt/boxes_rotation', 'ecd_rotation_gt/shapes_rotation')
EXCERPTS = (
    'ecd_excerpts/boxes_translation',
    'ecd_excerpts/dynamic_translation',
    'ecd_excerpts/shapes_rotation',
)
LEFT = np.array([-1.0, 0.0])
WITHIN_DEG = 10.0
MOST = 10**8


def recorded(folder: Path) -> tuple[EventArray, CameraModel]:
    """Events and camera of an excerpt.

    Raises:
        DataError: If it has no calibration.
    """
    recording = open_recording(folder)
    camera = recording.camera()
    if camera is None:
        raise DataError(f'{folder} holds no calibration')
    return concatenate([s for s in recording.samples() if isinstance(s, EventArray)]).sorted(), camera


def slider_figures(folder: Path, length_s: float) -> dict[str, float]:
    """Share of event pixels whose flow points left within 10 deg, and FWL; means over overlapping windows."""
    events, camera = recorded(folder)
    rows = []
    for window in overlapping(events, length_s):
        field = TileFlow(TilesConfig(max_events=MOST), camera).update(window)
        angle = angles_deg(field.flow_px_s, np.broadcast_to(LEFT[:, None, None], field.flow_px_s.shape))
        seen = _seen(window) & field.valid
        rows.append(
            (100 * float(np.mean(angle[seen] <= WITHIN_DEG)), flow_warp_gain(window, field.flow_px_s))
        )
    share, gain = np.mean(rows, axis=0)
    return {'within_10_deg_percent': float(share), 'fwl': float(gain), 'windows': len(rows)}


def excerpt_figures(folder: Path) -> dict[str, float]:
    """FWL of a whole excerpt; with motion.txt (a mean rate) also the median angle to the flow that it gives."""
    events, camera = recorded(folder)
    window = EventWindow.from_events(events)
    field = TileFlow(TilesConfig(max_events=MOST), camera).update(window)
    figures = {'duration_ms': 1e3 * window.duration_s, 'fwl': flow_warp_gain(window, field.flow_px_s)}
    if (folder / 'motion.txt').is_file():
        omega = np.loadtxt(folder / 'motion.txt').ravel()
        turning = EgomotionResult(0, 0, 0, omega, np.full(3, np.nan), np.eye(6), True, 'gyroscope', 0, 0, 1.0)
        truth = MotionField(None, camera).update(window, turning)
        seen = _seen(window) & field.valid & truth.valid
        figures['direction_median_deg'] = float(np.median(angles_deg(field.flow_px_s, truth.flow_px_s)[seen]))
        figures['gyro_fwl'] = flow_warp_gain(window, truth.flow_px_s)
    return figures


def overlapping(events: EventArray, length_s: float) -> list[EventWindow]:
    """Windows of this length, each half a length after the one before, so that nearly all of an excerpt is judged."""
    length, t0 = round(length_s * 1e9), int(events.t_ns[0])
    starts = range(t0, int(events.t_ns[-1]) - length + 1, length // 2)
    bounds = [(start, start + length) for start in starts]
    return [EventWindow.from_events(events.between(a, b), t0_ns=a, t1_ns=b) for a, b in bounds]


def angles_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Angle between two fields (2, H, W) at each pixel."""
    cross, dot = a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]
    return np.asarray(np.degrees(np.abs(np.arctan2(cross, dot))), np.float64)


def _seen(window: EventWindow) -> NDArray[np.bool_]:
    mask = np.zeros((window.height, window.width), bool)
    mask[window.y, window.x] = True
    return mask


def real_table(data: Path) -> Iterator[str]:
    """Markdown lines for all excerpts that the folder holds."""
    yield '| excerpt | figures |'
    yield '|-|-|'
    for length_s in (0.05, 0.1):
        if (data / SLIDER).is_dir():
            figures = slider_figures(data / SLIDER, length_s)
            yield f'| slider, {1e3 * length_s:.0f} ms | {_text(figures)} |'
    for name in (*ROTATIONS, *EXCERPTS):
        if (data / name).is_dir():
            yield f'| {name.split("/")[1]} | {_text(excerpt_figures(data / name))} |'


def _text(figures: dict[str, float]) -> str:
    return ', '.join(f'{name} {value:.4g}' for name, value in figures.items())
