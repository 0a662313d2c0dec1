# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The vectorised logarithm and exponential against NumPy in double precision."""

import numpy as np

from event_perception.simulation.fast_log import exp_into, log_into


def test_the_logarithm_is_right_to_three_units_of_the_last_place():
    value = np.geomspace(1e-30, 1e30, 200_001).astype(np.float32)
    out = np.empty_like(value)
    log_into(value, out)
    exact = np.log(value.astype(np.float64))
    assert (np.abs(out - exact) <= 3 * np.spacing(np.maximum(np.abs(exact), 0.1).astype(np.float32))).all()


def test_the_exponential_is_right_to_three_units_of_the_last_place():
    value = np.linspace(-80, 80, 200_001).astype(np.float32)
    out = np.empty_like(value)
    exp_into(value, out)
    exact = np.exp(value.astype(np.float64))
    assert (np.abs(out - exact) <= 3 * np.spacing(exact.astype(np.float32))).all()


def test_exponents_beyond_the_range_are_clipped_not_wrong():
    out = np.empty(2, np.float32)
    exp_into(np.array([-1000.0, 1000.0], np.float32), out)
    np.testing.assert_allclose(out, [np.exp(-80.0), np.exp(80.0)], rtol=1e-6)
