# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A view between two frames, from the optical flow between them: for cameras without depth or pose.

Flow is estimated in both directions by dense inverse search (Kroeger, Timofte, Dai and Van Gool, ECCV 2016). At a
share s of the interval, the flow to either frame is approximated at the pixels of the view by

    F_s0 = -(1 - s) s F_01 + s^2 F_10        F_s1 = (1 - s)^2 F_01 - s (1 - s) F_10

(Jiang et al., "Super SloMo", CVPR 2018, eq. 4), and both frames, looked up there, are mixed by their distance in
time. Where the estimate does not explain the change, the frames are cross-faded instead and the caller is told.
"""

from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

LEVELS_PER_UNIT = 255.0 / np.log(
    255.0
)  # of the 8-bit pictures that flow is estimated on, per unit of log light
MIN_IMPROVEMENT = 0.85  # warping must leave less than this share of the change between the frames
STILL = 0.03  # a smaller mean change of log light needs no explanation


class FlowInterpolation:
    """Views between two frames.

    Args:
        first: Log light (H, W) of the earlier frame.
        second: Log light of the later frame.

    Attributes:
        explains: Whether warping by the flow explains the change between the frames; if not, views cross-fade.
    """

    def __init__(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> None:
        self._first, self._second = first, second
        pictures = [_picture(light) for light in (first, second)]
        search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # type: ignore[attr-defined]
        self._forward = search.calc(pictures[0], pictures[1], None)
        self._backward = search.calc(pictures[1], pictures[0], None)
        self.explains = self._leaves_little()

    def motion_px(self) -> float:
        """How far the fast parts of the image move (99th percentile); 0 where the flow explains nothing."""
        if not self.explains:
            return 0.0
        coarse = self._forward[::4, ::4].reshape(-1, 2)
        return float(np.percentile(np.hypot(coarse[:, 0], coarse[:, 1]), 99))

    def view(self, share: float) -> NDArray[np.float32]:
        """Log light (H, W) at a share of the time from the first frame (0) to the second (1)."""
        s = np.float32(share)
        if not self.explains:
            return (np.float32(1) - s) * self._first + s * self._second
        out = np.empty_like(self._first)
        _mix(self._first, self._second, self._forward, self._backward, s, out)
        return out

    def _leaves_little(self) -> bool:
        change = float(np.abs(self._second - self._first).mean())
        if change < STILL:
            return True
        rows, columns = np.indices(self._first.shape, np.float32)
        maps = columns + self._backward[..., 0], rows + self._backward[..., 1]
        warped = cv2.remap(self._first, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return float(np.abs(self._second - warped).mean()) < MIN_IMPROVEMENT * change


def _picture(log_light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Log light from 1 dn to white as 8 bits: flow then sees contrast, as the sensor does."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(log_light, 0), alpha=LEVELS_PER_UNIT), np.uint8)


@njit(cache=True, nogil=True, error_model='numpy')
def _mix(
    first: NDArray, second: NDArray, forward: NDArray, backward: NDArray, share: Any, out: NDArray
) -> None:
    rest = np.float32(1) - share
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            fx, fy = forward[row, column, 0], forward[row, column, 1]
            bx, by = backward[row, column, 0], backward[row, column, 1]
            x, y = np.float32(column), np.float32(row)
            a = _bilinear(first, x + share * (share * bx - rest * fx), y + share * (share * by - rest * fy))
            b = _bilinear(second, x + rest * (rest * fx - share * bx), y + rest * (rest * fy - share * by))
            out[row, column] = rest * a + share * b


@njit(cache=True, nogil=True, error_model='numpy')
def _bilinear(light: NDArray, x: Any, y: Any) -> Any:
    """Light at a place, that of the nearest pixel outside the image."""
    height, width = light.shape
    x = min(max(x, np.float32(0)), np.float32(width - 1))
    y = min(max(y, np.float32(0)), np.float32(height - 1))
    j, i = np.uint32(min(int(x), width - 2)), np.uint32(min(int(y), height - 2))
    ax, ay = x - np.float32(j), y - np.float32(i)
    one = np.uint32(1)
    top = light[i, j] + ax * (light[i, j + one] - light[i, j])
    low = light[i + one, j] + ax * (light[i + one, j + one] - light[i + one, j])
    return top + ay * (low - top)
