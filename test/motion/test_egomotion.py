# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.events import EventArray, EventWindow
from event_perception.motion import EgomotionEstimator, contrast_of


@pytest.mark.parametrize('omega', [(1.0, -2.0, 0.5), (0.2, 0.1, -3.0), (-4.0, 0.0, 1.0)])
def test_a_turning_camera_is_measured_from_a_cold_start(camera, turning, omega):
    result = EgomotionEstimator(camera).update(turning(camera, omega, n=8000))
    assert result.converged
    np.testing.assert_allclose(result.omega, omega, atol=0.06)
    assert result.n_evaluations <= 10
    assert result.contrast_gain > 1.1
    assert np.isnan(result.v).all()


def test_the_same_events_give_the_same_bits(camera, turning):
    events = turning(camera, (1.0, 2.0, 3.0))
    first, second = (EgomotionEstimator(camera).update(events).omega for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_after_reset_an_estimator_is_as_new(camera, turning):
    events = turning(camera, (1.0, 2.0, 3.0))
    estimator = EgomotionEstimator(camera)
    cold = estimator.update(events).omega
    estimator.update(turning(camera, (-1.0, 0.0, 0.0), seed=5))
    estimator.reset()
    np.testing.assert_array_equal(estimator.update(events).omega, cold)


@pytest.mark.parametrize('n', [0, 1, 299])
def test_too_few_events_are_a_result_with_a_reason(camera, turning, n):
    events = turning(camera, (1.0, 0.0, 0.0))[:n]
    result = EgomotionEstimator(camera).update(events)
    assert not result.converged
    assert result.reason == f'too few events ({n} < 300)'
    np.testing.assert_array_equal(result.omega, np.zeros(3))
    assert result.n_evaluations == 0


def test_events_of_another_sensor_are_refused(camera):
    events = EventArray([0], [0], [0], [1], height=10, width=10)
    with pytest.raises(DataError, match='10x10 sensor, camera model of 160x120'):
        EgomotionEstimator(camera).update(events)


def test_the_contrast_of_the_true_motion_is_far_above_that_of_rest(camera, turning):
    window = EventWindow.from_events(turning(camera, (2.0, -2.0, 0.5), duration_s=0.1))
    assert contrast_of(window, camera, (2.0, -2.0, 0.5)) > 2 * contrast_of(window, camera, (0, 0, 0))


@pytest.mark.parametrize(('name', 'least'), [('shapes_rotation', 2.3), ('boxes_rotation', 1.2)])
def test_real_rotations_get_sharper(shared_data, name, least):
    camera, events = read_ecd(shared_data / 'ecd_rotation_gt' / name)
    result = EgomotionEstimator(camera).update(events)
    assert result.converged
    assert result.n_evaluations <= 8
    at_rest = contrast_of(events, camera, np.zeros(3))
    assert contrast_of(events, camera, result.omega) >= least * at_rest


def read_ecd(folder):
    from event_perception.motion import CameraModel

    fx, fy, cx, cy, *k = np.loadtxt(folder / 'calib.txt')
    t, x, y, p = np.loadtxt(folder / 'events.txt').T
    camera = CameraModel(fx, fy, cx, cy, 180, 240, 'radtan', tuple(k))
    x, y, p = x.astype(int), y.astype(int), 2 * p.astype(int) - 1
    return camera, EventArray(np.round(t * 1e9).astype(np.int64), x, y, p, height=180, width=240)
