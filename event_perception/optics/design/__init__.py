# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Designs by gradient: a problem says what is chosen and what it costs; one loop, one folder, one report for all.

A new design is a class with the methods of ``problem.DesignProblem`` and a line here.
"""

from event_perception.registry import Registry

DESIGNS = Registry(
    'design',
    {
        'chain': 'event_perception.optics.design.chain:ChainDesign',
        'lens': 'event_perception.optics.design.lens:LensDesign',
        'mount': 'event_perception.optics.design.mount:MountDesign',
    },
)
