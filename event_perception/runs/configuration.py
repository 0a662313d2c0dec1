# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters from files and flags, and the texts that list them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from event_perception.config import (
    build,
    flat_to_nested,
    flatten,
    markdown,
    nested_to_flat,
    parse,
)
from event_perception.errors import ConfigError
from event_perception.pipeline_config import PipelineConfig

ROS_PARAMETERS = 'ros__parameters'


def load_config(file: Path | None, assignments: Sequence[str], stages: str | None = None) -> PipelineConfig:
    """Parameters from a YAML file, then from ``name=value`` texts, then the stages.

    Args:
        file: A plain tree of parameters or a ROS parameter file; None for the defaults.
        assignments: Texts such as ``window.duration_s=0.01``.
        stages: Comma-separated names.

    Raises:
        ConfigError: If the file is no mapping, or a name or value is not allowed.
    """
    flat: dict[str, Any] = {} if file is None else read_flat(file)
    flat |= dict(parse(PipelineConfig, text) for text in assignments)
    if stages is not None:
        flat['stages'] = [name.strip() for name in stages.split(',') if name.strip()]
    return build(PipelineConfig, flat)


def read_flat(file: Path) -> dict[str, Any]:
    """Dotted names and values of a YAML file; of a ROS parameter file, the branch of its first node.

    Raises:
        ConfigError: If the file cannot be parsed or holds no mapping.
    """
    try:
        tree = yaml.safe_load(file.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ConfigError(f'{file} is not YAML: {error}') from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f'{file} holds a {type(tree).__name__}; expected names and values')
    for branch in tree.values():
        if isinstance(branch, dict) and ROS_PARAMETERS in branch:
            return nested_to_flat(branch[ROS_PARAMETERS])
    return nested_to_flat(tree)


def parameters_text(branch: str | None = None, style: str | None = None) -> str:
    """All parameters, or one branch: a table, a plain YAML tree or a ROS parameter file.

    Raises:
        ConfigError: If there is no such branch.
    """
    flat = flatten(PipelineConfig())
    chosen = {n: v for n, v in flat.items() if branch is None or n == branch or n.startswith(f'{branch}.')}
    if not chosen:
        branches = sorted({name.partition('.')[0] for name in flat})
        raise ConfigError(f'no parameters under {branch!r}; choose one of {branches}')
    tree: dict[str, Any] = flat_to_nested(chosen)
    if style is None:
        header, rule, *rows = markdown(PipelineConfig).splitlines()
        return '\n'.join([header, rule, *(row for row in rows if row.split('`')[1] in chosen)])
    return yaml.safe_dump({'/**': {ROS_PARAMETERS: tree}} if style == 'ros' else tree, sort_keys=False)
