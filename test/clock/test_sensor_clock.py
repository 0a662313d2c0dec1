# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the map from sensor time to ROS time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.clock import EVT3_WRAP_NS, INT32_US_WRAP_NS, ClockConfig, SensorClock
from event_perception.errors import DataError
from event_perception.io.bag_storage import Bag
from event_perception.io.event_packets import EventPacketStream
from event_perception.io.stamps import header_ns

EPOCH_NS = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000_000_000


def stream(
    seconds, *, period_ns=4 * MS, drift_ppm=0.0, jitter_ms=1.0, latency_ns=300_000, seed=0, start_ns=0
):
    """Sensor times, stamps and the true times of capture of a camera whose clock drifts."""
    rng = np.random.default_rng(seed)
    true_ns = np.arange(0, round(seconds * S), period_ns, dtype=np.int64)
    sensor_ns = start_ns + true_ns + (true_ns * drift_ppm / 1e6).astype(np.int64)
    delay_ns = latency_ns + rng.exponential(jitter_ms * MS, true_ns.size).astype(np.int64)
    return sensor_ns, EPOCH_NS + true_ns + delay_ns, EPOCH_NS + true_ns


def mapped(clock, sensor_ns, stamp_ns):
    times = []
    for sensor, stamp in zip(sensor_ns, stamp_ns):
        clock.update(sensor, stamp)
        times.append(clock.to_ros_ns(int(sensor)))
    return np.array(times)


