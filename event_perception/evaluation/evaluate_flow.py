# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow that a run wrote against truth: errors per window and in total, with the horizon and the mask that they hold for.

Truth is a folder of npz files as ``run`` writes them (px/s, of an instant), a sequence of DSEC-Flow or a file of
MVSEC (displacements over intervals). Numbers of different masks or horizons cannot be compared; both are printed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation.metrics import FLOW_INTERVAL_S, flow_errors
from event_perception.io.flow_truth import DSEC_TIMES, FlowTruth, MvsecFlow, read_dsec_flow

FIXED_POINT_STEPS = 2
BOTH_VALID = 'pixels valid in the run and in the truth'


@dataclass(frozen=True, eq=False)
class ComparedField:
    """One field and its truth, both as displacements over ``interval_s``."""

    t_ns: int
    interval_s: float
    displacement_px: NDArray[np.floating]
    truth_px: NDArray[np.floating]
    mask: NDArray[np.bool_]


def evaluate_flow(folder: Path, reference: Path) -> dict[str, Any]:
    """Errors of the flow of a run.

    Args:
        folder: Files ``<t_ns>.npz`` with ``flow_px_s`` and ``valid``.
        reference: A folder of such files, a folder of DSEC-Flow, or an npz file of MVSEC.

    Returns:
        ``horizon_s``, ``mask``, ``instants``, ``pixels``, the errors of ``flow_errors`` averaged over pixels, and
        ``per_window``: the end point error of each instant, px over the horizon.

    Raises:
        DataError: If nothing can be compared.
    """
    fields = [field for field in _compared(folder, reference) if field.mask.any()]
    if not fields:
        raise DataError(f'{folder} and {reference} share no instant with pixels valid in both')
    rows = [
        flow_errors(
            f.displacement_px / f.interval_s, f.truth_px / f.interval_s, f.mask, interval_s=f.interval_s
        )
        for f in fields
    ]
    weights = np.array([f.mask.sum() for f in fields], float)
    return {
        'instants': len(fields),
        'pixels': int(weights.sum()),
        'horizon_s': float(np.mean([f.interval_s for f in fields])),
        'mask': BOTH_VALID,
        'density': float(np.mean([f.mask.mean() for f in fields])),
        **{key: float(np.average([row[key] for row in rows], weights=weights)) for key in rows[0]},
        'per_window': {str(f.t_ns): row['epe_px'] for f, row in zip(fields, rows)},
    }


def _compared(folder: Path, reference: Path) -> Iterator[ComparedField]:
    if reference.is_file():
        yield from _over_intervals(folder, MvsecFlow(reference).intervals())
    elif (reference / DSEC_TIMES).is_file():
        yield from _over_intervals(folder, read_dsec_flow(reference))
    else:
        yield from _at_instants(folder, reference)


def _at_instants(folder: Path, reference: Path) -> Iterator[ComparedField]:
    names = {f.name for f in folder.glob('*.npz')} & {f.name for f in reference.glob('*.npz')}
    for name in sorted(names, key=lambda n: int(Path(n).stem)):
        with np.load(folder / name) as ours, np.load(reference / name) as truth:
            if ours['flow_px_s'].shape != truth['flow_px_s'].shape:
                raise DataError(
                    f'{name}: flow of shape {ours["flow_px_s"].shape} against truth of {truth["flow_px_s"].shape}'
                )
            scale = FLOW_INTERVAL_S
            yield ComparedField(
                int(Path(name).stem), scale, scale * ours['flow_px_s'], scale * truth['flow_px_s'],
                ours['valid'] & truth['valid'],
            )  # fmt: skip


def _over_intervals(folder: Path, truths: Iterator[FlowTruth]) -> Iterator[ComparedField]:
    """For each interval our field nearest to its middle, if there is one within it."""
    files = {int(f.stem): f for f in folder.glob('*.npz')}
    stamps = np.array(sorted(files), np.int64)
    for truth in truths:
        if not stamps.size:
            return
        middle = (truth.t0_ns + truth.t1_ns) // 2
        nearest = int(stamps[np.argmin(np.abs(stamps - middle))])
        if truth.t0_ns <= nearest < truth.t1_ns:
            with np.load(files[nearest]) as ours:
                displacement, valid = displacement_of(ours['flow_px_s'], ours['valid'], truth.duration_s)
            if valid.shape != truth.valid.shape:
                raise DataError(f'flow of shape {valid.shape} against truth of shape {truth.valid.shape}')
            yield ComparedField(
                nearest, truth.duration_s, displacement, truth.displacement_px, valid & truth.valid
            )


def displacement_of(
    flow_px_s: NDArray[np.floating], valid: NDArray[np.bool_], duration_s: float
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Displacement over an interval from the velocity at its middle, told at the places of its start.

    What is at x at the start is at x + u / 2 in the middle: the field is read there, by two steps of a fixed point.
    Otherwise edges are off by half the displacement.
    """
    height, width = valid.shape
    y, x = np.mgrid[:height, :width]
    u, known = duration_s * flow_px_s, valid
    for _ in range(FIXED_POINT_STEPS):
        column = np.clip(np.rint(x + u[0] / 2), 0, width - 1).astype(np.intp)
        row = np.clip(np.rint(y + u[1] / 2), 0, height - 1).astype(np.intp)
        u, known = duration_s * flow_px_s[:, row, column], valid[row, column]
    return u, known
