# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``evaluation.html``: a run beside its reference, in plots: trajectory, errors over time, what the covariance claims."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from event_perception.evaluation import plots
from event_perception.evaluation.trajectory_series import SIGMAS, TrajectorySeries, relative_errors, series_of
from event_perception.io.bag_poses import is_bag
from event_perception.io.egomotion_csv import EgomotionTable
from event_perception.runs.compare import Judged
from event_perception.runs.html import HtmlPage
from event_perception.runs.reference import AngularVelocity, seconds

Figure = tuple[bytes | str, str]
Vectors = NDArray[np.float64]

AXES = ('x', 'y', 'z')
SPANS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
WRAPPED_DEG = 180.0  # a rotation vector that changes by more from pose to pose has gone round


def evaluation_page(judged: Path) -> Path:
    """Where the page of a run folder lies: in it; that of a bag lies beside it."""
    if judged.is_dir() and not is_bag(judged):
        return judged / 'evaluation.html'
    return judged.with_name(f'{judged.name}_evaluation.html')


def write_evaluation(file: Path, *, title: str, errors: Mapping[str, Any], pair: Judged) -> Path:
    """Make the page; what was not compared is left out.

    Args:
        file: The page; replaced if it exists.
        title: Heading.
        errors: What ``compare`` returned.
        pair: What was compared.

    Returns:
        Its path.
    """
    page = HtmlPage(title, 'The first poses are laid over each other in all plots over time.')
    truth, ours = pair.truth.trajectory, pair.trajectory
    if truth is not None and ours is not None:
        _trajectory(page, series_of(truth, ours), pair)
    if pair.rates is not None and pair.truth.omega is not None:
        page.heading('Angular velocity')
        page.figures(_rates(pair.rates, pair.truth.omega), size='halves')
    page.heading('All figures')
    page.table(errors)
    page.write(file)
    return file


def _trajectory(page: HtmlPage, series: TrajectorySeries, pair: Judged) -> None:
    page.heading('Trajectory')
    page.figures(_path(series), size='wide')
    page.figures(_over_time(series), size='halves')
    page.heading('Errors')
    page.figures(_errors(series), size='halves')
    claims = pair.claims
    if claims is not None and pair.trajectory is not None and len(claims) == len(pair.trajectory):
        covariance = claims.pose_covariance[series.index]
        page.heading('What the covariance claims')
        page.figures([*_bands(series, covariance), _normalised(series, covariance)], size='halves')
    found = relative_errors(series, SPANS_S)
    if found:
        page.heading('Drift over time spans')
        page.grid(('span, s', 'm', 'm a minute', 'deg', 'deg a minute'), [_drift_row(*row) for row in found])


def _drift_row(span_s: float, shift_m: float, turn_deg: float) -> tuple[str, ...]:
    values = (span_s, shift_m, 60 * shift_m / span_s, turn_deg, 60 * turn_deg / span_s)
    return tuple('-' if np.isnan(value) else f'{value:.4g}' for value in values)


def _path(series: TrajectorySeries) -> list[Figure]:
    """Seen along the axis in which the reference extends least."""
    if series.position_error_m is None:
        return []
    truth, ours = series.truth[:, :3, 3], series.ours[:, :3, 3]
    across, up = sorted(np.argsort(np.ptp(truth, axis=0))[1:])
    curves = [
        plots.Series('estimate', ours[:, across], ours[:, up]),
        plots.Series('reference', truth[:, across], truth[:, up], dashed=True),
    ]
    labels = {'x_label': f'{AXES[across]}, m', 'y_label': f'{AXES[up]}, m'}
    svg = plots.line_plot(curves, title='Path', equal=True, **labels)
    return [(svg, 'in the odometry frame, along the axis of least extent')]


def _over_time(series: TrajectorySeries) -> list[Figure]:
    start = Rotation.from_matrix(series.ours[0, :3, :3]).inv()
    ours, truth = (
        _rotation_vectors(start * Rotation.from_matrix(T[:, :3, :3])) for T in (series.ours, series.truth)
    )
    figures = [_pairs(series.t_s, ours, truth, 'Orientation', 'rotation vector, deg')]
    if series.position_error_m is not None:
        figures.append(_pairs(series.t_s, series.ours[:, :3, 3], series.truth[:, :3, 3], 'Position', 'm'))
    return figures


