# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Windows of simulated clips with exact flow, and the scores of a flow field on them.

Four kinds of clips: sideways with occlusion, forward, a slow camera and something that moves on its own, fast turning
and moving; and beside them an own motion that is slower, in the tables but not in their means. Errors are displacements over 50 ms, at the pixels with an event in the 50 ms around the instant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.evaluation.metrics import flow_errors
from event_perception.events import DepthImage, EventArray, EventWindow
from event_perception.motion.camera import CameraModel
from event_perception.simulation import scenes
from event_perception.simulation.sequence import SimulatedSequence

KINDS = ('occl', 'fwd', 'indep', 'gen')
BESIDE = ('indep_slow',)
INSTANTS_MS = (100, 150, 200)
CLIP_S = 0.3
HORIZON_S = 0.05
MASK_HALF_MS = 25
EDGE_PX = 5
DEPTH_STEP = 0.1  # relative jump of depth between neighbours that makes an edge
SPEED_STEP_PX_S = 20.0  # jump of flow between neighbours that makes one

Solver = Callable[['ClipWindow', EventWindow], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class ClipWindow:
    """One instant of a clip with its truth.

    Attributes:
        kind: Of the clip.
        sequence: Where it comes from.
        events: All events of the clip.
        t_ns: The instant.
        truth_px_s: Flow (2, H, W).
        depth: Depth image.
        mask: Pixels that are judged, (H, W).
        near_edge: Pixels within 5 px of an edge of depth or motion.
    """

    kind: str
    sequence: SimulatedSequence
    events: EventArray
    t_ns: int
    truth_px_s: NDArray[np.float32]
    depth: DepthImage
    mask: NDArray[np.bool_]
    near_edge: NDArray[np.bool_]

    @property
    def camera(self) -> CameraModel:
        """Of the clip."""
        return self.sequence.camera

    def window(self, length_s: float) -> EventWindow:
        """Events around the instant."""
        half = round(0.5e9 * length_s)
        t0, t1 = self.t_ns - half, self.t_ns + half
        return EventWindow.from_events(self.events.between(t0, t1), t0_ns=t0, t1_ns=t1)

    def scores(self, flow_px_s: NDArray[np.float32]) -> NDArray[np.float64]:
        """EPE px, AE deg, %3PE over 50 ms at the mask, EPE near edges, and EPE over all pixels."""
        at_events = flow_errors(flow_px_s, self.truth_px_s, self.mask, interval_s=HORIZON_S)
        edge = self.mask & self.near_edge
        near = flow_errors(flow_px_s, self.truth_px_s, edge, interval_s=HORIZON_S) if edge.any() else None
        dense = flow_errors(flow_px_s, self.truth_px_s, np.ones_like(self.mask), interval_s=HORIZON_S)
        return np.array(
            [
                at_events['epe_px'],
                at_events['angular_error_deg'],
                at_events['over_3_px_percent'],
                near['epe_px'] if near else np.nan,
                dense['epe_px'],
            ]
        )


@cache
def clip_windows(kind: str, seed: int, instants_ms: tuple[int, ...] = INSTANTS_MS) -> tuple[ClipWindow, ...]:
    """The windows of one clip; simulated once."""
    sequence = scenes.create(kind, seed=seed, duration_s=CLIP_S)
    events = sequence.events()
    return tuple(_clip_window(kind, sequence, events, ms * 1_000_000) for ms in instants_ms)


def _clip_window(kind: str, sequence: SimulatedSequence, events: EventArray, t_ns: int) -> ClipWindow:
    depth, truth = sequence.depth(t_ns), sequence.flow(t_ns).flow_px_s
    mask = np.zeros(depth.depth_m.shape, bool)
    half_ns = MASK_HALF_MS * 1_000_000
    around = events.between(t_ns - half_ns, t_ns + half_ns)
    mask[around.y, around.x] = True
    return ClipWindow(
        kind, sequence, events, t_ns, truth, depth, mask, near_edges(depth.depth_m, truth, EDGE_PX)
    )


def near_edges(
    depth_m: NDArray[np.float32], flow_px_s: NDArray[np.float32], reach_px: int
) -> NDArray[np.bool_]:
    """Pixels within ``reach_px`` of a jump of depth or of motion, bool (H, W)."""
    jump = np.zeros(depth_m.shape, bool)
    for axis in (0, 1):
        step = np.abs(np.diff(np.log(np.maximum(depth_m, 1e-3)), axis=axis)) > DEPTH_STEP
        step |= np.linalg.norm(np.diff(flow_px_s, axis=axis + 1), axis=0) > SPEED_STEP_PX_S
        first = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        jump[first] |= step
    size = 2 * reach_px + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(jump.astype(np.uint8), kernel), np.uint8) > 0


def score_table(
    solver: Solver,
    *,
    seeds: tuple[int, ...],
    length_s: float = 0.05,
    instants_ms: tuple[int, ...] = INSTANTS_MS,
    kinds: tuple[str, ...] = KINDS,
) -> dict[str, NDArray[np.float64]]:
    """Mean scores of a method by kind of clip, see ``ClipWindow.scores``."""
    table = {}
    for kind in kinds:
        clips = [clip for seed in seeds for clip in clip_windows(kind, seed, instants_ms)]
        table[kind] = np.nanmean([clip.scores(solver(clip, clip.window(length_s))) for clip in clips], axis=0)
    return table


def mean_epe(table: dict[str, NDArray[np.float64]]) -> float:
    """Mean over the kinds of the EPE at event pixels, px."""
    return float(np.mean([table[kind][0] for kind in KINDS]))
