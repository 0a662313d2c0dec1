# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Objectives: how sharp an image of warped events is, one number; all are minimised."""

from event_perception.motion.objectives.base import Objective
from event_perception.registry import Registry

OBJECTIVES = Registry(
    'objectives',
    {
        'gradient_magnitude': 'event_perception.motion.objectives.gradient_magnitude:GradientMagnitude',
        'mean_square': 'event_perception.motion.objectives.mean_square:MeanSquare',
        'negative_binomial': 'event_perception.motion.objectives.negative_binomial:NegativeBinomial',
        'variance': 'event_perception.motion.objectives.variance:Variance',
    },
)

__all__ = ['OBJECTIVES', 'Objective']
