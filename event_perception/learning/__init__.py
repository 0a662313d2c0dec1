# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Training of networks: tasks by name, one loop, checkpoints. The networks live beside what they are for."""

from event_perception.registry import Registry

__all__ = ['TASKS']

TASKS = Registry(
    'training_task',
    {},
)
"""What `event-perception train TASK --method METHOD` knows, as 'TASK.METHOD'; see ``task.TrainingTask``."""
