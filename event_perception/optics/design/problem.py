# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a design problem has to provide, and the settings of the loop that solves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor

from event_perception.config import param

Values = dict[str, Tensor]
"""Design variables by name."""

Picture = tuple[bytes | str, str]
"""PNG bytes or SVG text, and its caption."""


@dataclass(frozen=True, slots=True)
class DesignLoopConfig:
    """How a design is optimised; what is designed belongs to the problem."""

    steps: int = param(200, 'Steps of Adam.', ge=1)
    learning_rate: float = param(1.0, 'Step of a variable, in units of its own rate.', ge=0.0, le=1e3)
    schedule: Literal['cosine', 'constant'] = param('cosine', 'Whether the step falls to 0 over all steps.')
    clip_norm: float = param(0.0, 'Largest norm of the scaled gradient; 0: any.', ge=0.0)
    keep: Literal['best', 'last'] = param('best', 'Result: values of the lowest loss, or of the last step.')
    checkpoint_every: int = param(20, 'Steps between checkpoints.', ge=1)
    rejections: int = param(20, 'Impossible steps (all rays lost, ...) to halve before giving up.', ge=0)
    threads: int = param(1, 'Threads of torch; more wait for each other in small problems.', ge=1, le=256)
    seed: int = param(0, 'Seed of torch at every step, together with its number.', ge=0)


@dataclass(frozen=True, eq=False)
class Assessment:
    """How good a design is, on what does not enter the gradient: numbers, and pictures for the report."""

    figures: dict[str, float]
    pictures: list[Picture] = field(default_factory=list)


class DesignProblem(Protocol):
    """Something to design. Made from its configuration; ``loop`` holds the settings that suit it."""

    config_type: ClassVar[type]
    loop: ClassVar[Mapping[str, Any]]
    config: Any

    def start(self) -> Values:
        """Values to begin with, without gradient."""
        ...

    def rates(self) -> dict[str, Tensor | float]:
        """Step that suits each variable, in its own unit; elementwise, 0 to keep an element fixed."""
        ...

    def loss(self, values: Values, step: int) -> tuple[Tensor, dict[str, float]]:
        """What is to be lowered, attached to the values, and figures for the history.

        Raises:
            DataError: If the values are impossible; the loop then takes half the step.
        """
        ...

    def project(self, values: Values) -> Values:
        """The nearest allowed values; called after every step, without gradient."""
        ...

    def assess(self, values: Values) -> Assessment:
        """Figures and pictures of a design, for the start and for the result."""
        ...
