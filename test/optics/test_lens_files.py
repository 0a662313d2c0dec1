# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Lens files: what is read is what was written, and what cannot be read is said."""

import json
from importlib.util import find_spec

import pytest
import torch

from event_perception.errors import DataError, PluginError
from event_perception.optics import first_order, read_lens, shipped_lens, shipped_lenses, write_lens
from event_perception.optics.deeplens import DeepLensAdapter
from event_perception.optics.glass import LINE_C_UM, LINE_D_UM, LINE_F_UM, glass

SINGLET = [
    {'type': 'Aperture', 'r': 4.0, 'd_next': 1.0, 'mat2': 'air'},
    {'type': 'Spheric', 'r': 5.0, 'c': 0.9, 'roc': 50.0, 'd_next': 3.0, 'mat2': '1.5/60'},
    {'type': 'Aspheric', 'r': 5.0, 'roc': 0, 'k': -1.5, 'ai': [0.001, -2e-5], 'd_next': 40.0, 'mat2': 'air'},
]


def deeplens_file(folder, surfaces):
    file = folder / 'lens.json'
    file.write_text(json.dumps({'info': 'a singlet', 'foclen': 1.0, 'surfaces': surfaces}))
    return file


def yaml_file(folder, text):
    file = folder / 'lens.yaml'
    file.write_text(text)
    return file


def test_a_deeplens_file_is_read_with_roc_before_c_and_0_as_a_plane(tmp_path):
    lens = read_lens(deeplens_file(tmp_path, SINGLET))
    assert lens.curvature.tolist() == [0.0, 0.02, 0.0]
    assert lens.conic.tolist() == [0.0, 0.0, -1.5]
    assert lens.asphere.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.001, -2e-5]]
    assert lens.gap.tolist() == [1.0, 3.0, 40.0]
    assert [m.n_d for m in lens.media] == [1.0, 1.5, 1.0]
    assert lens.stop == 0


def test_the_focal_length_of_a_deeplens_file_is_computed_not_taken(tmp_path):
    lens = read_lens(deeplens_file(tmp_path, SINGLET))
    # powers 0.5/50 and -0.5 * 2 * 0.001 behind 3 mm of index 1.5
    power = 0.01 - 0.001 + 0.01 * 0.001 * 3 / 1.5
    assert lens.focal_length_mm == pytest.approx(1 / power, rel=1e-12)


@pytest.mark.parametrize('name', shipped_lenses())
def test_a_written_lens_reads_back_equal(tmp_path, name):
    lens = shipped_lens(name)
    write_lens(lens, tmp_path / 'again.yaml')
    again = read_lens(tmp_path / 'again.yaml')
    for part in ('curvature', 'conic', 'gap', 'semi_aperture'):
        torch.testing.assert_close(getattr(again, part), getattr(lens, part), rtol=1e-14, atol=0)
    assert float(first_order(again).efl_mm) == pytest.approx(float(first_order(lens).efl_mm), rel=1e-12)
    assert (again.stop, again.name, again.wavelengths_um) == (lens.stop, lens.name, lens.wavelengths_um)


@pytest.mark.parametrize(
    'surface, message',
    [
        ({'type': 'Mirror'}, "has type 'Mirror'; this tracer knows"),
        ({'mat2': 'unobtainium'}, "glass 'unobtainium' is not in the catalogue"),
        ({'mat2': '0.5/60'}, 'nd must lie in'),
        ({'mat2': '1.5/x'}, 'expected "nd/Vd"'),
    ],
)
def test_an_unknown_surface_or_glass_is_an_error_that_names_it(tmp_path, surface, message):
    rows = [dict(row) for row in SINGLET]
    rows[1] |= surface
    with pytest.raises(DataError, match=message):
        read_lens(deeplens_file(tmp_path, rows))


@pytest.mark.parametrize(
    'text, message',
    [
        ('surfaces: [', 'cannot be read as a lens file'),
        ('name: nothing', 'a mapping with a list "surfaces"'),
        ('surfaces: [{gap: 1, semi_aperture: 1}]', 'mark exactly one'),
        ('surfaces: [{gap: 1, semi_aperture: 1, stop: true, colour: red}]', r"unknown keys \['colour'\]"),
        ('surfaces: [{radius: 5, semi_aperture: 1, stop: true}]', "KeyError 'gap'"),
        (
            'surfaces: [{radius: 5, gap: 1, semi_aperture: 0, stop: true, glass: air}]',
            'semi_aperture must be above 0',
        ),
        (
            'surfaces: [{radius: 5, gap: 1, semi_aperture: 1, stop: true, glass: f2}]',
            'before the sensor must be air',
        ),
    ],
)
def test_a_wrong_lens_file_is_an_error_in_words(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_lens(yaml_file(tmp_path, f'focal_length: 10\n{text}' if 'surfaces: [{' in text else text))


def test_an_unknown_shipped_lens_is_an_error_that_lists_the_known_ones():
    with pytest.raises(DataError, match='cooke_triplet'):
        shipped_lens('no_such_lens')


def test_the_index_of_a_glass_has_its_abbe_number():
    flint = glass('F2')
    n = {line: flint.index(line) for line in (LINE_F_UM, LINE_D_UM, LINE_C_UM)}
    assert n[LINE_D_UM] == 1.62004
    assert (n[LINE_D_UM] - 1) / (n[LINE_F_UM] - n[LINE_C_UM]) == pytest.approx(36.37, rel=1e-12)


def test_deeplens_that_is_not_there_is_an_error_with_a_remedy(tmp_path):
    if find_spec('deeplens') is not None:
        pytest.skip('DeepLens is installed')
    with pytest.raises(PluginError, match=r'pip install event_perception\[optics\]'):
        DeepLensAdapter(deeplens_file(tmp_path, SINGLET))
