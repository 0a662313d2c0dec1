# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``event-perception design``: a configuration file to a folder with result and report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from event_perception.config import build, parse, update
from event_perception.errors import ConfigError
from event_perception.optics.design import DESIGNS
from event_perception.optics.design.folder import DesignFolder
from event_perception.optics.design.loop import optimise
from event_perception.optics.design.problem import DesignLoopConfig
from event_perception.optics.design.report import write_design_report
from event_perception.runs.configuration import read_flat


def design_config(name: str, file: Path | None = None, assignments: Sequence[str] = ()) -> Any:
    """Parameters of a design: ``loop.*`` and those of the problem under its own name.

    Args:
        name: lens, mount, chain, ...
        file: YAML with a tree ``loop`` and a tree of the name; None for the defaults. A ``config.yaml`` that a
            design wrote is such a file.
        assignments: Texts such as ``loop.steps=50``.

    Raises:
        PluginError: If there is no such design.
        ConfigError: If a parameter is unknown or not allowed, or the file belongs to another design.
    """
    kind = _config_type(name)
    flat: dict[str, Any] = {f'loop.{key}': value for key, value in DESIGNS.load(name).loop.items()}
    if file is not None:
        given = read_flat(file)
        other = given.pop('design', name)
        if other != name:
            raise ConfigError(f'{file} is of the design {other!r}, not {name!r}')
        flat |= given
    config = build(kind, flat)
    return update(config, dict(parse(kind, text) for text in assignments))


def run_design(
    name: str,
    output: Path,
    config: Any,
    *,
    progress: Callable[[str], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Run a design, or resume it, and report.

    Args:
        name: lens, mount, chain, ...
        output: A new folder, or one with the same design to go on with.
        config: From ``design_config``.
        progress: Told how it goes.
        stop: Asked after every step whether to stop.

    Returns:
        Figures of the start and of the result.

    Raises:
        DataError: If the folder holds something else, or the design is impossible.
    """
    problem = DESIGNS.load(name)(getattr(config, name))
    with _threads(config.loop.threads):
        return _run(name, problem, output, config, progress, stop)


def _run(
    name: str,
    problem: Any,
    output: Path,
    config: Any,
    progress: Callable[[str], None] | None,
    stop: Callable[[], bool],
) -> dict[str, Any]:
    start = problem.assess(
        problem.start()
    )  # before anything is written: an impossible start is an error, no folder
    folder = DesignFolder(output, name, config)
    result = optimise(problem, config.loop, folder, progress=progress, stop=stop)
    save_file({n: v.contiguous() for n, v in result.values.items()}, output / 'result.safetensors')
    end = problem.assess(result.values)
    if hasattr(problem, 'write'):
        problem.write(result.values, output)
    metrics = {
        'steps': result.steps,
        'finished': result.finished,
        'steps taken back': result.rejected,
        'loss': result.loss,
        'start': start.figures,
        'result': end.figures,
    }
    folder.write_metrics(metrics)
    write_design_report(folder, result, start, end, title=f'Design of a {name}')
    return metrics


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _config_type(name: str) -> Any:
    problem = DESIGNS.load(name).config_type
    fields = [('loop', DesignLoopConfig, DesignLoopConfig()), (name, problem, problem())]
    return make_dataclass('Design', fields, frozen=True, slots=True)
