# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Importing the families loads no heavy library, and unknown names are told from known ones."""

import subprocess
import sys

import pytest

from event_perception import flow, images, odometry
from event_perception.errors import PluginError

CHECK = 'import sys, {module}; print(sorted({{"torch", "numba", "rclpy", "cv2"}} & set(sys.modules)))'


def heavy_imports_of(module):
    code = CHECK.format(module=module)
    return subprocess.run(
        [sys.executable, '-c', code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_importing_images_flow_and_odometry_is_light():
    assert (
        heavy_imports_of('event_perception.images, event_perception.flow, event_perception.odometry') == '[]'
    )


def test_this_check_can_fail():
    assert heavy_imports_of('event_perception.images.highpass') != '[]'


@pytest.mark.parametrize(
    'create',
    [
        lambda: images.create('nonsense', height=2, width=2),
        lambda: flow.create('nonsense', None),
        lambda: odometry.create('nonsense', None),
    ],
)
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(create):
    with pytest.raises(PluginError, match='choose one of'):
        create()
