# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The studies behind the tables in docs/: that they measure what they say."""

from dataclasses import replace

import numpy as np

from event_perception.evaluation import own_votes_study
from event_perception.evaluation.rigid_study import errors, gyro_prior, make_scene, study
from event_perception.motion import EgomotionConfig, EgomotionEstimator
from event_perception.simulation.rotations import DAVIS346


def test_a_line_of_the_own_votes_table_compares_kept_with_removed():
    kept = {'rms_deg_s': 2.0, 'evaluations_mean': 4.0, 'window_ms': 2.0}
    removed = {'rms_deg_s': 1.5, 'evaluations_mean': 5.0, 'window_ms': 3.0}
    configs = [EgomotionConfig(), replace(EgomotionConfig(), own_votes='removed')]
    text = own_votes_study.table(configs, [{'synB 20k': kept}, {'synB 20k': removed}])
    assert text.splitlines()[2] == '| bilinear, 1.5 px | 2.000 -> 1.500; 4.0 -> 5.0; 1.00 -> 1.50 |'


def test_the_scene_with_depth_is_solved_and_its_line_is_complete():
    scene = make_scene(1, 6000)
    assert (len(scene.window), scene.depth.depth_m.shape) == (6000, (260, 346))
    result = EgomotionEstimator(DAVIS346).update(
        scene.window, gyro_prior(scene, 0.01, np.random.default_rng(0)), scene.depth
    )
    direction_deg, length, rate, squared = errors(scene, result)
    assert (direction_deg < 6, length < 8, rate < 4, squared < 25) == (True, True, True, True)
    assert study(3000, range(1)).count('|') == 8
