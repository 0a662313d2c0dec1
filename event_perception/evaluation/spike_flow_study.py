# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from spikes against exact truth over light levels, noise and motions: end-point errors where it is valid.

python -m event_perception.evaluation.spike_flow_study
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.evaluation.spike_sweep import SweepCell, sweep
from event_perception.flow.spikes import SpikeFlow, SpikeFlowConfig
from event_perception.simulation.moving_picture import ARM_PX, DIRECTION

HORIZON_S = 1e-3
BORDER_PX = 8  # left out: what enters there was not seen before


def true_flow(cell: SweepCell) -> NDArray[np.float64]:
    """Image velocity of a sweep cell, (2, H, W), px per plane: the view moves over the picture, the light back."""
    H, W = cell.stream.height, cell.stream.width
    y, x = np.mgrid[:H, :W].astype(float)
    x, y, speed = x - (W - 1) / 2, y - (H - 1) / 2, cell.speed_px_plane
    if cell.motion == 'translation':
        return np.stack([np.full((H, W), -speed * DIRECTION[0]), np.full((H, W), -speed * DIRECTION[1])])
    rate = speed / ARM_PX
    return rate * np.stack([y, -x]) if cell.motion == 'rotation' else -rate * np.stack([x, y])


def measure(cell: SweepCell, config: SpikeFlowConfig | None = None) -> dict[str, Any]:
    """Error of the flow nearest to the middle of a cell, px per ``HORIZON_S``, and the share of pixels that is valid.

    ``median_share`` is the median error of valid pixels as a share of their motion.
    """
    config = config or SpikeFlowConfig(period_s=0.002)
    estimator = SpikeFlow(config, height=cell.stream.height, width=cell.stream.width)
    fields = list(estimator.push(cell.stream))
    field = min(fields, key=lambda f: abs(f.t_ref_ns - cell.t_ns))
    truth = true_flow(cell) / (cell.stream.plane_period_ns * 1e-9)
    error = np.linalg.norm(field.flow_px_s - truth, axis=0) * HORIZON_S
    inner = np.zeros(field.valid.shape, bool)
    inner[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    valid = field.valid & inner
    return cell.conditions() | {
        'displacement_px': float(np.linalg.norm(truth, axis=0)[inner].mean() * HORIZON_S),
        'epe_px': float(error[valid].mean()) if valid.any() else float('nan'),
        'median_share': float(np.median((error / (np.linalg.norm(truth, axis=0) * HORIZON_S))[valid]))
        if valid.any()
        else float('nan'),
        'epe_all_px': float(np.linalg.norm(truth, axis=0)[~valid & inner].sum() * HORIZON_S / inner.sum())
        + float(error[valid].sum() / inner.sum()),
        'valid_share': float(valid.sum() / inner.sum()),
        'outliers_1px': float((error[valid] > 1).mean()) if valid.any() else float('nan'),
    }


def table() -> Iterator[str]:
    """The whole sweep, line by line."""
    yield 'rate  sensor   motion       px/ms  EPE px/ms  median %  >1px %  valid %'
    for cell in sweep(n_planes=801):
        row = measure(cell)
        yield (
            f'{row["gain"]:4.2f}  {row["sensor"]:8} {row["motion"]:12} {row["displacement_px"]:6.2f}  '
            f'{row["epe_px"]:8.3f} {100 * row["median_share"]:9.1f} {100 * row["outliers_1px"]:7.1f} {100 * row["valid_share"]:8.1f}'
        )


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    for line in table():
        sys.stdout.write(line + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
