# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The study of trained spike networks prints a row a stream with all scores."""

import pytest

from event_perception.evaluation import learned_study

pytestmark = pytest.mark.usefixtures('one_thread')


def test_the_table_has_a_row_a_stream_and_a_column_a_method(monkeypatch):
    monkeypatch.setattr(learned_study, 'GAINS', (0.6,))
    monkeypatch.setattr(learned_study, 'SPEEDS_PX_PLANE', (0.1,))
    monkeypatch.setattr(learned_study, 'HEIGHT', 96)
    monkeypatch.setattr(learned_study, 'N_PLANES', 101)
    rows = learned_study.study({})
    assert [(row['gain'], row['speed_px_plane']) for row in rows] == [(0.6, 0.1)]
    scores = rows[0]['scores']
    assert list(scores) == ['tfp 7', 'tfp 31', 'tfi', 'ati']
    assert scores['tfp 7'][0] < scores['ati'][0] and scores['tfp 7'][1] < scores['ati'][1]
    assert scores['tfp 7'][2] > scores['ati'][2] > rows[0]['truth_niqe']
    lines = learned_study.table(rows).splitlines()
    assert len(lines) == 3 and all(line.count('|') == 7 for line in lines)


def test_the_cost_of_small_networks_is_known_for_both_methods(monkeypatch):
    monkeypatch.setattr(learned_study, 'REPEATS', 1)
    monkeypatch.setattr(learned_study, 'IMAGE_SIZE', (24, 32))
    small = {
        'ssml': ['task.network.width=3', 'task.clips.height=8', 'task.clips.width=8', 'task.batch=1'],
        'stir': ['task.width=8', 'task.clips.height=32', 'task.clips.width=32', 'task.batch=1'],
    }
    pictures = ['task.clips.own_pictures=1', 'task.clips.picture_side_px=64']
    costs = learned_study.cost({name: [*lines, *pictures] for name, lines in small.items()})
    assert set(costs) == {'ssml', 'stir'}
    assert all(c['first_step_s'] > 0 and c['image_s'] > 0 and c['recipe_days'] > 0 for c in costs.values())
