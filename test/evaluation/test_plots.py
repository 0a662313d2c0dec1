# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of plots."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from event_perception.evaluation.plots import Series, histogram, line_plot, nice_ticks

SVG = '{http://www.w3.org/2000/svg}'


def plotted(*series):
    return line_plot(list(series), title='Rate', x_label='time, s', y_label='rate, rad/s')


def curves(svg):
    return [
        p.get('d') for p in ElementTree.fromstring(svg).iter(f'{SVG}path') if p.get('stroke-width') == '1.6'
    ]


def texts(svg):
    return [t.text for t in ElementTree.fromstring(svg).iter(f'{SVG}text')]


@pytest.mark.parametrize(
    ('low', 'high', 'ticks'),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (-0.3, 0.3, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]), (0, 1.2, [0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]),
     (1e6, 1.5e6, [1e6, 1.1e6, 1.2e6, 1.3e6, 1.4e6, 1.5e6])],
)  # fmt: skip
def test_ticks_are_round_numbers_inside_the_range(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_a_plot_is_an_svg_with_title_labels_and_legend():
    svg = plotted(Series('a < b', [0, 1], [0, 1]), Series('', [0, 1], [1, 0]))
    assert {'Rate', 'time, s', 'rate, rad/s', 'a < b'} <= set(texts(svg))
    assert len(curves(svg)) == 2


def test_a_curve_goes_through_its_points_upwards_for_larger_values():
    (path,) = curves(plotted(Series('', [0, 1, 2], [0.0, 5.0, 10.0])))
    points = np.array(re.findall(r'[ML]([\d.]+) ([\d.]+)', path), float)
    assert np.diff(points[:, 0]).tolist() == pytest.approx([points[1, 0] - points[0, 0]] * 2, abs=0.2)
    assert (np.diff(points[:, 1]) < 0).all()


def test_a_value_that_is_not_finite_interrupts_the_curve():
    (path,) = curves(plotted(Series('', range(6), [0, 1, np.nan, 2, np.inf, 3])))
    assert re.sub(r'[\d. ]', '', path) == 'MLMM'


def test_a_long_curve_is_thinned_but_keeps_its_peak():
    y = np.zeros(100_000)
    y[54_321] = 1.0
    (path,) = curves(plotted(Series('', np.arange(100_000), y)))
    ordinates = [float(v) for v in re.findall(r'[ML][\d.]+ ([\d.]+)', path)]
    assert len(ordinates) <= 1500
    assert min(ordinates) < max(ordinates) - 100


@pytest.mark.parametrize('y', [[], [np.nan, np.nan], [0.0, 0.0], [3.0, 3.0]])
def test_empty_and_constant_curves_can_be_drawn(y):
    svg = plotted(Series('flat', range(len(y)), y))
    assert 'nan' not in svg
    assert len(curves(svg)) == 1


def test_a_histogram_has_a_bar_for_every_filled_interval():
    svg = histogram([0, 0, 0, 1, np.nan, 10], title='Times', x_label='ms', bins=10)
    bars = list(ElementTree.fromstring(svg).iter(f'{SVG}rect'))
    assert len(bars) == 3
    heights = [float(b.get('height')) for b in bars]
    assert heights[0] == pytest.approx(3 * heights[1], rel=0.01)
