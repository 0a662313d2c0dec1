# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A training as a value: which task, and every parameter of the task and of the loop."""

from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

import yaml

from event_perception.config import flat_to_nested, flatten, nested_to_flat, parse, update
from event_perception.errors import ConfigError, PluginError
from event_perception.learning import TASKS
from event_perception.learning.task import TrainingConfig, TrainingTask


@dataclass(frozen=True)
class TrainingPlan:
    """A task with its name and how it is to be trained."""

    name: str
    task: TrainingTask
    training: TrainingConfig

    def to_yaml(self) -> str:
        """The plan as the text of ``config.yaml``; ``read_plan`` reads it back."""
        tree = {
            'name': self.name,
            'training': flat_to_nested(flatten(self.training)),
            'task': flat_to_nested(flatten(self.task.config)),
        }
        return yaml.safe_dump(tree, sort_keys=False)


def make_plan(name: str, file: Path | None = None, assignments: Sequence[str] = ()) -> TrainingPlan:
    """The defaults of a task, changed by a file, then by ``training.name=value`` and ``task.name=value``.

    Raises:
        PluginError: If there is no such task.
        ConfigError: If a parameter is unknown or not allowed, or the file belongs to another task.
    """
    task_type = _task_type(name)
    defaults = update(TrainingConfig(), task_type.training)
    both = make_dataclass(
        'Plan', [('training', TrainingConfig), ('task', task_type.config_type)], frozen=True, slots=True
    )
    plan: Any = both(defaults, task_type.config_type())
    if file is not None:
        plan = update(plan, _flat(file, name))
    plan = update(plan, dict(parse(both, text) for text in assignments))
    return TrainingPlan(name, task_type(plan.task), plan.training)


def read_plan(file: Path, assignments: Sequence[str] = ()) -> TrainingPlan:
    """A plan from a ``config.yaml`` that names its task.

    Raises:
        ConfigError: If the file is none, or a parameter is unknown or not allowed.
    """
    return make_plan(str(_tree(file).get('name', '')), file, assignments)


def _task_type(name: str) -> Any:
    try:
        return TASKS.load(name)
    except PluginError as error:
        methods = [known for known in TASKS.names() if known.startswith(f'{name.partition(".")[0]}.')]
        hint = f'; methods of {name.partition(".")[0]!r}: {methods}' if methods else ''
        raise PluginError(f'{error}{hint}') from error


def _tree(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ConfigError(f'{file} is not YAML: {error}') from error
    if not isinstance(tree, dict):
        raise ConfigError(f'{file} holds a {type(tree).__name__}; expected names and values')
    return tree


def _flat(file: Path, name: str) -> dict[str, Any]:
    tree = _tree(file)
    written_for = tree.pop('name', name)
    if written_for != name:
        raise ConfigError(f'{file} configures {written_for!r}, not {name!r}; give the file of this task')
    return nested_to_flat(tree)
