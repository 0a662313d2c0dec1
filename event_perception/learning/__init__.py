# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Training of networks: tasks by name, one loop, checkpoints. The networks live beside what they are for."""

from event_perception.registry import Registry

__all__ = ['TASKS']

TASKS = Registry(
    'training_task',
    {
        'spikes.compact': 'event_perception.learning.spikes_compact:CompactTask',
        'spikes.ssml': 'event_perception.learning.spikes_ssml:SsmlTask',
        'spikes.stir': 'event_perception.learning.spikes_stir:StirTask',
        'flow.correlation': 'event_perception.learning.flow_tasks:CorrelationFlowTask',
        'flow.hybrid': 'event_perception.learning.flow_tasks:HybridFlowTask',
        'flow.recurrent': 'event_perception.learning.flow_tasks:RecurrentFlowTask',
    },
)
"""What `event-perception train TASK --method METHOD` knows, as 'TASK.METHOD'; see ``task.TrainingTask``."""
