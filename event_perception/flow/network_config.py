# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What can be set about flow by a network; apart from it, so that reading the parameters does not load torch."""

from dataclasses import dataclass

from event_perception.config import param


@dataclass(frozen=True, slots=True)
class NetworkFlowConfig:
    """Which network, and what it is given."""

    weights: str = param(
        '',
        'File of weights written by `event-perception train flow`, or a published one of E-RAFT (.pth, .tar); empty: the '
        'small network that comes with the package.',
    )
    max_events: int = param(30_000, 'Events of a window; more are thinned out at random.', ge=100)
    min_events: int = param(500, 'Windows of fewer events give no flow.', ge=1)
    reach_px: int = param(8, 'Flow is valid up to so far from an event, px.', ge=0, le=500)
    max_gap_s: float = param(0.2, 'After a longer gap between windows the network forgets, seconds.', ge=0.0)
    threads: int = param(1, 'Threads of the network on a CPU.', ge=1, le=256)
    device: str = param('cpu', 'cpu or cuda.')
