# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow without truth: how much sharper the image of events becomes when they are moved along the flow.

FWL = variance of the image of warped events / variance of that of the events as they came (Stoffregen et al.,
Reducing the sim-to-real gap for event cameras, ECCV 2020): above 1 is better than rest. It can be gained without
truth, by collapse or by locking to the pixel lattice, so it never replaces an error.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import EventWindow
from event_perception.flow.image_votes import MARGIN, vote

FIXED_POINT_STEPS = 2


def flow_warp_gain(window: EventWindow, flow_px_s: NDArray[np.floating]) -> float:
    """FWL of a flow field (2, H, W), px/s, of the reference time of the window; bilinear votes, bins of a pixel.

    The field tells how things move that are at a pixel at the reference time, so each event takes the flow of the place
    that it comes to (two steps of a fixed point).

    Raises:
        DataError: If the shapes differ or there are no events.
    """
    if flow_px_s.shape != (2, window.height, window.width):
        raise DataError(
            f'flow {flow_px_s.shape} for events of a sensor {(window.height, window.width)}: need (2, H, W)'
        )
    if not len(window):
        raise DataError('no events in the window: nothing to warp')
    q = flow_px_s[:, window.y, window.x]
    for _ in range(FIXED_POINT_STEPS):
        column = np.clip(np.rint(window.x - window.dt_s * q[0]), 0, window.width - 1).astype(np.intp)
        row = np.clip(np.rint(window.y - window.dt_s * q[1]), 0, window.height - 1).astype(np.intp)
        q = flow_px_s[:, row, column]
    border = int(np.ceil(np.abs(q * window.dt_s).max())) + MARGIN + 2
    warped = _variance(window, q, border)
    return warped / _variance(window, np.zeros_like(q), border)


def _variance(window: EventWindow, q: NDArray[np.floating], border: int) -> float:
    """Variance of the image over the sensor and the border, so that no event is lost in either image."""
    rows, columns = window.height + 2 * border, window.width + 2 * border
    u = (window.x - window.dt_s * q[0] + border).astype(np.float32)
    v = (window.y - window.dt_s * q[1] + border).astype(np.float32)
    image = np.empty(rows * columns, np.float32)
    n = len(window)
    vote(u, v, rows, columns, image, np.empty(n, np.int32), np.empty(n, np.float32), np.empty(n, np.float32))
    return float(image.var(dtype=np.float64))
