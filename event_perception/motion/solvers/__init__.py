# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Solvers: ways to the minimum of an objective that jumps a little."""

from event_perception.motion.solvers.base import Solver
from event_perception.registry import Registry

SOLVERS = Registry(
    'solvers',
    {
        'adam': 'event_perception.motion.solvers.adam:Adam',
        'lbfgsb': 'event_perception.motion.solvers.lbfgsb:Lbfgsb',
        'newton': 'event_perception.motion.solvers.newton:Newton',
    },
)

__all__ = ['SOLVERS', 'Solver']
