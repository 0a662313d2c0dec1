# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of latencies seen from outside."""

import numpy as np

from event_perception.runs.topic_log import TopicLog, read_twists

MS = 1_000_000


def log_of_packets():
    """Packets of 10 ms, published 2 ms after their last event."""
    log = TopicLog(window_s=0.02)
    for k in range(6):
        log.packet(10 * k * MS, (10 * k + 9) * MS, 100, 0.010 * k + 0.011)
    return log


def test_latency_counts_from_the_packet_with_the_last_event_of_the_window():
    log = log_of_packets()
    log.twist(10 * MS, (0, 0, 1), 0.025)  # the window [0, 20 ms) ends with the packet published at 21 ms
    log.twist(15 * MS, (0, 0, 1), 0.035)  # [5, 25 ms): its last events are in the packet published at 31 ms
    np.testing.assert_allclose(log.latencies_s(), [0.004, 0.004], atol=1e-12)


def test_a_window_that_no_packet_has_closed_yet_has_no_latency():
    log = log_of_packets()
    log.twist(70 * MS, (0, 0, 1), 0.1)
    assert log.latencies_s().size == 0


def test_twists_survive_the_file(tmp_path):
    log = log_of_packets()
    log.twist(1_744_227_145_123_456_789, (0.5, -1.25, 2.0), 12.5)
    log.write(tmp_path / 'twist.csv')
    table = read_twists(tmp_path / 'twist.csv')
    assert table.t_ns.tolist() == [1_744_227_145_123_456_789]
    assert table.omega_rad_s.tolist() == [[0.5, -1.25, 2.0]]
    assert (log.packets, log.events) == (6, 600)
