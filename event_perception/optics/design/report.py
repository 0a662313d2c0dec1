# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``report.html`` of a design: figures before and after, curves of loss and parameters, pictures of both."""

import json
from collections.abc import Mapping

from event_perception.evaluation.plots import Series, line_plot
from event_perception.optics.design.folder import DesignFolder
from event_perception.optics.design.loop import DesignResult
from event_perception.optics.design.problem import Assessment, Picture
from event_perception.runs.html import HtmlPage

CURVES_A_PLOT = 6


def write_design_report(
    folder: DesignFolder,
    result: DesignResult,
    start: Assessment,
    end: Assessment,
    *,
    title: str,
    loss_name: str = 'loss',
    note: str = '',
) -> None:
    """Make the page from the history of a design and two assessments."""
    history = folder.history()
    page = HtmlPage(title, note or f'{result.steps} steps, {result.rejected} taken back')
    page.heading('Before and after')
    rows = [
        [name, start.figures[name], value, _ratio(start.figures[name], value)]
        for name, value in end.figures.items()
    ]
    page.grid(['', 'start', 'result', 'result / start'], rows)
    for before, after in zip(start.pictures, end.pictures):
        page.figures([_titled(before, 'start'), _titled(after, 'result')])
    page.heading('Curves')
    curves = [(picture, '') for picture in _curves(history, loss_name)]
    for k in range(0, len(curves), 2):
        page.figures(curves[k : k + 2])
    page.heading('Environment')
    page.table(json.loads((folder.path / 'environment.json').read_text()))
    page.write(folder.path / 'report.html')


def _titled(picture: Picture, when: str) -> Picture:
    return picture[0], f'{when}: {picture[1]}'


def _ratio(before: float, after: float) -> float | None:
    return after / before if before else None


def _curves(history: Mapping[str, list[float]], loss_name: str) -> list[str]:
    """Loss, figures of the loss, and every tensor of parameters as its change since the start."""
    steps = history.get('step', [])
    plots = [_plot(steps, {loss_name: history['loss']}, loss_name)] if steps else []
    others = [n for n in history if n not in ('step', 'loss', 'gradient_norm')]
    plots += [_plot(steps, {n: history[n]}, n) for n in others if '[' not in n]
    groups: dict[str, list[str]] = {}
    for name in others:
        if '[' in name:
            groups.setdefault(name.partition('[')[0], []).append(name)
    for tensor, names in groups.items():
        for k in range(0, len(names), CURVES_A_PLOT):
            part = names[k : k + CURVES_A_PLOT]
            moved = {n.removeprefix(tensor): [v - history[n][0] for v in history[n]] for n in part}
            plots.append(_plot(steps, moved, f'{tensor}, change since the start'))
    return plots


def _plot(steps: list[float], columns: Mapping[str, list[float]], title: str) -> str:
    label = '' if len(columns) == 1 else 'change'
    series = [Series('' if len(columns) == 1 else name, steps, values) for name, values in columns.items()]
    return line_plot(series, title=title, x_label='step', y_label=label)
