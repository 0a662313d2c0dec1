# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The probe and the processes of test/ros, for simulated cameras."""

import importlib.util
import sys
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[1] / 'ros' / 'conftest.py'
_SPEC = importlib.util.spec_from_file_location('event_perception_ros_fixtures', _FILE)
_ROS = sys.modules.setdefault(_SPEC.name, importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(_ROS)

new_session, ros = _ROS.new_session, _ROS.ros


def pytest_collection_modifyitems(items):
    """All tests here are ROS tests, and run in one worker."""
    for item in items:
        if '/test/ros_sim/' in str(item.path):
            item.add_marker(pytest.mark.ros)
            item.add_marker(pytest.mark.xdist_group('ros'))
