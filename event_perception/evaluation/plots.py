# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Line plots and histograms as SVG text: for a page that stands alone, without a plotting library."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLOURS = ('#2563a8', '#c8472d', '#2f8f5b', '#8a5bb5', '#c48a12', '#4a5568')
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 46
MAX_POINTS = 1500  # a curve of more points is thinned to the extremes of each stretch: it looks the same
STYLE = (
    'font-family:system-ui,sans-serif;font-size:12px;fill:#1d2430;'
    'font-variant-numeric:tabular-nums;background:#fff'
)


@dataclass(frozen=True, eq=False)
class Series:
    """One curve; a value that is not finite interrupts it.

    Attributes:
        label: For the legend; empty for none.
        x: Abscissae (n,).
        y: Ordinates (n,).
        dashed: Whether to draw it dashed, as for a reference.
        dots: Whether to draw dots instead of a line.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True)
class _Axes:
    """Maps data to the drawing area."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: NDArray[np.float64] | float) -> NDArray[np.float64]:
        share = (np.asarray(value, float) - self.x_low) / (self.x_high - self.x_low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: NDArray[np.float64] | float) -> NDArray[np.float64]:
        share = (np.asarray(value, float) - self.y_low) / (self.y_high - self.y_low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def line_plot(
    series: Sequence[Series], *, title: str, x_label: str, y_label: str, equal: bool = False
) -> str:
    """Curves over a common abscissa, with axes, grid and legend.

    Args:
        series: Curves; colours follow their order.
        title: Line above the plot.
        x_label: With unit, as 'time, s'.
        y_label: With unit.
        equal: Whether both axes have the same scale, as a map needs it.

    Returns:
        An ``<svg>`` element.
    """
    axes = _axes_around([s.x for s in series], [s.y for s in series])
    axes = _of_one_scale(axes) if equal else axes
    parts = [_grid(axes), *(_curve(s, k, axes) for k, s in enumerate(series)), _legend(series)]
    return _svg(parts, title, x_label, y_label)


def histogram(values: ArrayLike, *, title: str, x_label: str, bins: int = 30, y_label: str = 'count') -> str:
    """Bars of how many finite values fall in each of equal intervals.

    Returns:
        An ``<svg>`` element.
    """
    data = np.asarray(values, float).ravel()
    count, edges = np.histogram(data[np.isfinite(data)], bins=bins)
    axes = _axes_around([edges], [[0.0, *count]], pad_x=False)
    bars = ''.join(_bar(axes, left, right, n) for left, right, n in zip(edges, edges[1:], count) if n)
    return _svg(
        [_grid(axes), f'<g fill="{COLOURS[0]}" fill-opacity=".75">{bars}</g>'], title, x_label, y_label
    )


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers 1, 2, 2.5 or 5 times a power of ten, about so many, from low to high."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= 0.77 * raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step + 0.0 for k in range(first, last + 1)]


def _axes_around(xs: Iterable[ArrayLike], ys: Iterable[ArrayLike], *, pad_x: bool = True) -> _Axes:
    x_low, x_high = _range(xs)
    y_low, y_high = _range(ys)
    margin = 0.06 * (y_high - y_low)
    bottom = y_low if y_low == 0 else y_low - margin
    side = 0.01 * (x_high - x_low) if pad_x else 0.0
    return _Axes(x_low - side, x_high + side, bottom, y_high + margin)


def _of_one_scale(axes: _Axes) -> _Axes:
    """Widen one of them about its middle."""
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    per_pixel = max((axes.x_high - axes.x_low) / wide, (axes.y_high - axes.y_low) / high)
    x, y = (axes.x_low + axes.x_high) / 2, (axes.y_low + axes.y_high) / 2
    half_x, half_y = per_pixel * wide / 2, per_pixel * high / 2
    return _Axes(x - half_x, x + half_x, y - half_y, y + half_y)


def _range(arrays: Iterable[ArrayLike]) -> tuple[float, float]:
    """Least and largest finite value, never equal."""
    joined = np.concatenate([np.zeros(0), *(np.asarray(a, float).ravel() for a in arrays)])
    finite = joined[np.isfinite(joined)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    half = 0.5 * abs(low) or 0.5
    return low - half, high + half


def _grid(axes: _Axes) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    lines, texts = [], []
    for tick in (xs := nice_ticks(axes.x_low, axes.x_high, 6)):
        x = float(axes.x(tick))
        lines.append(f'<path d="M{x:.1f} {TOP}V{bottom}"/>')
        texts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{_number(tick, xs)}</text>')
    for tick in (ys := nice_ticks(axes.y_low, axes.y_high)):
        y = float(axes.y(tick))
        lines.append(f'<path d="M{LEFT} {y:.1f}H{right}"/>')
        texts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{_number(tick, ys)}</text>')
    frame = f'<path d="M{LEFT} {TOP}V{bottom}H{right}" stroke="#8b95a3" fill="none"/>'
    return f'<g stroke="#e3e7ec">{"".join(lines)}</g>{frame}<g fill="#5b6675">{"".join(texts)}</g>'


def _number(value: float, ticks: Sequence[float]) -> str:
    """As many decimals as the step of the ticks needs."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(value) or 1.0
    if max(abs(t) for t in ticks) >= 1e5 or step < 1e-4:
        return f'{value:.3g}'
    decimals = next((d for d in range(6) if abs(step * 10**d - round(step * 10**d)) < 1e-6), 6)
    return f'{value:.{decimals}f}'.replace('-', '\N{MINUS SIGN}')


def _curve(series: Series, index: int, axes: _Axes) -> str:
    x, y = np.asarray(series.x, float).ravel(), np.asarray(series.y, float).ravel()
    colour = COLOURS[index % len(COLOURS)]
    if series.dots:
        known = np.isfinite(x) & np.isfinite(y)
        marks = ''.join(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2"/>' for a, b in zip(axes.x(x[known]), axes.y(y[known]))
        )
        return f'<g fill="{colour}">{marks}</g>'
    dash = ' stroke-dasharray="5 4"' if series.dashed else ''
    path = _path(axes, *_thinned(x, y))
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"{dash}/>'
    )


def _path(axes: _Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    known = np.isfinite(x) & np.isfinite(y)
    px, py = axes.x(np.where(known, x, axes.x_low)), axes.y(np.where(known, y, axes.y_low))
    begins = known & ~np.concatenate([[False], known[:-1]])
    return ''.join(f'{"M" if begins[k] else "L"}{px[k]:.1f} {py[k]:.1f}' for k in np.flatnonzero(known))


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep the extremes of equal stretches of a long curve."""
    if len(x) <= MAX_POINTS:
        return x, y
    keep = []
    for part in np.array_split(np.arange(len(x)), MAX_POINTS // 2):
        known = part[np.isfinite(y[part])]
        keep += (
            sorted({int(known[y[known].argmin()]), int(known[y[known].argmax()])})
            if len(known)
            else [part[0]]
        )
    return x[keep], y[keep]


def _bar(axes: _Axes, left: float, right: float, count: float) -> str:
    x, y = float(axes.x(left)), float(axes.y(count))
    width = float(axes.x(right)) - x
    return f'<rect x="{x + 0.5:.1f}" y="{y:.1f}" width="{max(0.5, width - 1):.1f}" height="{HEIGHT - BOTTOM - y:.1f}"/>'


def _legend(series: Sequence[Series]) -> str:
    """From the right end of the title line, leftwards."""
    parts, right = [], float(WIDTH - RIGHT)
    for k, s in reversed(list(enumerate(series))):
        if not s.label:
            continue
        left = right - 7.0 * len(s.label) - 26
        dash = ' stroke-dasharray="5 4"' if s.dashed else ''
        colour = COLOURS[k % len(COLOURS)]
        parts.append(f'<path d="M{left:.1f} 18h18" stroke="{colour}" stroke-width="2.4"{dash}/>')
        parts.append(f'<text x="{left + 22:.1f}" y="22">{escape(s.label)}</text>')
        right = left - 8
    return ''.join(parts)


def _svg(parts: Iterable[str], title: str, x_label: str, y_label: str) -> str:
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" style="{STYLE}">'
        f'<text x="{LEFT}" y="22" font-weight="600">{escape(title)}</text>{"".join(parts)}'
        f'<text x="{middle_x}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text x="15" y="{middle_y}" text-anchor="middle" transform="rotate(-90 15 {middle_y})">'
        f'{escape(y_label)}</text></svg>'
    )
