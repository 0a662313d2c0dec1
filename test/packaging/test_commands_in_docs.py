# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Every command that README and docs name is one that the program takes: names, options, parameters."""

import argparse
import re
import shlex
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from event_perception import cli
from event_perception.config import flatten, parse
from event_perception.evaluation.bench import BENCHMARKS
from event_perception.learning.plan import make_plan
from event_perception.nodes.config import NodeConfig
from event_perception.optics.design.run import design_config
from event_perception.pipeline_config import PipelineConfig

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [REPOSITORY / 'README.md', REPOSITORY / 'CONTRIBUTING.md', *(REPOSITORY / 'docs').rglob('*.md')]
)
STARTS = ('event-perception ', 'python -m event_perception', 'ros2 run event_perception ')


def commands(page):
    """Words of each command in code spans, code blocks and lines that go on after a backslash."""
    text = re.sub(r'\\\n\s*', ' ', page.read_text())
    pieces = [piece for line in text.splitlines() for piece in (line, *re.findall(r'`([^`]+)`', line))]
    for piece in pieces:
        code = re.sub(r'\s#.*', '', piece).strip().replace('[', '').replace(']', '')
        if code.startswith(STARTS) and '`' not in code and '...' not in code:
            yield shlex.split(code)


ALL = sorted({tuple(words) for page in PAGES for words in commands(page)})
PROGRAM = [words[1:] for words in ALL if words[0] == 'event-perception' and len(words) > 1]
STUDIES = [(words[2], words[3:]) for words in ALL if words[0] == 'python']
VALUES = {'N': '1', 'S': '1', 'M': '1', 'FORM': 'bag'}
NODES = [words[3:] for words in ALL if words[0] == 'ros2']


class Accepted(BaseException):
    """The parser took the words; what would run is left out."""


@pytest.fixture
def only_parse(monkeypatch):
    """Parsers raise `Accepted`, and forgive what is missing but nothing that is wrong."""
    parse_args = argparse.ArgumentParser.parse_args

    def stop(parser, args=None, namespace=None):
        parse_args(parser, args, namespace)
        raise Accepted

    def error(parser, message):
        unfinished = 'are required' in message or 'expected one argument' in message
        raise Accepted if unfinished else AssertionError(f'{parser.prog}: {message}')

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', stop)
    monkeypatch.setattr(argparse.ArgumentParser, 'error', error)


def test_the_docs_name_many_commands():
    assert len(PROGRAM) > 25 and len(STUDIES) > 20 and len(NODES) > 1


@pytest.mark.parametrize('words', PROGRAM, ids=' '.join)
def test_the_program_takes_the_command(words, only_parse):
    with pytest.raises(Accepted):
        cli.main([VALUES.get(word, word) for word in words])


@pytest.mark.parametrize(
    ('module', 'words'), STUDIES, ids=lambda part: part if isinstance(part, str) else ' '.join(part)
)
def test_the_study_takes_the_command(module, words, only_parse, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [module, *words])
    with pytest.raises(Accepted):
        import_module(module).main()


@pytest.mark.parametrize('words', [w for w in PROGRAM if w[0] == 'bench'], ids=' '.join)
def test_the_benchmark_is_there(words):
    assert {word for word in words[1:] if not word.startswith('-')} <= set(BENCHMARKS.names())


@pytest.mark.parametrize('words', [w for w in PROGRAM if '--set' in w], ids=' '.join)
def test_the_parameters_are_there(words):
    settings = [after for word, after in pairwise(words) if word == '--set']
    if words[0] == 'train':
        settings = [setting for setting in settings if 'recording.path' not in setting]  # would be opened
        assert make_plan(f'{words[1]}.{words[words.index("--method") + 1]}', None, settings)
    elif words[0] == 'design':
        assert design_config(words[1], None, settings)
    else:
        assert all(parse(PipelineConfig, setting) for setting in settings)


@pytest.mark.parametrize('words', NODES, ids=' '.join)
def test_the_node_and_its_parameters_are_there(words):
    pytest.importorskip('rclpy')
    assert import_module(f'event_perception.nodes.{words[0]}')
    names = {*flatten(PipelineConfig()), *flatten(NodeConfig())}
    given = {after.partition(':=')[0] for word, after in pairwise(words) if word == '-p'}
    assert given <= names
