# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of plug-ins by name."""

from importlib.metadata import EntryPoint

import pytest

from event_perception import registry
from event_perception.errors import PluginError
from event_perception.registry import Registry


@pytest.fixture
def family(monkeypatch):
    installed = [EntryPoint('theirs', 'collections:Counter', 'event_perception.toy')]
    monkeypatch.setattr(registry, 'entry_points', lambda group: installed if group.endswith('.toy') else [])
    return Registry(
        'toy', {'ours': 'collections:OrderedDict', 'gone': 'no_such_module:X', 'typo': 'math:cosine'}
    )


def test_built_in_and_installed_names_load(family):
    assert family.load('ours').__name__ == 'OrderedDict'
    assert family.load('theirs').__name__ == 'Counter'
    assert family.names() == ['gone', 'ours', 'theirs', 'typo']


def test_an_unknown_name_says_what_there_is(family):
    with pytest.raises(PluginError, match=r"toy 'other' is unknown; choose one of \['gone', 'ours'"):
        family.load('other')


@pytest.mark.parametrize('name', ['gone', 'typo'])
def test_a_plug_in_that_cannot_be_imported_says_why(family, name):
    with pytest.raises(PluginError, match='cannot be loaded'):
        family.load(name)


def test_an_installed_plug_in_cannot_replace_a_built_in_one(monkeypatch):
    fake = [EntryPoint('ours', 'math:cos', 'event_perception.toy')]
    monkeypatch.setattr(registry, 'entry_points', lambda group: fake)
    assert Registry('toy', {'ours': 'math:sin'}).load('ours').__name__ == 'sin'
