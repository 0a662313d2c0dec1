# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of parameters: declared once, checked everywhere."""

from dataclasses import dataclass
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from event_perception.config import (
    build,
    flat_to_nested,
    flatten,
    markdown,
    nested_to_flat,
    param,
    parameters,
    parse,
    update,
)
from event_perception.errors import ConfigError
from event_perception.pipeline_config import PipelineConfig
from event_perception.runs.configuration import load_config, parameters_text


@dataclass(frozen=True, slots=True)
class Inner:
    length_s: float = param(0.5, 'A length, seconds.', ge=0.1, le=2.0, live=True)
    kind: Literal['a', 'b'] = param('a', 'A choice.')


@dataclass(frozen=True, slots=True)
class Outer:
    count: int = param(3, 'A number.', ge=1)
    sizes: tuple[float, ...] = param((1.0, 2.0), 'Some sizes.', ge=0.5)
    flag: bool = param(False, 'A switch.')
    inner: Inner = Inner()


@given(
    st.integers(1, 10**6),
    st.floats(0.1, 2.0),
    st.sampled_from('ab'),
    st.lists(st.floats(0.5, 9.0), max_size=4),
)
def test_values_survive_the_way_through_yaml(count, length_s, kind, sizes):
    config = Outer(count=count, sizes=tuple(sizes), inner=Inner(length_s, kind))
    text = yaml.safe_dump(flat_to_nested(flatten(config)))
    assert build(Outer, nested_to_flat(yaml.safe_load(text))) == config


@pytest.mark.parametrize(
    'name, value, message',
    [
        ('count', 0, r'count=0: allowed \[1, inf\]'),
        ('count', 1.5, 'expected int, got float'),
        ('count', True, 'expected int, got bool'),
        ('flag', 1, 'expected bool, got int'),
        ('inner.length_s', 'long', 'expected float, got str'),
        ('inner.length_s', 3.0, r'allowed \[0.1, 2\]'),
        ('inner.length_s', float('nan'), 'allowed'),
        ('inner.kind', 'c', r"choose one of \['a', 'b'\]"),
        ('sizes', [1.0, 'x'], 'every element must be float'),
        ('sizes', [0.1], 'allowed'),
        ('inner.lenght_s', 1.0, 'unknown parameters'),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(name, value, message):
    with pytest.raises(ConfigError, match=message):
        build(Outer, {name: value})


def test_whole_numbers_are_accepted_for_floats_and_lists_for_tuples():
    config = build(Outer, {'inner.length_s': 1, 'sizes': [1, 2.5]})
    assert config == Outer(sizes=(1.0, 2.5), inner=Inner(1.0))
    assert [type(size) for size in config.sizes] == [float, float]


def test_an_update_leaves_the_rest_alone():
    assert update(Outer(count=7), {'inner.kind': 'b'}) == Outer(count=7, inner=Inner(kind='b'))


def test_the_table_holds_every_parameter():
    assert '| `inner.length_s` | float | `0.5` | [0.1, 2], live | A length, seconds. |' in markdown(Outer)
    assert len(markdown(Outer).splitlines()) == 2 + len(parameters(Outer))


@pytest.mark.parametrize(
    'text, expected', [('count=5', ('count', 5)), ('sizes=[1, 2]', ('sizes', (1.0, 2.0)))]
)
def test_assignments_of_the_command_line_are_read_as_yaml(text, expected):
    assert parse(Outer, text) == expected


@pytest.mark.parametrize('text, message', [('count', 'expected name=value'), ('size=1', 'unknown parameter')])
def test_assignments_that_mean_nothing_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(Outer, text)


def test_every_default_of_the_package_lies_in_its_range():
    assert build(PipelineConfig, flatten(PipelineConfig())) == PipelineConfig()


def test_flags_win_over_the_file_and_stages_over_both(tmp_path):
    file = tmp_path / 'config.yaml'
    file.write_text('window: {duration_s: 0.05, count: 100}\nstages: [flow]\n')
    config = load_config(file, ['window.duration_s=0.1'], 'images, egomotion')
    assert (config.window.duration_s, config.window.count) == (0.1, 100)
    assert config.stages == ('images', 'egomotion')


def test_a_ros_parameter_file_serves_the_command_line_too(tmp_path):
    file = tmp_path / 'ros.yaml'
    file.write_text(parameters_text('window', 'ros').replace('0.02', '0.04'))
    assert load_config(file, []).window.duration_s == 0.04


@pytest.mark.parametrize('text', ['- 1\n- 2\n', 'a: [', 'window: 3\n'])
def test_a_file_that_holds_no_parameters_is_refused(tmp_path, text):
    file = tmp_path / 'config.yaml'
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_config(file, [])
