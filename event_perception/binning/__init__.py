# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Event binning with unbiased gradients: the image of plain binning, the derivatives of a smooth one.

Importing this package loads neither torch nor numba; each name does when it is first asked for.
"""

from event_perception.lazy import lazily

_PUBLIC = {
    'CpuBinning': 'cpu',
    'Taps': 'taps',
    'bin_coordinates': 'voxel',
    'bin_events': 'points',
    'bin_points': 'points',
    'classic_bilinear': 'classic',
    'leave_one_out_variance': 'leave_one_out',
    'own_mean_square': 'leave_one_out',
    'own_variance': 'leave_one_out',
    'own_vote_terms': 'leave_one_out',
    'voxel_grid': 'voxel',
}

__all__ = list(_PUBLIC)
__getattr__, __dir__ = lazily(__name__, _PUBLIC)
