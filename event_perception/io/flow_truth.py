# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Published ground truth of flow: DSEC-Flow (PNG, forward displacement) and MVSEC (npz, displacement at 20 Hz).

Both tell displacements over their own intervals; every value here keeps its interval beside it, because an error in
pixels means nothing without one.

Sources: Gehrig et al., E-RAFT, 3DV 2021 (DSEC-Flow); Zhu et al., EV-FlowNet, RSS 2018 (flow of MVSEC and how it is
carried from one truth frame to the next).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError

DSEC_SCALE, DSEC_ZERO = 128.0, 2**15
DSEC_TIMES = 'forward_timestamps.txt'
MVSEC_NAMES = ('timestamps', 'x_flow_dist', 'y_flow_dist')


@dataclass(frozen=True, eq=False)
class FlowTruth:
    """Displacement of what each pixel shows at the start of an interval.

    Attributes:
        t0_ns: Start.
        t1_ns: End.
        displacement_px: float32 (2, H, W); 0 where not valid.
        valid: bool (H, W).
    """

    t0_ns: int
    t1_ns: int
    displacement_px: NDArray[np.float32]
    valid: NDArray[np.bool_]

    @property
    def duration_s(self) -> float:
        """Length of the interval."""
        return (self.t1_ns - self.t0_ns) * 1e-9


def read_dsec_png(path: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Displacement (2, H, W) and valid (H, W) of one PNG of DSEC-Flow.

    Raises:
        DataError: If it is not a 16 bit image of three channels.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DataError(f'{path} is no flow of DSEC: need a PNG of three channels of 16 bits')
    blue, green, red = np.moveaxis(pixels, -1, 0)  # OpenCV turns the order round
    valid = blue > 0
    displacement = (np.stack([red, green]).astype(np.float32) - DSEC_ZERO) / np.float32(DSEC_SCALE)
    return displacement * valid, valid


def write_dsec_png(path: Path, displacement_px: NDArray[np.floating], valid: NDArray[np.bool_]) -> None:
    """Write one PNG as DSEC-Flow has it, rounded to 1/128 px; also the form of its benchmark.

    Raises:
        DataError: If a valid displacement is beyond 255 px, or the file cannot be written.
    """
    code = np.rint(np.where(valid, displacement_px, 0) * DSEC_SCALE) + DSEC_ZERO
    if code.min() < 0 or code.max() > 2**16 - 1:
        raise DataError(f'{path}: a displacement beyond 255 px does not fit into a PNG of DSEC')
    pixels = np.stack([valid.astype(np.uint16), *code[::-1].astype(np.uint16)], axis=-1)
    if not cv2.imwrite(str(path), pixels):
        raise DataError(f'{path} cannot be written')


def read_dsec_flow(folder: Path) -> Iterator[FlowTruth]:
    """Truth of a sequence of DSEC-Flow: a folder with ``forward_timestamps.txt`` and ``forward/*.png``.

    Raises:
        DataError: If the number of images is not that of the intervals.
    """
    times_us = np.loadtxt(folder / DSEC_TIMES, delimiter=',', dtype=np.int64, ndmin=2)
    files = sorted((folder / 'forward').glob('*.png'))
    if len(files) != len(times_us):
        raise DataError(f'{folder}: {len(files)} images for {len(times_us)} intervals in {DSEC_TIMES}')
    for (t0_us, t1_us), file in zip(times_us, files):
        displacement, valid = read_dsec_png(file)
        yield FlowTruth(int(t0_us) * 1000, int(t1_us) * 1000, displacement, valid)


class MvsecFlow:
    """Flow truth of a sequence of MVSEC (``*_gt_flow_dist.npz``).

    Args:
        path: The file.

    Raises:
        DataError: If arrays are missing or their shapes do not fit.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as content:
            missing = sorted(set(MVSEC_NAMES) - set(content.files))
            if missing:
                raise DataError(f'{path} is no flow of MVSEC: it lacks {missing}')
            t_s, x, y = (content[name] for name in MVSEC_NAMES)
        if x.shape != y.shape or x.ndim != 3 or len(t_s) != len(x):
            raise DataError(f'{path}: timestamps {t_s.shape}, x {x.shape}, y {y.shape} do not fit together')
        self.t_ns: NDArray[np.int64] = np.rint(t_s * 1e9).astype(np.int64)
        self._x, self._y = x, y

    def intervals(self) -> Iterator[FlowTruth]:
        """Truth from each frame to the next."""
        for t0, t1 in zip(self.t_ns[:-1], self.t_ns[1:]):
            yield self.between(int(t0), int(t1))

    def between(self, t0_ns: int, t1_ns: int) -> FlowTruth:
        """Displacement over any interval: carried along from frame to frame, the ends by their share.

        A pixel is valid if its displacement is finite and not zero all along its way (MVSEC marks what it does not
        know by zero), and its way stays in the image.

        Raises:
            DataError: If the interval is empty or not within the truth.
        """
        if not self.t_ns[0] <= t0_ns < t1_ns <= self.t_ns[-1]:
            raise DataError(
                f'flow from {t0_ns} to {t1_ns} ns: the truth spans {self.t_ns[0]} to {self.t_ns[-1]} ns'
            )
        height, width = self._x.shape[1:]
        start_y, start_x = np.mgrid[:height, :width].astype(np.float64)
        x, y, valid = start_x.copy(), start_y.copy(), np.ones((height, width), bool)
        first = int(np.searchsorted(self.t_ns, t0_ns, side='right')) - 1
        for k in range(first, len(self.t_ns) - 1):
            begin, end = max(t0_ns, int(self.t_ns[k])), min(t1_ns, int(self.t_ns[k + 1]))
            if begin >= end:
                break
            share = (end - begin) / int(self.t_ns[k + 1] - self.t_ns[k])
            u, v, known = self._at(k, x, y)
            x, y, valid = x + share * u, y + share * v, valid & known
        displacement = np.stack([x - start_x, y - start_y]).astype(np.float32)
        return FlowTruth(t0_ns, t1_ns, displacement * valid, valid)

    def _at(
        self, k: int, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Displacement of frame k at the nearest pixels, and where it is known."""
        height, width = self._x.shape[1:]
        column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
        u, v = (np.asarray(part[k][row, column], np.float64) for part in (self._x, self._y))
        known = inside & np.isfinite(u) & np.isfinite(v) & ((u != 0) | (v != 0))
        return np.where(known, u, 0.0), np.where(known, v, 0.0), known
