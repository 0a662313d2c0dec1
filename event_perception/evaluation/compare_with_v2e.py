# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The DVS emulator beside v2e, in one process: the same frames, the same threshold maps, no noise.

For those who have v2e (Hu, Liu and Delbruck, CVPRW 2021; github.com/SensorsINI/v2e, which pip does not carry) on
their Python path; this package does not need it.

    python -m event_perception.evaluation.compare_with_v2e [FRAMES ...] [--rate HZ] [--threshold C] [--sigma S]

FRAMES are grey images in their order, or one .npy of light (F, H, W) in dn; without any, the clip of the
benchmark is rendered. v2e's filter steps by Euler and its leak does not jitter here; times are not compared, as
v2e stamps all events of a frame at common steps. With dead time the two differ by construction: v2e tests it at
those steps.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError, EventPerceptionError, PluginError
from event_perception.simulation.dvs import SMALLEST_THRESHOLD, DvsEmulator
from event_perception.simulation.dvs_config import DvsConfig, dvs_preset

CASES: dict[str, dict[str, Any]] = {
    'ideal': {},
    'filter_and_leak': {'cutoff_hz': 300.0, 'leak_rate_hz': 0.01},
    'filter_leak_and_dead_time': {'cutoff_hz': 300.0, 'leak_rate_hz': 0.01, 'refractory_s': 5e-4},
}
BARS = {'ideal': 1e-4, 'filter_and_leak': 1e-3, 'filter_leak_and_dead_time': 5e-3}
CORRELATION_BAR = 0.999


class V2eEmulator(Protocol):
    """What is used of ``v2ecore.emulator.EventEmulator``; the thresholds are replaced after the first frame."""

    pos_thres: Any
    neg_thres: Any

    def generate_events(self, new_frame: NDArray, t_frame: float) -> NDArray | None:
        """Rows of t, x, y, polarity; None for no events."""
        ...


def compare(
    frames: NDArray,
    t_ns: NDArray,
    *,
    threshold: float = 0.2,
    sigma: float = 0.03,
    seed: int = 1,
    make: Callable[[DvsConfig], V2eEmulator] | None = None,
) -> dict[str, dict[str, float]]:
    """Run both on the same frames, for each of ``CASES``.

    Args:
        frames: Light in dn (F, H, W).
        t_ns: Instants (F,).
        threshold: Mean of both threshold maps.
        sigma: Their spread.
        seed: Of the maps.
        make: Makes the other emulator, with a scalar threshold; that of v2e when None.

    Returns:
        For every case: event counts, their relative difference and its bar, the correlation of net polarity
        maps and its bar, and frames per second of this thread for both.

    Raises:
        PluginError: If v2e cannot be imported.
        DataError: If there are not two frames or more.
    """
    if frames.ndim != 3 or len(frames) < 2 or len(frames) != len(t_ns):
        raise DataError(f'frames {frames.shape}, {len(t_ns)} instants: give (F >= 2, H, W) and F instants')
    maps = np.random.default_rng(seed).normal(threshold, sigma, (2, *frames.shape[1:]))
    maps = np.maximum(maps, SMALLEST_THRESHOLD).astype(np.float32)
    make = make or _v2e
    return {name: _case(name, frames, t_ns, threshold, maps, make) for name in CASES}


def _case(
    name: str,
    frames: NDArray,
    t_ns: NDArray,
    threshold: float,
    maps: NDArray,
    make: Callable[[DvsConfig], V2eEmulator],
) -> dict[str, float]:
    config = dvs_preset(
        'ideal', filter='euler', noise_rate_decades=0.0,
        threshold_on=threshold, threshold_off=threshold, **CASES[name],
    )  # fmt: skip
    _run(_ours(config, maps), frames[:2], t_ns)  # compiles
    ours, ours_fps = _run(_ours(config, maps), frames, t_ns)
    theirs, theirs_fps = _run(_theirs(make(config), maps), frames, t_ns)
    n, expected = (int(np.abs(count).sum()) for count in (ours, theirs))
    net, wanted = (count[0] - count[1] for count in (ours, theirs))
    return {
        'events': n,
        'v2e_events': expected,
        'relative_count_difference': abs(n - expected) / max(expected, 1),
        'relative_count_difference_bar': BARS[name],
        'net_polarity_correlation': float(np.corrcoef(net.ravel(), wanted.ravel())[0, 1]),
        'net_polarity_correlation_bar': CORRELATION_BAR,
        'frames_per_s': round(ours_fps, 1),
        'v2e_frames_per_s': round(theirs_fps, 1),
    }


Push = Callable[[NDArray, int], tuple[NDArray, NDArray, NDArray]]


