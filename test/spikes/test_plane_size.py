# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A height and width that raw planes cannot have are refused, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.errors import DataError
from event_perception.events import SpikeStream
from event_perception.events.plane_size import check_plane_bytes

HEIGHT, WIDTH = 80, 120


def planes(n=48, brightest=0.6, step=0.05, height=HEIGHT, width=WIDTH):
    """Packed planes of a drifting picture with edges, charge integrated from a random start."""
    y, x = np.mgrid[:height, :width]
    charge = np.random.default_rng(0).random((height, width))
    fired = np.zeros((n, height, width), bool)
    for t in range(n):
        wave = np.sin((x + step * t) / 9.0) * np.cos(y / 13.0) > 0.2
        charge += brightest * (0.15 + 0.85 * wave * (x + 40) / (width + 40))
        fired[t] = charge >= 1
        charge -= fired[t]
    return np.packbits(fired.reshape(n, -1), axis=1, bitorder='little')


def opened(folder, content, height, width, **options):
    (folder / 'a.dat').write_bytes(content.tobytes())
    return SpikeStream.from_dat(
        folder / 'a.dat', height=height, width=width, plane_period_ns=25_000, **options
    )


def test_a_wrong_size_is_named(tmp_path):
    with pytest.raises(DataError, match=r'planes of 1245 bytes are declared, but .* 1200 bytes'):
        opened(tmp_path, planes(), 83, 120)


@pytest.mark.parametrize(
    ('height', 'width', 'fits'), [(120, 80, '80 rows of 120'), (60, 160, '80 rows of 120')]
)
def test_a_width_under_which_rows_do_not_match_is_named(tmp_path, height, width, fits):
    with pytest.raises(DataError, match=fits):
        opened(tmp_path, planes(), height, width)


def test_one_may_insist_on_a_size(tmp_path):
    assert len(opened(tmp_path, planes(), 120, 80, check_plane_size=False)) == 48


@settings(max_examples=15, deadline=None)
@given(brightest=st.floats(0.02, 1.0), step=st.floats(0.0, 8.0))
def test_the_right_size_is_never_refused(tmp_path_factory, brightest, step):
    assert len(opened(tmp_path_factory.mktemp('a'), planes(32, brightest, step), HEIGHT, WIDTH)) == 32


def test_bits_at_random_and_short_files_are_not_judged():
    rng = np.random.default_rng(1)
    check_plane_bytes(rng.integers(0, 256, 60_000, np.uint8), 1200, 'random')
    check_plane_bytes(planes(1).reshape(-1), 600, 'one plane')


def test_recorded_clips_are_accepted_at_their_size_only(shared_data):
    for path in sorted((shared_data / 'spike_reds_gt').glob('**/*.dat')):
        assert SpikeStream.from_dat(path, height=250, width=400, plane_period_ns=25_000).height == 250
        for height, width in [(250, 416), (400, 250), (251, 400)]:
            with pytest.raises(DataError, match=r'12500 bytes|250 rows of 400|whole number of planes'):
                SpikeStream.from_dat(path, height=height, width=width, plane_period_ns=25_000)
