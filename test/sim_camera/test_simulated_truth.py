# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Comparing what came out of the topics with the truth of the simulation, and reading what nodes say at their end."""

import os

import numpy as np
import pytest

from event_perception.errors import DataError, EventPerceptionError
from event_perception.runs import simulated_truth
from event_perception.runs.demo_sim import counts_of, cpu_time_s, stand_in_summary


@pytest.fixture
def folder(tmp_path):
    """Twists at 0.01, 0.03, .. s that are 0.1 rad/s too fast about x, flow that is 3 px/s wrong, and the truth."""
    truth = tmp_path / 'truth'
    for path in (tmp_path / 'flow', truth / 'flow'):
        path.mkdir(parents=True)
    rows = [f'{t:.9f},{t:.9f},0,0.5,0,0,0' for t in np.arange(0, 1.01, 0.1)]
    (truth / 'motion.csv').write_text('\n'.join([','.join(simulated_truth.COLUMNS), *rows]) + '\n')
    twists = [f'{t:.9f},{t + 0.1:.9f},0,0.5,{t:.6f}' for t in np.arange(0.01, 1.2, 0.02)]
    (tmp_path / 'twist.csv').write_text(
        '\n'.join(['t_s,wx_rad_s,wy_rad_s,wz_rad_s,published_s', *twists]) + '\n'
    )
    valid = np.ones((4, 5), bool)
    valid[0] = False
    for t_ns, flow, where in (
        (10_000_000, 10.0, truth),
        (210_000_000, 10.0, truth),
        (10_000_100, 13.0, tmp_path),
    ):
        field = np.zeros((2, 4, 5), np.float32)
        field[0] = flow
        np.savez(where / 'flow' / f'{t_ns}.npz', flow_px_s=field, valid=valid)
    return tmp_path


def test_angular_velocity_is_compared_where_the_truth_is_known(folder):
    _, true, errors = simulated_truth.angular_velocity(folder, folder / 'truth')
    assert errors['twists compared'] == 50  # those up to 1 s
    assert np.isnan(true[-1]).all()
    assert errors['rms_deg_s_per_axis'] == pytest.approx([np.rad2deg(0.1), 0, 0], abs=1e-5)


def test_flow_is_compared_at_the_same_instants_only(folder):
    pairs = simulated_truth.flow_pairs(folder, folder / 'truth')
    errors = simulated_truth.flow(pairs)
    assert errors['fields compared'] == 1
    assert errors['epe_px_s'] == pytest.approx(3.0)
    assert errors['true_speed_px_s'] == pytest.approx(10.0)
    assert simulated_truth.flow([]) == {'fields compared': 0}


def test_truth_without_rows_is_an_error(tmp_path):
    (tmp_path / 'motion.csv').write_text(','.join(simulated_truth.COLUMNS) + '\n')
    with pytest.raises(DataError, match='no motion'):
        simulated_truth.read_true_motion(tmp_path / 'motion.csv')


def test_what_nodes_say_at_their_end_is_read_back():
    log = '[INFO] [sim]: simulated: 61 frames, 1.000 s in 1.250 s (real-time factor 0.800), CPU 0.500 s\n'
    assert stand_in_summary('ready\n' + log) == {
        'frames': 61,
        'simulated_s': 1.0,
        'wall_s': 1.25,
        'real_time_factor': 0.8,
        'cpu_s': 0.5,
    }
    with pytest.raises(EventPerceptionError, match='does not say'):
        stand_in_summary('ready\n')
    assert counts_of('x\n[INFO]: done: images 61, frames dropped 2, without_depth 1\nmore 3') == {
        'images': 61,
        'frames dropped': 2,
        'without_depth': 1,
    }
    assert counts_of('[INFO]: done: \n') == {}


def test_cpu_time_of_a_process_grows_and_is_unknown_where_the_system_does_not_tell():
    used = cpu_time_s(os.getpid())
    assert used is None or used > 0
    assert cpu_time_s(2**31 - 1) is None
