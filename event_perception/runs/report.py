# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``report.html`` of a run folder: what was found, in pictures, and how it went, in figures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.evaluation import pictures, plots
from event_perception.evaluation.tags import count_tags
from event_perception.io import read_egomotion, read_trajectory
from event_perception.runs.html import HtmlPage
from event_perception.runs.montage import read_flow, sharpest
from event_perception.runs.reference import seconds
from event_perception.runs.topic_log import read_twists

IMAGES_SHOWN = 4
LATE_FIGURE_PERCENT = 95

Figure = tuple[bytes | str, str]


def write_report(
    folder: Path,
    *,
    title: str,
    note: str = '',
    extra: Mapping[str, Any] | None = None,
    lead: tuple[Figure, ...] = (),
) -> Path:
    """Make the page from the files in a run folder; what was not run is left out.

    Args:
        folder: A run folder; ``report.html`` is written into it.
        title: Heading.
        note: Something the reader must know, such as an approximate calibration.
        extra: Figures to show before those of ``metrics.json``.
        lead: Figures to show first.

    Returns:
        Path of the page.
    """
    metrics = json.loads((folder / 'metrics.json').read_text())
    page = HtmlPage(title, note)
    page.table(dict(extra or {}) or _overview(metrics))
    if lead:
        page.figures(lead)
    _images(page, folder)
    _warped(page, folder if (folder / 'warped').is_dir() else folder / 'offline')
    _flow(page, folder)
    _motion(page, folder)
    page.heading('All figures')
    page.table(metrics)
    page.heading('Environment')
    page.table(json.loads((folder / 'environment.json').read_text()))
    page.write(folder / 'report.html')
    return folder / 'report.html'


def _spike_overview(metrics: dict[str, Any]) -> dict[str, Any]:
    recording, processing = metrics['recording'], metrics['processing']
    return {
        'spike planes': recording['spike_planes'],
        'duration, s': recording['duration_s'],
        'processed at, planes/s': recording['spike_planes'] / max(processing['wall_s'], 1e-9),
        'real-time factor': processing['real_time_factor'],
        'images': metrics['outputs'].get('images'),
    }


def _overview(metrics: dict[str, Any]) -> dict[str, Any]:
    """The dozen figures that one looks for first."""
    windows, egomotion = metrics['windows'], metrics['egomotion']
    if metrics['recording'].get('spike_planes'):
        return _spike_overview(metrics)
    return {
        'events': metrics['recording']['events'],
        'duration, s': metrics['recording']['duration_s'],
        'rate of the recording, Mev/s': metrics['recording']['rate_mev_s'],
        'processed at, Mev/s': metrics['processing']['speed_mev_s'],
        'real-time factor': metrics['processing']['real_time_factor'],
        'windows': windows['windows'],
        'converged, share': windows['converged_share'],
        'evaluations a window, median': egomotion['evaluations_median'],
        'contrast gain, median': egomotion['contrast_gain_median'],
    }


def _images(page: HtmlPage, folder: Path) -> None:
    files = _in_time(folder / 'images', '*.png')
    if not files:
        return
    page.heading('Images')
    figures: list[Figure] = []
    for file in _spread(files, IMAGES_SHOWN):
        image = np.float32(1 / 255) * np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.float32)
        tags = count_tags(image)
        found = f', {len(tags)} AprilTags read' if len(tags) else ''
        picture = pictures.tags_picture(image, tags)
        figures.append((pictures.png_bytes(picture), f'{_since(file, files)}{found}'))
    page.figures(figures)


def _warped(page: HtmlPage, folder: Path) -> None:
    files = _in_time(folder / 'warped', '*.npz')
    if not files:
        return
    with np.load(sharpest(files)) as pair:
        before, after = pair['unwarped'], pair['warped']
    scale = pictures.event_scale(after)
    page.heading('Events before and after motion compensation')
    page.figures(
        [
            (pictures.png_bytes(pictures.events_picture(before, scale=scale)), 'as they came'),
            (pictures.png_bytes(pictures.events_picture(after, scale=scale)), 'warped to the reference time'),
        ]
    )


