# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from events: accuracy on clips with exact truth, and speed beside torch autograd, in one process on one thread.

The whole set of tables is made by ``evaluation.flow_study``; this is its short form.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from time import perf_counter, process_time
from typing import Any

from event_perception.evaluation import flow_methods as methods
from event_perception.evaluation.bench_egomotion import one_torch_thread
from event_perception.evaluation.flow_weak_study import EVENTS, joint_outcome, newton_outcome, study_windows
from event_perception.evaluation.flow_windows import (
    HORIZON_S,
    ClipWindow,
    clip_windows,
    mean_epe,
    score_table,
)
from event_perception.events import EventWindow
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.joint import JointField, refine
from event_perception.flow.network_config import NetworkFlowConfig
from event_perception.flow.pyramid import REACH
from event_perception.flow.tiles import TileFlow
from event_perception.flow.tiles_config import TilesConfig

SEEDS = (0,)
INSTANTS_MS = (150,)
REPEATS = 15
UPDATE_STEP_NS = 5_000_000
AUTOGRAD_BIN_PX, AUTOGRAD_COUPLING = 1.5, 0.3


def bench_flow() -> dict[str, Any]:
    """Accuracy and speed.

    Returns:
        ``accuracy``: mean EPE, px over the horizon, by method. ``speed``: a cold window of 30 000 events, the same
        objective in torch with L-BFGS-B, and their ratio; a warm window in ms of CPU time and Mev/s, by itself and as
        ``update`` does it, with selection and the dense field. ``network``: a window of the compact network.
    """
    clip = clip_windows('occl', SEEDS[0])[1]
    with one_torch_thread():
        return {'accuracy': _accuracy(), 'speed': _cold() | _warm(clip), 'network': _network(clip)}


def _accuracy() -> dict[str, Any]:
    solvers = {
        'zero': methods.zero,
        'simple tiles': methods.simple_tiles,
        'joint field, selection': methods.joint(),
        'window sized by displacement': methods.sized(),
        'depth and linear egomotion': methods.egomotion_flow(residual=False),
    }
    epe = {
        name: mean_epe(score_table(s, seeds=SEEDS, instants_ms=INSTANTS_MS)) for name, s in solvers.items()
    }
    return {
        'horizon_s': HORIZON_S,
        'epe_px': epe,
        'over_simple_tiles': epe['joint field, selection'] / epe['simple tiles'],
    }


def _cold() -> dict[str, Any]:
    windows = study_windows(SEEDS)
    torch = joint_outcome(windows, None, AUTOGRAD_BIN_PX, AUTOGRAD_COUPLING)
    ours = min((newton_outcome(windows) for _ in range(3)), key=lambda outcome: outcome.ms)
    return {
        'events': EVENTS,
        'cold': asdict(ours),
        'autograd': asdict(torch),
        'autograd_over_ours': torch.ms / ours.ms,
    }


def _warm(clip: ClipWindow) -> dict[str, float]:
    """The least CPU time of a warm window: refinement alone, from the field of the same window, and with all of update."""
    config = TilesConfig()
    events = FlowEvents.of(clip.window(0.05), EVENTS)
    grid = NodeGrid(events.height, events.width, config.joint.spacing_px)
    start = methods.cold_refined(events, config)[1].q
    reach = REACH * config.max_speed_px_s * events.half_s
    update = _least_s(_updates(clip))

    def refined() -> None:
        objective = JointField(events, grid, bin_px=config.joint.bin_px, reach_px=reach)
        refine(objective, start, config.joint.warm_iterations, config)

    warm = _least_s([refined] * REPEATS)
    return {
        'warm_cpu_ms': 1e3 * warm,
        'warm_mev_s': len(events) / warm * 1e-6,
        'update_cpu_ms': 1e3 * update,
    }


def _network(clip: ClipWindow) -> dict[str, float]:
    """The compact network, least of several windows: CPU time on one thread, and by the clock on one and two threads."""
    from event_perception.flow.network_flow import NetworkFlow

    calls = _later(clip)
    out: dict[str, float] = {}
    for threads in (1, 2):
        estimator = NetworkFlow(NetworkFlowConfig(max_events=EVENTS, threads=threads), clip.camera)
        wall = _least_s([partial(estimator.update, window) for window in calls], perf_counter)
        out |= {f'wall_ms_{threads}_threads': 1e3 * wall, f'hz_{threads}_threads': 1 / wall}
        if threads == 1:
            out['cpu_ms'] = 1e3 * _least_s([partial(estimator.update, window) for window in calls])
    return out


def _updates(clip: ClipWindow) -> list[Callable[[], object]]:
    """Windows a few ms apart through one estimator: the first is cold, the rest are warm, selection included."""
    estimator = TileFlow(TilesConfig(max_events=EVENTS), clip.camera)
    return [partial(estimator.update, window) for window in _later(clip)]


def _later(clip: ClipWindow) -> list[EventWindow]:
    return [replace(clip, t_ns=clip.t_ns + k * UPDATE_STEP_NS).window(0.05) for k in range(REPEATS)]


def _least_s(calls: Sequence[Callable[[], object]], clock: Callable[[], float] = process_time) -> float:
    """Least time of a call; other processes do not count in the CPU time that the clock tells by default."""
    times = []
    for call in calls:
        begin = clock()
        call()
        times.append(clock() - begin)
    return min(times)
