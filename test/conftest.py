# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config):
    """Leave a core to others: torch takes all of them by default."""
    os.environ.setdefault('OMP_NUM_THREADS', '2')


@pytest.fixture(scope='session')
def repository() -> Path:
    """The root of this repository."""
    return REPOSITORY


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Recordings that may not be part of the repository; tests that need them skip without them."""
    folder = Path(os.environ.get('EVENT_PERCEPTION_DATA', REPOSITORY.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no recordings at {folder}; set EVENT_PERCEPTION_DATA')
    return folder


@pytest.fixture(scope='session')
def recordings() -> Path:
    """Folder of the recordings that come with the package: apriltags."""
    return REPOSITORY / 'event_perception' / 'recordings'


@pytest.fixture(scope='session')
def test_data() -> Path:
    """Folder of the recordings that come for the tests: walking_evt3 (ROS 2) and walking_evt3.bag (ROS 1)."""
    return REPOSITORY / 'test' / 'data'