def _flow(page: HtmlPage, folder: Path) -> None:
    files = _in_time(folder / 'flow', '*.npz')
    fields = [(file, read_flow(file)) for file in _spread(files, 12)]
    shown = [(file, field) for file, field in fields if field.valid.any()]
    if not shown:
        return
    fastest = max(shown, key=lambda pair: pictures.typical_speed(pair[1]))
    page.heading('Optical flow')
    chosen = sorted(
        {fastest[0]: fastest, shown[len(shown) // 2][0]: shown[len(shown) // 2]}.values(), key=lambda p: p[0]
    )
    page.figures(
        [(pictures.png_bytes(pictures.flow_picture(field)), _since(file, files)) for file, field in chosen]
    )


def _motion(page: HtmlPage, folder: Path) -> None:
    figures: list[Figure] = []
    if (folder / 'egomotion.csv').is_file():
        figures += _egomotion_plots(folder / 'egomotion.csv')
    elif (folder / 'twist.csv').is_file():
        twists = read_twists(folder / 'twist.csv')
        figures.append(_rate_plot(twists.t_ns, twists.omega_rad_s))
    if (folder / 'trajectory.tum').is_file():
        figures.append(_orientation_plot(folder / 'trajectory.tum'))
    if figures:
        page.heading('Motion')
        page.figures(figures)


def _egomotion_plots(file: Path) -> list[Figure]:
    table = read_egomotion(file)
    figures = [_rate_plot(table.t_ns, np.where(table.converged[:, None], table.omega_rad_s, np.nan))]
    if np.isfinite(table.solve_ms).any():
        histogram = plots.histogram(
            table.solve_ms, title='Time to solve a window', x_label='ms', y_label='windows'
        )
        late = np.nanpercentile(table.solve_ms, LATE_FIGURE_PERCENT)
        figures.append((histogram, f'{LATE_FIGURE_PERCENT} % of the windows within {late:.2f} ms'))
    return figures


def _rate_plot(t_ns: NDArray[np.int64], omega_rad_s: NDArray[np.float64]) -> Figure:
    t_s, omega = seconds(t_ns - t_ns[:1]), np.rad2deg(omega_rad_s)
    curves = [
        plots.Series(name, t_s, omega[:, k]) for k, name in enumerate(('x right', 'y down', 'z forward'))
    ]
    svg = plots.line_plot(curves, title='Angular velocity', x_label='time, s', y_label='deg/s')
    return svg, 'camera optical frame; gaps where the estimate did not converge'


def _orientation_plot(file: Path) -> Figure:
    from scipy.spatial.transform import Rotation

    trajectory = read_trajectory(file)
    turned = Rotation.from_matrix(trajectory.T_world_body[:, :3, :3]).as_rotvec(degrees=True)
    t_s = seconds(trajectory.t_ns - trajectory.t_ns[:1])
    curves = [plots.Series(f'about {axis}', t_s, turned[:, k]) for k, axis in enumerate('xyz')]
    svg = plots.line_plot(curves, title='Orientation', x_label='time, s', y_label='rotation vector, deg')
    return svg, 'odometry frame: the camera optical frame at the start'


def _in_time(folder: Path, pattern: str) -> list[Path]:
    """Files named after their instant in ns, in time order."""
    return sorted(folder.glob(pattern), key=lambda file: int(file.stem))


def _spread(files: list[Path], count: int) -> list[Path]:
    """So many files, evenly spread, the last one among them."""
    if len(files) <= count:
        return files
    return [files[round((k + 1) * len(files) / count) - 1] for k in range(count)]


def _since(file: Path, files: list[Path]) -> str:
    return f'{(int(file.stem) - int(files[0].stem)) * 1e-9:.3f} s after the first'
