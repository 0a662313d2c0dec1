# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What can be trained: a task makes its network, its batches, its loss and its validation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from event_perception.config import param

Batch = dict[str, NDArray]
"""Arrays by name, the first axis running over the samples."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a network is trained; what it is trained on belongs to the task."""

    steps: int = param(10_000, 'Steps of the optimiser.', ge=1)
    seed: int = param(0, 'Seed of the weights and of every batch.', ge=0)
    optimiser: Literal['adamw', 'adam'] = param(
        'adamw', 'Adam with weight decay apart from the gradient, or in it.'
    )
    learning_rate: float = param(1e-3, 'Largest learning rate.', ge=0.0, le=10.0)
    beta1: float = param(0.9, 'Memory of the mean gradient.', ge=0.0, le=0.9999)
    beta2: float = param(0.999, 'Memory of the squared gradient.', ge=0.0, le=0.999999)
    weight_decay: float = param(0.01, 'Decay of the weights, per unit of learning rate.', ge=0.0, le=10.0)
    warm_up_steps: int = param(0, 'Steps over which the learning rate rises linearly.', ge=0)
    schedule: Literal['cosine', 'milestones', 'constant'] = param(
        'cosine', 'How the learning rate falls: to 0 over all steps, by a factor at milestones, or not.'
    )
    milestones: tuple[int, ...] = param((), 'Steps at which the learning rate is multiplied.', ge=1)
    milestone_factor: float = param(0.5, 'What it is multiplied by there.', ge=0.0, le=1.0)
    clip_norm: float = param(1.0, 'Largest norm of the gradient; 0: any.', ge=0.0)
    curve_every: int = param(50, 'Steps that one row of the curve averages.', ge=1)
    validate_every: int = param(1000, 'Steps between validations; 0: only at the end.', ge=0)
    checkpoint_every: int = param(500, 'Steps between checkpoints.', ge=1)
    batches_ahead: int = param(2, 'Batches made ahead of need, each in a thread; 0: none.', ge=0, le=64)
    precision: Literal['float32', 'bfloat16'] = param(
        'float32', 'Of the layers: bfloat16 is faster where the processor has it; weights stay float32.'
    )
    deterministic: bool = param(True, 'Whether to ask torch for operations that repeat bit by bit.')


@dataclass(frozen=True, eq=False)
class Validation:
    """How good a network is: numbers, and pictures to look at, float (H, W) or (H, W, 3) in [0, 1]."""

    metrics: dict[str, float]
    images: dict[str, NDArray] = field(default_factory=dict)


class TrainingTask(Protocol):
    """A network to train. Made from its configuration; ``training`` holds the settings that suit it.

    Everything random comes from the generator handed in, and ``batch`` may run in several threads at once: then
    a batch depends on nothing but its step, and a training that was interrupted goes on as if it had not been.
    """

    config_type: ClassVar[type]
    training: ClassVar[Mapping[str, Any]]
    config: Any

    def build(self) -> nn.Module:
        """A new network."""
        ...

    def batch(self, random: np.random.Generator) -> Batch:
        """The samples of one step."""
        ...

    def loss(self, network: nn.Module, batch: dict[str, Tensor], step: int) -> Tensor:
        """What the step is to lower, a scalar; the batch is on the device of the network."""
        ...

    def validate(self, network: nn.Module, device: str) -> Validation:
        """How good the network is on what it was not trained on; always on the same samples."""
        ...
