# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of flow by contrast maximisation."""

from dataclasses import dataclass
from typing import Literal

from event_perception.config import param


@dataclass(frozen=True, slots=True)
class NewtonStepConfig:
    """Newton's method in a tile. Lengths in bins are displacements at the end of the window."""

    trust_bins: float = param(1.5, 'Longest step, bins.', ge=0.01, le=100.0)
    tolerance_bins: float = param(0.03, 'A shorter step ends the search, bins.', ge=1e-4, le=10.0)
    eigenvalue_floor: float = param(
        0.03, 'Smallest curvature assumed, as a fraction of the largest.', ge=1e-6, le=1.0
    )
    reject_worsening: float = param(
        0.002, 'A step is undone if the focus falls by more than this fraction.', ge=0.0, le=1.0
    )
    max_evaluations: int = param(12, 'Most evaluations of a tile on one level.', ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class CouplingConfig:
    """How neighbours pull at each other."""

    strength: float = param(
        0.3, 'Weight of neighbours, in units of the median curvature; 0: none.', ge=0.0, le=100.0
    )
    scale_px_s: float = param(
        30.0, 'Difference of velocities that still pulls at half strength, px/s.', ge=0.1
    )
    power: float = param(
        1.0,
        'How the pull falls with the difference: 1 lets go of other motions, 0.5 pulls as a distance does, 0 as a '
        'square.',
        ge=0.0,
        le=2.0,
    )
    sweeps: int = param(20, 'Gauss-Seidel sweeps over the tiles of a level.', ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class JointConfig:
    """Refinement of all nodes at once, over one image."""

    spacing_px: int = param(12, 'Distance of the nodes, px.', ge=4, le=256)
    bin_px: float = param(
        1.5, 'Side of a bin, px; 1 locks slow motion to the pixel lattice.', ge=0.5, le=16.0
    )
    iterations: int = param(8, 'Newton steps from a cold start.', ge=0, le=100)
    warm_iterations: int = param(4, 'Newton steps from the field of the window before.', ge=1, le=100)
    relaxation: float = param(0.7, 'Share of a Newton step that is taken.', ge=0.05, le=1.0)
    coupling: float = param(
        0.5,
        'Weight of neighbours where the image moves by `displacement_px`, in units of the median curvature; 0: none.',
        ge=0.0,
        le=100.0,
    )
    displacement_px: float = param(
        8.0,
        'Median motion over the window at which `coupling` holds; it falls as motion grows and nodes know more, px.',
        ge=0.1,
        le=1000.0,
    )
    scale_px: float = param(
        1.5, 'Difference of motions over the window that still pulls at half strength, px.', ge=0.01
    )
    evenness: float = param(
        0.5,
        'How much nodes of thin texture are held as firmly as busy ones: 0 by their curvature, 1 all alike.',
        ge=0.0,
        le=1.0,
    )
    sweeps: int = param(10, 'Gauss-Seidel sweeps after each step.', ge=1, le=1000)
    min_weight: float = param(
        8.0, 'Events, weighted by nearness, that a node must have for its flow to be valid.', ge=0.0
    )
    min_coincidence: float = param(
        4.0,
        'How far events around a node must meet more often than noise would, standard errors, for its flow to be valid.',
    )


@dataclass(frozen=True, slots=True)
class SelectionConfig:
    """At the edge of an object, each small cell may take the motion of either side."""

    enabled: bool = param(True, 'Whether cells choose among the motions around them.')
    spacing_px: int = param(8, 'Distance of the cells, px.', ge=2, le=128)
    window_px: int = param(10, 'Side of the window that a cell judges by, px.', ge=2, le=256)
    min_events: int = param(4, 'A motion must bring this many events into the window of a cell.', ge=1)
    bonus: float = param(0.05, 'By what fraction the focus must be higher to change.', ge=0.0, le=10.0)
    gate: float = param(
        0.5,
        'Cells choose only where the motions around differ by more than this times the median speed.',
        ge=0.0,
        le=100.0,
    )


@dataclass(frozen=True, slots=True)
class RestartConfig:
    """When the field of the window before is not trusted as a start."""

    period_s: float = param(1.0, 'Longest time between two cold starts, seconds.', ge=0.0, le=3600.0)
    gap_s: float = param(0.2, 'A pause between windows that asks for a cold start, seconds.', ge=0.0)
    focus_drop: float = param(
        0.9, 'Gain of focus, against its running mean, below which to start cold.', ge=0.0, le=1.0
    )
    lengthened: float = param(
        1.5, 'Start cold if the window is that much longer than at the last cold start: it may have shown too little.',
        ge=1.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TilesConfig:
    """What flow by contrast maximisation in tiles accepts."""

    focus: Literal['gradient', 'variance'] = param(
        'gradient', 'What is maximised: squared gradient magnitude, or variance, of the image of events.'
    )
    max_speed_px_s: float = param(500.0, 'Fastest motion of a cold start, px/s.', ge=1.0, le=1e5)
    min_events: int = param(40, 'Tiles with fewer events follow their neighbours.', ge=1)
    max_events: int = param(
        30_000, 'Most events used of a window, chosen at random: they bound the time it takes.', ge=100
    )
    confidence_px_s: float = param(30.0, 'Error to expect at which confidence is one half, px/s.', ge=0.01)
    newton: NewtonStepConfig = NewtonStepConfig()
    coupling: CouplingConfig = CouplingConfig()
    joint: JointConfig = JointConfig()
    selection: SelectionConfig = SelectionConfig()
    restart: RestartConfig = RestartConfig()
