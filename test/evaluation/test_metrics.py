# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of errors of flow and angular velocity."""

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.evaluation.metrics import angle_between_deg, angular_velocity_errors, flow_errors


def test_angles_are_exact_where_the_arc_cosine_is_not():
    assert angle_between_deg([1, 0, 0], [1, 1e-9, 0]) == pytest.approx(np.rad2deg(1e-9))
    assert angle_between_deg([1, 0, 0], [-5, 0, 0]) == pytest.approx(180.0)
    assert angle_between_deg([2, 0], [0, 3]) == pytest.approx(90.0)


def test_angular_velocity_errors_of_a_known_difference():
    reference = np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]])
    errors = angular_velocity_errors(reference + np.array([0.3, 0.0, 0.0]), reference)
    assert errors['rms_deg_s'] == pytest.approx(np.rad2deg(0.3 / np.sqrt(3)))
    assert errors['rms_deg_s_per_axis'] == pytest.approx([np.rad2deg(0.3), 0, 0])
    assert errors['median_error_deg_s'] == pytest.approx(np.rad2deg(0.3))
    assert errors['reference_rms_deg_s'] == pytest.approx(np.rad2deg(np.sqrt(5 / 6)))
    assert errors['direction_median_deg'] == pytest.approx(np.rad2deg(np.arctan(0.3) + np.arctan(0.15)) / 2)


@pytest.mark.parametrize('estimate', [np.zeros((2, 2)), np.zeros((0, 3)), np.full((2, 3), np.nan)])
def test_angular_velocities_that_cannot_be_compared_are_refused(estimate):
    with pytest.raises(DataError):
        angular_velocity_errors(estimate, np.zeros_like(estimate))


def test_flow_errors_of_known_differences():
    truth = np.zeros((2, 1, 4))
    flow = np.zeros((2, 1, 4))
    flow[0, 0] = [0.0, 15.0, 25.0, 1000.0]
    valid = np.array([[True, True, True, False]])
    errors = flow_errors(flow, truth, valid, interval_s=0.1)
    assert errors['epe_px_s'] == pytest.approx(40 / 3)
    assert errors['epe_px'] == pytest.approx(4 / 3)
    assert errors['angular_error_deg'] == pytest.approx(np.rad2deg(np.arctan(1.5) + np.arctan(2.5)) / 3)
    assert errors['over_1_px_percent'] == pytest.approx(200 / 3)
    assert errors['over_2_px_percent'] == pytest.approx(100 / 3)
    assert errors['over_3_px_percent'] == 0


def test_flow_without_common_pixels_or_of_another_shape_is_refused():
    with pytest.raises(DataError, match='no pixel'):
        flow_errors(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), np.zeros((3, 3), bool))
    with pytest.raises(DataError, match='need'):
        flow_errors(np.zeros((2, 3, 3)), np.zeros((2, 3, 4)), np.ones((3, 4), bool))
