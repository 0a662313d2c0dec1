# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what follows from the declared parameters: the files in config/ and docs/parameters.md."""

import sys
from pathlib import Path
from typing import Any

import yaml

from event_perception.config import build, flat_to_nested, flatten, markdown
from event_perception.nodes.config import FLOW_NODE, NodeConfig, RecorderConfig, ReplayConfig
from event_perception.nodes.sim_config import (
    SIMULATOR_DEFAULTS,
    SimCameraConfig,
    SimulatorConfig,
    TruthRecorderConfig,
)
from event_perception.pipeline_config import PipelineConfig

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
# {what} All are at their defaults; docs/parameters.md says what they mean.
# Written by `make params`: copy this file to change it.
"""
DOCUMENT = """\
# Parameters

Declared once in the code; this page is written by `make params`. On the command line: `--set name=value` or
`--config FILE` (`event-perception params --yaml plain` prints one). On a node: ROS parameters of the same names
(`config/perception.yaml`). Those marked live can be changed while a node runs.

{pipeline}

## Of nodes only

What comes in, which frames, how much may wait (`config/nodes.yaml`).

{node}

## Of `replay_node`

{replay}

## Of `recorder_node`

{recorder}

## Of `simulator_node`

A simulated camera as an event sensor (`config/isaac_sim.yaml`). Sensors inside the node differ from the defaults of
the library in these: {differing}.

{simulator}

## Of `sim_camera_node`, the stand-in for Isaac Sim

{stand_in}

## Of `sim_truth_node`

{truth}
"""


def contents() -> dict[Path, str]:
    """Every generated file and what must be in it."""
    return {
        ROOT / 'config' / 'perception.yaml': ros_yaml(
            'Parameters of the pipeline, for all perception nodes.',
            PipelineConfig,
            {'flow_node': FLOW_NODE},
        ),
        ROOT / 'config' / 'nodes.yaml': ros_yaml(
            'Parameters of perception nodes beside the pipeline.', NodeConfig
        ),
        ROOT / 'config' / 'isaac_sim.yaml': isaac_sim_yaml(),
        ROOT / 'docs' / 'parameters.md': DOCUMENT.format(
            pipeline=markdown(PipelineConfig),
            node=markdown(NodeConfig),
            replay=markdown(ReplayConfig),
            recorder=markdown(RecorderConfig),
            differing=_differing(),
            simulator=markdown(SimulatorConfig),
            stand_in=markdown(SimCameraConfig),
            truth=markdown(TruthRecorderConfig),
        ),
    }


def ros_yaml(what: str, cls: type, nodes: dict[str, dict[str, Any]] | None = None) -> str:
    """A ROS parameter file of the defaults, and of where the nodes of some names differ."""
    tree = {'/**': {'ros__parameters': flat_to_nested(flatten(cls()))}}
    for name, differing in (nodes or {}).items():
        tree[f'/**/{name}'] = {'ros__parameters': flat_to_nested(differing)}
    return HEADER.format(what=what) + yaml.safe_dump(tree, sort_keys=False)


def isaac_sim_yaml() -> str:
    """Parameters of the simulator node and of the stand-in camera, each for nodes of its name."""
    simulator = flat_to_nested(flatten(build(SimulatorConfig, SIMULATOR_DEFAULTS)))
    tree = {
        '/**/simulator_node': {'ros__parameters': simulator},
        '/**/sim_camera_node': {'ros__parameters': flat_to_nested(flatten(SimCameraConfig()))},
    }
    what = 'Parameters of the simulator node and of the stand-in for Isaac Sim.'
    return HEADER.format(what=what) + yaml.safe_dump(tree, sort_keys=False)


def _differing() -> str:
    library = flatten(SimulatorConfig())
    changed = {name: value for name, value in SIMULATOR_DEFAULTS.items() if library[name] != value}
    return ', '.join(f'`{name}={value}`' for name, value in changed.items())


def main() -> int:
    """Write what has changed, and say what."""
    for path, text in contents().items():
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
            print(f'wrote {path.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
