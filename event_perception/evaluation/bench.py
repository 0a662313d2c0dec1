# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Benchmarks by name. Machines differ and are noisy: what counts are ratios inside one run."""

from collections.abc import Sequence
from typing import Any

from event_perception.errors import ConfigError
from event_perception.registry import Registry
from event_perception.runs.folder import environment, finite

BENCHMARKS = Registry(
    'benchmark',
    {
        'binning': 'event_perception.evaluation.bench_binning:bench_binning',
        'codecs': 'event_perception.evaluation.bench_codecs:bench_codecs',
        'compact': 'event_perception.evaluation.compact_study:bench_compact',
        'egomotion': 'event_perception.evaluation.bench_egomotion:bench_egomotion',
        'flow': 'event_perception.evaluation.bench_flow:bench_flow',
        'images': 'event_perception.evaluation.bench_images:bench_images',
        'odometry': 'event_perception.evaluation.bench_odometry:bench_odometry',
        'optics': 'event_perception.evaluation.bench_optics:bench_optics',
        'sim_camera': 'event_perception.evaluation.bench_sim_camera:bench_sim_camera',
        'simulation': 'event_perception.evaluation.bench_simulation:bench_simulation',
        'spike_node': 'event_perception.evaluation.bench_spike_node:bench_spike_node',
        'spikes': 'event_perception.evaluation.bench_spikes:bench_spikes',
    },
)


def run_benchmarks(names: Sequence[str]) -> dict[str, Any]:
    """Run some benchmarks, or all when none is named; each is a function without arguments.

    Raises:
        ConfigError: If a name is unknown.
    """
    known = BENCHMARKS.names()
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigError(f'unknown benchmarks {unknown}; choose from {known}')
    results = {name: BENCHMARKS.load(name)() for name in names or known}
    return finite({'environment': environment()} | results)