def _ours(config: DvsConfig, maps: NDArray) -> Push:
    emulator = DvsEmulator(
        height=maps.shape[1], width=maps.shape[2], config=config, threshold_on=maps[0], threshold_off=maps[1]
    )

    def push(frame: NDArray, t_ns: int) -> tuple[NDArray, NDArray, NDArray]:
        events = emulator.push(frame, t_ns)
        return events.x, events.y, events.p

    return push


def _theirs(emulator: V2eEmulator, maps: NDArray) -> Push:
    """v2e draws its maps at the first frame; from then on it is given these."""
    given = [False]

    def push(frame: NDArray, t_ns: int) -> tuple[NDArray, NDArray, NDArray]:
        rows = emulator.generate_events(frame, t_ns * 1e-9)
        if not given[0]:
            emulator.pos_thres, emulator.neg_thres = (_tensor(m) for m in maps)
            given[0] = True
        rows = np.zeros((0, 4)) if rows is None else rows
        return rows[:, 1].astype(int), rows[:, 2].astype(int), rows[:, 3]

    return push


def _run(push: Push, frames: NDArray, t_ns: NDArray) -> tuple[NDArray[np.int64], float]:
    """Events counted by polarity and pixel (2, H, W), and frames per second after the first."""
    counts = np.zeros((2, *frames.shape[1:]), np.int64)
    push(frames[0], 0)
    start = time.thread_time()
    found = [push(frame, int(t - t_ns[0])) for frame, t in zip(frames[1:], t_ns[1:])]
    elapsed_s = time.thread_time() - start
    for x, y, p in found:
        np.add.at(counts, ((p < 0).astype(int), y, x), 1)
    return counts, (len(frames) - 1) / max(elapsed_s, 1e-9)


def _tensor(values: NDArray) -> Any:
    import torch

    return torch.from_numpy(values)


def _v2e(config: DvsConfig) -> V2eEmulator:
    try:
        from v2ecore.emulator import EventEmulator
    except ImportError as error:
        raise PluginError(f'v2e cannot be imported ({error}); put its repository on PYTHONPATH') from error
    emulator: V2eEmulator = EventEmulator(
        pos_thres=config.threshold_on,
        neg_thres=config.threshold_off,
        sigma_thres=0.0,
        cutoff_hz=config.cutoff_hz,
        leak_rate_hz=config.leak_rate_hz,
        refractory_period_s=config.refractory_s,
        shot_noise_rate_hz=0.0,
        leak_jitter_fraction=0.0,
        noise_rate_cov_decades=0.0,
        device='cpu',
    )
    return emulator


def read_frames(paths: Sequence[Path]) -> NDArray[np.float32]:
    """Grey images in their order, or one .npy (F, H, W); light in dn.

    Raises:
        DataError: If a file cannot be read or sizes differ.
    """
    if len(paths) == 1 and paths[0].suffix == '.npy':
        return np.asarray(np.load(paths[0]), np.float32)
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    wrong = [str(path) for path, image in zip(paths, images) if image is None]
    sizes = {image.shape for image in images if image is not None}
    if wrong or len(sizes) != 1:
        raise DataError(f'cannot be read as images: {wrong}; sizes {sorted(sizes)}: give images of one size')
    return np.stack([np.asarray(image, np.float32) for image in images])


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and write JSON to standard output; 1 for a known error."""
    parser = argparse.ArgumentParser(description='Count the events of this emulator and of v2e.')
    parser.add_argument('frames', nargs='*', type=Path, help='grey images in order, or one .npy (F, H, W)')
    parser.add_argument('--rate', type=float, default=1000.0, metavar='HZ', help='frames a second')
    parser.add_argument('--threshold', type=float, default=0.2, metavar='C', help='ln units')
    parser.add_argument('--sigma', type=float, default=0.03, metavar='S', help='spread of thresholds')
    options = parser.parse_args(arguments)
    try:
        _one_thread()
        frames = read_frames(options.frames) if options.frames else _benchmark_clip()
        t_ns = np.rint(np.arange(len(frames)) * (1e9 / options.rate)).astype(np.int64)
        result = compare(frames, t_ns, threshold=options.threshold, sigma=options.sigma)
    except EventPerceptionError as error:
        sys.stderr.write(f'compare_with_v2e: {error}\n')
        return 1
    sys.stdout.write(json.dumps(result, indent=2) + '\n')
    return 0


def _one_thread() -> None:
    """For fair frames per second: v2e computes with torch, which takes all processors by default."""
    import torch

    torch.set_num_threads(1)


def _benchmark_clip() -> NDArray[np.float32]:
    from event_perception.evaluation.bench_simulation import benchmark_clip

    return benchmark_clip()


if __name__ == '__main__':
    sys.exit(main())