def _pairs(t_s: Vectors, ours: Vectors, truth: Vectors, title: str, unit: str) -> Figure:
    curves = [plots.Series(axis, t_s, ours[:, k]) for k, axis in enumerate(AXES)]
    # the colours go round after six: so each reference has the colour of its estimate
    padding = [plots.Series('', [], []) for _ in range(len(plots.COLOURS) - len(AXES))]
    dashed = [plots.Series('', t_s, truth[:, k], dashed=True) for k in range(len(AXES))]
    svg = plots.line_plot([*curves, *padding, *dashed], title=title, x_label='time, s', y_label=unit)
    return svg, 'estimate solid, reference dashed'


def _rotation_vectors(rotation: Rotation) -> Vectors:
    """Degrees, interrupted where they go round."""
    vectors = np.rad2deg(rotation.as_rotvec())
    jumps = np.linalg.norm(np.diff(vectors, axis=0), axis=1) > WRAPPED_DEG
    vectors[1:][jumps] = np.nan
    return np.asarray(vectors)


def _errors(series: TrajectorySeries) -> list[Figure]:
    turn = np.rad2deg(np.linalg.norm(series.turn_error_rad, axis=1))
    minutes = series.t_s[-1] / 60
    drift = f'{turn[-1]:.3g} deg at the end, {turn[-1] / minutes:.3g} deg a minute' if minutes > 0 else ''
    figures = [_one('Orientation error', series.t_s, turn, 'deg', drift)]
    if series.position_error_m is not None:
        shift = np.linalg.norm(series.position_error_m, axis=1)
        path_m = float(np.linalg.norm(np.diff(series.truth[:, :3, 3], axis=0), axis=1).sum())
        share = (
            f'{shift[-1]:.3g} m at the end of {path_m:.3g} m, {shift[-1] / max(path_m, 1e-9):.3g} m a metre'
        )
        figures.append(_one('Position error', series.t_s, shift, 'm', share))
    return figures


def _one(title: str, t_s: Vectors, values: Vectors, unit: str, caption: str) -> Figure:
    svg = plots.line_plot([plots.Series('', t_s, values)], title=title, x_label='time, s', y_label=unit)
    return svg, caption


def _bands(series: TrajectorySeries, covariance: Vectors) -> list[Figure]:
    """Error of each axis between plus and minus three claimed standard deviations."""
    deviations = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    groups = [('Orientation', 'deg', np.rad2deg(series.turn_error_rad), np.rad2deg(deviations[:, 3:]))]
    if series.position_error_m is not None:
        groups.append(('Position', 'm', series.position_error_m, deviations[:, :3]))
    return [
        _band(f'{name}, {axis}', series.t_s, errors[:, k], SIGMAS * widths[:, k], unit)
        for name, unit, errors, widths in groups
        for k, axis in enumerate(AXES)
    ]


def _band(title: str, t_s: Vectors, error: Vectors, width: Vectors, unit: str) -> Figure:
    curves = [
        plots.Series('error', t_s, error),
        plots.Series(f'{SIGMAS:g} sigma', t_s, width, dashed=True),
        *(plots.Series('', [], []) for _ in plots.COLOURS[1:]),
        plots.Series('', t_s, -width, dashed=True),
    ]
    inside = 100 * float(np.mean(np.abs(error[1:]) <= width[1:]))
    svg = plots.line_plot(curves, title=title, x_label='time, s', y_label=f'error, {unit}')
    return svg, f'{inside:.1f} % of the errors inside (99.7 % if errors are normal and the claim is right)'


def _normalised(series: TrajectorySeries, covariance: Vectors) -> Figure:
    """Size of the error in units of what is claimed: sqrt(e^T C^-1 e / k)."""
    parts = [('orientation', series.turn_error_rad, covariance[:, 3:, 3:])]
    if series.position_error_m is not None:
        parts.append(('position', series.position_error_m, covariance[:, :3, :3]))
    curves = []
    for name, errors, blocks in parts:
        worth = np.einsum('nk,nk->n', errors, np.linalg.solve(blocks, errors[..., None])[..., 0])
        curves.append(plots.Series(name, series.t_s, np.sqrt(np.maximum(worth, 0) / 3)))
    svg = plots.line_plot(curves, title='Error over claim', x_label='time, s', y_label='claimed sizes')
    return svg, 'about 1 if the covariance is right; above, it promises too much'


def _rates(table: EgomotionTable, truth: AngularVelocity) -> list[Figure]:
    t_s = seconds(table.t_ns - table.t_ns[:1])
    reference = np.rad2deg(truth.at(seconds(table.t_ns)))
    ours = np.rad2deg(np.where(table.converged[:, None], table.omega_rad_s, np.nan))
    error = np.linalg.norm(ours - reference, axis=1)
    return [
        _pairs(t_s, ours, reference, 'Angular velocity', 'deg/s'),
        _one('Error of the angular velocity', t_s, error, 'deg/s', f'against {truth.source}'),
    ]
