# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to event images, by four models of the gradient behind one call.

    expected    mean over the known spread of thresholds; events move, appear and disappear (``expected_events``)
    implicit    the same mean; events move, their number is held fixed (``diff_events`` and its like)
    soft        ``soft_events``: two sigmoids of the difference of frames, one event a pixel and frame at most
    one_event   hard forward, one event a pixel and frame at most, reference reset to the frame where one fired,
                sigmoid slope backward (the class of SENPI, Greene et al. 2025, arXiv 2503.09754)

An image is (bins, H, W): signed or one polarity after the other, bins along time only, since a pixel stays where it
is. The four count the same events differently; only the first has the derivative of what it counts.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from event_perception.binning import bin_points
from event_perception.errors import ConfigError
from event_perception.simulation.expected_events import WeightedEvents, expected_events
from event_perception.simulation.sigmoid_events import soft_events
from event_perception.simulation.threshold_spread import ThresholdSpread

METHODS = ('expected', 'implicit', 'soft', 'one_event')
RING = 4  # empty bins between pixels, more than any tap reaches


@dataclass(frozen=True)
class TimeBins:
    """Slices of time and how events vote for them.

    Attributes:
        start_s: Start of the first slice, seconds after the first frame.
        end_s: End of the last one.
        depth: Number of slices.
        kernel: Vote kernel of ``bin_events``.
        reconstruction: Its derivative; None is the plain one, which for 'bilinear' is exact in expectation.
        split: Whether ON and OFF go to images of their own, first all ON slices, then all OFF.
    """

    start_s: float
    end_s: float
    depth: int
    kernel: str = 'bilinear'
    reconstruction: str | None = 'linear'
    split: bool = False

    @classmethod
    def inside(cls, duration_s: float, depth: int, **changes: Any) -> 'TimeBins':
        """Slices whose hats vanish at both ends of a window that starts at 0: births at its end do not count."""
        step = duration_s / (depth + 1)
        return cls(step / 2, duration_s - step / 2, depth, **changes)


def event_image(
    frames: Tensor,
    t_s: Any,
    spread: ThresholdSpread,
    bins: TimeBins,
    *,
    method: Literal['expected', 'implicit', 'soft', 'one_event'] = 'expected',
    samples: int = 16,
    lines: int = 4,
    sharpness: float = 50.0,
    seed: int = 0,
) -> Tensor:
    """Event image of a clip.

    Args:
        frames: Log light (F, H, W), perhaps attached.
        t_s: Instants (F,), seconds, the first one 0.
        spread: Thresholds; 'soft' and 'one_event' use their means.
        bins: Slices of time.
        method: Model of the gradient.
        samples: See ``expected_events``.
        lines: See there.
        sharpness: Slope of the sigmoids, 1 / ln units. SENPI: 1 / ln(15000) = 0.104.
        seed: Of the sampled sensors.

    Returns:
        (depth, H, W), or (2 depth, H, W) if split.

    Raises:
        ConfigError: If the method is unknown.
        DataError: As ``expected_events``.
    """
    if method not in METHODS:
        raise ConfigError(f'method={method!r}: choose one of {METHODS}')
    if method in ('expected', 'implicit'):
        events = expected_events(
            frames, t_s, spread, samples=samples, lines=lines, births=method == 'expected', seed=seed
        )
        return image_of(events, bins)
    make = _soft if method == 'soft' else _one_event
    on, off = make(frames, spread, sharpness)
    return _image_of_counts(on, off, torch.as_tensor(t_s, dtype=torch.float64)[1:], bins)


def image_of(events: WeightedEvents, bins: TimeBins) -> Tensor:
    """Image of weighted events, differentiable in times and weights."""
    n_pixels = events.height * events.width
    u = (events.t_s - bins.start_s) * (bins.depth / (bins.end_s - bins.start_s)) - 0.5
    row = events.pixel + n_pixels * (events.p < 0) if bins.split else events.pixel
    amount = events.weight if bins.split else events.weight * events.p
    rows = n_pixels * (1 + bins.split)
    image = _rows_of_bins(u, row, amount, rows, bins)
    return image.unflatten(0, (-1, events.height, events.width)).movedim(-1, 1).flatten(0, 1)


def _rows_of_bins(u: Tensor, row: Tensor, amount: Tensor, rows: int, bins: TimeBins) -> Tensor:
    """(rows, depth) from coordinates along each row: one long line of bins with gaps, so one axis of taps."""
    pitch = bins.depth + 2 * RING
    near = (u > -RING + 1) & (u < bins.depth + RING - 2)  # the others reach no bin
    line = (u + (row * pitch + RING))[near]
    image = bin_points(
        line[:, None],
        amount[near],
        sizes=(rows * pitch,),
        kernel=bins.kernel,
        reconstruction=bins.reconstruction,
    )
    return image.unflatten(0, (rows, pitch))[:, RING : RING + bins.depth]


def _image_of_counts(on: Tensor, off: Tensor, t_s: Tensor, bins: TimeBins) -> Tensor:
    """Counts (F - 1, H, W) at the instants of their frames into slices."""
    u = (t_s - bins.start_s) * (bins.depth / (bins.end_s - bins.start_s)) - 0.5
    each = _rows_of_bins(u, torch.arange(len(u)), torch.ones_like(u), len(u), bins)  # (F - 1, depth)
    images = [torch.einsum('fb,fhw->bhw', each, count.to(torch.float64)) for count in (on, off)]
    return torch.cat(images) if bins.split else images[0] - images[1]


def _soft(frames: Tensor, spread: ThresholdSpread, sharpness: float) -> tuple[Tensor, Tensor]:
    light = frames.exp()
    on = soft_events(light, spread.mean_on, sharpness)[0]
    return on, soft_events(light, spread.mean_off, sharpness)[1]


def _one_event(frames: Tensor, spread: ThresholdSpread, sharpness: float) -> tuple[Tensor, Tensor]:
    reference, on, off = frames[0], [], []
    for frame in frames[1:]:
        d = frame - reference
        on.append(_step(d - spread.mean_on, sharpness))
        off.append(_step(-d - spread.mean_off, sharpness))
        fired = (on[-1] + off[-1]).detach() > 0.5
        reference = torch.where(fired, frame, reference)
    return torch.stack(on), torch.stack(off)


def _step(margin: Tensor, sharpness: float) -> Tensor:
    """Hard step forward, sigmoid slope backward."""
    smooth = torch.sigmoid(sharpness * margin)
    return (margin >= 0).to(margin.dtype) + smooth - smooth.detach()
