# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The files in config/ and docs/parameters.md say what the code declares."""

import importlib.util

import pytest
import yaml

from event_perception.config import build, flatten, nested_to_flat
from event_perception.nodes.config import NodeConfig
from event_perception.pipeline_config import PipelineConfig


def generated(repository):
    path = repository / 'scripts' / 'write_parameters.py'
    spec = importlib.util.spec_from_file_location('write_parameters', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.contents()


def test_generated_files_are_current(repository):
    stale = [path.name for path, text in generated(repository).items() if path.read_text() != text]
    assert stale == [], f'run `make params`: {stale}'


@pytest.mark.parametrize(('name', 'cls'), [('perception', PipelineConfig), ('nodes', NodeConfig)])
def test_parameter_files_hold_exactly_the_defaults(repository, name, cls):
    tree = yaml.safe_load((repository / 'config' / f'{name}.yaml').read_text())
    flat = nested_to_flat(tree['/**']['ros__parameters'])
    assert build(cls, flat) == cls()
    assert set(flat) == set(flatten(cls()))


def test_no_parameter_of_a_node_hides_one_of_the_pipeline():
    assert not set(flatten(NodeConfig())) & set(flatten(PipelineConfig()))
