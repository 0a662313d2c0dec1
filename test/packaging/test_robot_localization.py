# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the configuration for robot_localization."""

import yaml


def test_the_filter_fuses_the_three_angular_velocities_of_our_twist_and_nothing_else(repository):
    tree = yaml.safe_load((repository / 'config' / 'robot_localization.yaml').read_text())
    parameters = tree['ekf_filter_node']['ros__parameters']
    assert parameters['twist0'] == '/perception_node/twist'
    assert [k for k, fused in enumerate(parameters['twist0_config']) if fused] == [9, 10, 11]
    assert len(parameters['twist0_config']) == 15


def test_nav2_listens_to_our_odometry(repository):
    tree = yaml.safe_load((repository / 'config' / 'nav2_odometry.yaml').read_text())
    topics = {name: node['ros__parameters']['odom_topic'] for name, node in tree.items()}
    assert topics == dict.fromkeys(
        ('controller_server', 'bt_navigator', 'velocity_smoother', 'docking_server'),
        '/odometry_node/odometry',
    )