@pytest.mark.parametrize('drift_ppm', [-100, 0, 100])
@pytest.mark.parametrize('seed', range(5))
def test_follows_a_drift_of_100_ppm_to_a_third_of_a_millisecond_under_a_millisecond_of_jitter(
    drift_ppm, seed
):
    sensor, stamp, true = stream(20, drift_ppm=drift_ppm, seed=seed)
    error = mapped(SensorClock(), sensor, stamp) - true - 300_000
    settled = error[len(error) // 10 :]
    assert np.abs(settled).max() < 0.35 * MS
    assert np.abs(settled).max() < 0.1 * np.abs(stamp - true - 300_000).max()


@given(
    st.lists(st.tuples(st.integers(0, 20 * MS), st.integers(0, 400 * MS)), min_size=2, max_size=60),
    st.integers(-S, S),
)
@settings(max_examples=60, deadline=None)
def test_mapped_time_never_runs_backwards_whatever_the_delays(packets, offset_ns):
    clock = SensorClock()
    sensor = np.cumsum([period for period, _ in packets])
    stamp = np.maximum.accumulate(sensor + offset_ns + [delay for _, delay in packets])
    times = mapped(clock, sensor, stamp)
    assert clock.counts.resets == 0
    assert (np.diff(times) >= 0).all()


@given(st.integers(0, EVT3_WRAP_NS - 1))
@settings(max_examples=30, deadline=None)
def test_a_wrap_does_not_show_wherever_the_sensor_clock_starts(start_ns):
    sensor, stamp, _ = stream(40, period_ns=50 * MS, start_ns=start_ns)
    plain = mapped(SensorClock(), sensor, stamp)
    clock = SensorClock(wrap_ns=EVT3_WRAP_NS)
    np.testing.assert_array_equal(mapped(clock, sensor % EVT3_WRAP_NS, stamp), plain)
    assert clock.counts.wraps == (start_ns + 40 * S - 50 * MS) // EVT3_WRAP_NS
    assert clock.counts.resets == 0


def test_times_before_and_after_a_wrap_in_one_packet_stay_neighbours():
    clock = SensorClock(wrap_ns=INT32_US_WRAP_NS)
    clock.update(INT32_US_WRAP_NS // 2 - 5 * MS, EPOCH_NS)
    # int32 turns negative at half its period.
    times = np.array([INT32_US_WRAP_NS // 2 - 5 * MS, -INT32_US_WRAP_NS // 2 + 5 * MS], np.int64)
    np.testing.assert_array_equal(clock.to_ros_ns(times), [EPOCH_NS, EPOCH_NS + 10 * MS])
    assert clock.to_ros_ns(int(times[1])) == EPOCH_NS + 10 * MS


def test_a_looped_bag_starts_anew_and_is_counted():
    sensor, stamp, _ = stream(3)
    clock = SensorClock()
    first = mapped(clock, sensor, stamp)
    second = mapped(clock, sensor, stamp)
    assert clock.counts.resets == 1
    np.testing.assert_array_equal(first, second)


def test_a_looped_bag_whose_stamps_are_renewed_starts_anew():
    sensor, stamp, _ = stream(3)
    clock = SensorClock()
    mapped(clock, sensor, stamp)
    mapped(clock, sensor, stamp + 3 * S)
    assert clock.counts.resets == 1
    assert clock.to_ros_ns(0) == pytest.approx(EPOCH_NS + 3 * S + 300_000, abs=MS)


@pytest.mark.parametrize(('sensor_jump_s', 'stamp_jump_s'), [(5, 0), (-5, 0), (0, 5), (0, -5)])
def test_a_jump_of_either_clock_in_either_direction_resets_once(sensor_jump_s, stamp_jump_s):
    sensor, stamp, true = stream(4)
    late = np.arange(sensor.size) >= sensor.size // 2
    sensor = sensor + late * sensor_jump_s * S
    stamp, true = stamp + late * stamp_jump_s * S, true + late * stamp_jump_s * S
    clock = SensorClock()
    error = mapped(clock, sensor, stamp) - true - 300_000
    assert clock.counts.resets == 1
    assert np.abs(error[-100:]).max() < 0.5 * MS


def test_a_single_packet_that_is_seconds_late_changes_nothing_and_is_counted():
    sensor, stamp, true = stream(4)
    stamp[500] += 2 * S
    clock = SensorClock()
    error = mapped(clock, sensor, stamp) - true - 300_000
    assert (clock.counts.resets, clock.counts.held) == (0, 1)
    assert np.abs(error[501:]).max() < 0.5 * MS


def test_the_first_packet_gives_the_first_offset():
    clock = SensorClock()
    assert clock.update(1_000, EPOCH_NS) == EPOCH_NS - 1_000
    assert clock.to_ros_ns(3_000) == EPOCH_NS + 2_000
    assert clock.offset_ns == EPOCH_NS - 1_000


def test_mapping_gains_no_more_than_the_slew_limit():
    clock = SensorClock(ClockConfig(slew_ppm=1000))
    clock.update(0, EPOCH_NS + 10 * MS)
    assert clock.update(S, EPOCH_NS + S) == EPOCH_NS + 10 * MS - MS


def test_asking_before_the_first_message_is_an_error():
    with pytest.raises(DataError, match='no message'):
        SensorClock().to_ros_ns(0)
    with pytest.raises(DataError, match='no message'):
        _ = SensorClock().offset_ns
    with pytest.raises(DataError, match='wrap_ns=0'):
        SensorClock(wrap_ns=0)


@pytest.mark.parametrize(
    ('name', 'spread_ms', 'settled_ms'), [('walking_evt3', 1.0, 0.3), ('apriltags', 0.4, 0.2)]
)
def test_on_a_real_recording_the_offset_settles_at_the_least_delay(
    name, spread_ms, settled_ms, test_data, recordings
):
    bag = Bag((test_data if name == 'walking_evt3' else recordings) / name)
    packets, clock = EventPacketStream(), SensorClock()
    delays, offsets, times = [], [], []
    for raw in bag.messages(bag.topics()):
        message = bag.deserialize(raw)
        events = packets.push(message)
        if len(events):
            offsets.append(clock.update(int(events.t_ns[0]), header_ns(message)))
            delays.append(header_ns(message) - int(events.t_ns[0]))
            times.append(clock.to_ros_ns(int(events.t_ns[0])))
    assert np.std(delays) > spread_ms * MS
    half = len(offsets) // 2
    assert np.abs(np.array(offsets[half:]) - min(delays)).max() < settled_ms * MS
    assert (np.diff(times) > 0).all()
    assert clock.counts.resets == 0
