# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A turning camera: exact truth, the same bytes for the same seed."""

import hashlib

import numpy as np
import pytest

from event_perception.errors import ConfigError, DataError
from event_perception.motion.camera import CameraModel
from event_perception.simulation import rotation_sequence, rotation_set

SMALL = CameraModel(fx=60.0, fy=60.0, cx=31.5, cy=23.5, height=48, width=64)


@pytest.fixture(scope='module')
def sequence():
    return rotation_sequence(seed=3, duration_s=0.4, omega_rms_rad_s=2.0, camera=SMALL)


@pytest.fixture(scope='module')
def events(sequence):
    return sequence.events()


def digest(events):
    return hashlib.sha256(
        b''.join(np.asarray(a).tobytes() for a in (events.t_ns, events.x, events.y, events.p))
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(events):
    again = rotation_sequence(seed=3, duration_s=0.4, omega_rms_rad_s=2.0, camera=SMALL).events()
    other = rotation_sequence(seed=4, duration_s=0.4, omega_rms_rad_s=2.0, camera=SMALL).events()
    assert digest(again).digest() == digest(events).digest() != digest(other).digest()


def test_events_come_sorted_inside_the_recording(sequence, events):
    assert events.is_sorted() and len(events) > 3000
    assert sequence.start_ns <= events.t_ns[0] and events.t_ns[-1] <= sequence.end_ns


def test_the_angular_velocity_has_the_requested_root_mean_square(sequence):
    omega = sequence.omega(np.linspace(0, 400_000_000, 4001).astype(np.int64))
    assert np.sqrt(np.mean(omega**2)) == pytest.approx(2.0, rel=1e-3)


def test_the_angular_velocity_is_the_derivative_of_the_orientation(sequence):
    t, h = 123_456_789, 20_000
    before, at, after = (sequence.pose(t + k * h)[0, :3, :3] for k in (-1, 0, 1))
    spin = at.T @ (after - before) / (2 * h * 1e-9)
    np.testing.assert_allclose([spin[2, 1], spin[0, 2], spin[1, 0]], sequence.omega(t)[0], atol=1e-6)


def test_truth_outside_the_recording_is_refused(sequence):
    with pytest.raises(DataError, match='outside the trajectory'):
        sequence.omega(2_000_000_000)


def test_events_turned_back_by_the_truth_are_sharper_than_with_the_opposite_sign(sequence, events):
    """X(t_ref) = X + dt omega x X; the variance of counts tells the sign of the whole chain."""
    fastest = int(np.argmax(np.linalg.norm(sequence.omega(np.arange(40) * 10_000_000), axis=1))) * 10_000_000
    part = events.between(fastest - 12_000_000, fastest + 12_000_000)
    omega = sequence.omega(fastest)[0]
    ray = np.stack(
        [(part.x - SMALL.cx) / SMALL.fx, (part.y - SMALL.cy) / SMALL.fy, np.ones(len(part))], axis=1
    )
    dt_s = (part.t_ns - fastest)[:, None] * 1e-9

    def contrast(factor):
        moved = ray + dt_s * np.cross(factor * omega, ray)
        x, y = (moved[:, :2] / moved[:, 2:] * SMALL.fx).T
        counts, _, _ = np.histogram2d(
            y + SMALL.cy, x + SMALL.cx, bins=(48, 64), range=((-0.5, 47.5), (-0.5, 63.5))
        )
        return counts.var()

    assert contrast(1.0) > 1.3 * contrast(0.0) and contrast(1.0) > 1.3 * contrast(-1.0)


def test_an_unknown_set_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ConfigError, match='synA'):
        rotation_set('synZ', seed=0)
