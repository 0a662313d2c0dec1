# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of the spike methods beside plain NumPy in the same run, and their quality over light, noise and motion.

Rates are planes per second on one core at 400 x 250, from packed planes to state that is valid after every
plane. The plain versions work on unpacked planes, one pixel at a time as the published programs do, and one
plane at a time with masks; both are timed on a part and scaled.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception import images
from event_perception.evaluation.spike_sweep import compare, sweep
from event_perception.events.spike_stream import SpikeStream
from event_perception.images import spike_kernels as kernels

HEIGHT, WIDTH, N_PLANES = 250, 400, 420
PERIOD_NS = 25_000
MEAN_RATE = 0.29  # of the usual evaluation clips
WINDOW = 31
REPEATS = 9
SOME_PIXELS, SOME_PLANES = 400, 5


def bench_spikes() -> dict[str, Any]:
    """Speed of the kernels and of whole images, and the sweep of the adaptive method against all others."""
    bits = steady_bits()
    stream = SpikeStream(bits, height=HEIGHT, width=WIDTH, plane_period_ns=PERIOD_NS)
    cells = [compare(cell) for cell in sweep()]
    return {
        'planes': N_PLANES,
        'mean_rate': float(bits.mean()),
        'planes_per_s': _kernel_speed(np.ascontiguousarray(stream.canonical()), bits),
        'image_ms': _image_times(stream),
        'sweep': cells,
        'sweep_least_ahead_db': min(cell['ahead_db'] for cell in cells),
        'sweep_mean_ahead_db': float(np.mean([cell['ahead_db'] for cell in cells])),
    }


def steady_bits() -> NDArray[np.uint8]:
    """Planes of pixels that fire at constant rates spread around the mean, 0 or 1, uint8 (n, H, W)."""
    random = np.random.default_rng(0)
    rates = random.uniform(0.02, 2 * MEAN_RATE - 0.02, (HEIGHT, WIDTH))
    charge, bits = random.random((HEIGHT, WIDTH)), np.empty((N_PLANES, HEIGHT, WIDTH), np.uint8)
    for i in range(N_PLANES):
        charge += rates
        bits[i] = charge >= 1
        charge -= bits[i]
    return bits


def _kernel_speed(packed: NDArray[np.uint8], bits: NDArray[np.uint8]) -> dict[str, Any]:
    n_states = 8 * packed.shape[1]
    slices = np.zeros((WINDOW.bit_length(), packed.shape[1]), np.uint8)
    u, decay = np.full(n_states, 0.15, np.float32), np.zeros(n_states, np.float32)
    threshold, f32 = np.zeros(n_states, np.float32), np.float32
    spread, step = kernels.SPREAD_WORDS, f32(np.exp(-0.1))
    runs: dict[str, tuple[int, Callable[[], Any], str]] = {
        'tfp': (
            N_PLANES - WINDOW,
            lambda: kernels.slide_planes(slices, packed[WINDOW:], packed[:-WINDOW]),
            'tfp',
        ),
        'stp': (
            N_PLANES,
            lambda: kernels.push_plasticity(u, decay, packed, spread, step, f32(0.15), f32(0.15)),
            'stp',
        ),
        'tvs_threshold': (N_PLANES, lambda: kernels.push_leaky(threshold, packed, spread, step), 'threshold'),
    }
    for name, k in (('tfi', 1), ('tfi_3', 3), ('tfi_5', 5)):
        registers = np.zeros((k + 1, n_states), np.uint16)
        runs[name] = (
            N_PLANES,
            lambda registers=registers: kernels.push_registers(registers, 1, packed, spread),  # type: ignore[misc]
            name,
        )
    return {name: _with_plain(n / fastest_s(run), plain, bits) for name, (n, run, plain) in runs.items()}


def _with_plain(planes_per_s: float, plain: str, bits: NDArray[np.uint8]) -> dict[str, float]:
    pixels_s, planes_s = PLAIN_PIXELS.get(plain), PLAIN_PLANES.get(plain)
    result = {'planes_per_s': planes_per_s}
    if pixels_s:
        result['times_numpy_by_pixel'] = planes_per_s * _plain_pixel_seconds(pixels_s, bits)
    if planes_s:
        result['times_numpy_by_plane'] = planes_per_s * _plain_plane_seconds(planes_s, bits)
    return result


def _plain_pixel_seconds(estimate: Callable[[NDArray, int], float], bits: NDArray[np.uint8]) -> float:
    """Seconds for the values of all pixels at one plane, one pixel at a time, scaled from some."""
    some = [np.ascontiguousarray(s) for s in bits.reshape(N_PLANES, -1)[:, :SOME_PIXELS].T]
    middle = N_PLANES // 2

    def run() -> None:
        for s in some:
            for plane in range(middle, middle + SOME_PLANES):
                estimate(s, plane)

    return fastest_s(run, 3) / (SOME_PIXELS * SOME_PLANES) * HEIGHT * WIDTH


def _plain_plane_seconds(step: Callable[[NDArray, list[NDArray]], None], bits: NDArray[np.uint8]) -> float:
    """Seconds to work one whole plane into arrays of state with masks."""
    state = [np.zeros((HEIGHT, WIDTH), np.float32) for _ in range(6)]
    fired = bits.astype(bool)

    def run() -> None:
        for plane in fired[:SOME_PLANES]:
            step(plane, state)

    return fastest_s(run, 3) / SOME_PLANES


def _pixel_tfp(s: NDArray, c: int) -> float:
    return float(s[c - WINDOW + 1 : c + 1].mean())


def _pixel_intervals(k: int) -> Callable[[NDArray, int], float]:
    def estimate(s: NDArray, c: int) -> float:
        spikes = np.flatnonzero(s[: c + 1])[-k - 1 :]
        return float((len(spikes) - 1) / (spikes[-1] - spikes[0])) if len(spikes) > 1 else 0.0

    return estimate


def _pixel_stp(s: NDArray, c: int) -> float:
    # As a stream has it: the state of the last plane is at hand, and only this plane is worked in.
    u, decay = 0.2, 0.5
    if s[c]:
        u, decay = 0.15 + (u + 0.15 * (1 - u) - 0.15) * decay, 1.0
    return float(-1 / (10 * np.log((u - 0.15) / (u * 0.85)))) * decay


def _plane_intervals(k: int) -> Callable[[NDArray, list[NDArray]], None]:
    def step(fired: NDArray, state: list[NDArray]) -> None:
        age, registers = state[0], state[1 : k + 1]
        age += 1
        for older, newer in zip(registers[::-1], registers[-2::-1]):
            older[fired] = newer[fired]
        registers[0][fired] = age[fired]
        age[fired] = 0

    return step


def _plane_stp(fired: NDArray, state: list[NDArray]) -> None:
    u, decay = state[0], state[1]
    decay *= np.float32(np.exp(-0.1))
    old = u[fired]
    u[fired] = 0.15 + (old + 0.15 * (1 - old) - 0.15) * decay[fired]
    decay[fired] = 1


def _plane_leaky(fired: NDArray, state: list[NDArray]) -> None:
    state[0] *= np.float32(np.exp(-0.1))
    state[0] += fired


def _plane_tfp(fired: NDArray, state: list[NDArray]) -> None:
    state[0] += fired
    state[0] -= fired  # the plane that leaves costs as much as the one that comes


PLAIN_PIXELS: dict[str, Callable[[NDArray, int], float]] = {
    'tfp': _pixel_tfp,
    'tfi': _pixel_intervals(1),
    'tfi_3': _pixel_intervals(3),
    'tfi_5': _pixel_intervals(5),
    'stp': _pixel_stp,
}
PLAIN_PLANES: dict[str, Callable[[NDArray, list[NDArray]], None]] = {
    'tfp': _plane_tfp,
    'tfi': _plane_intervals(1),
    'tfi_3': _plane_intervals(3),
    'tfi_5': _plane_intervals(5),
    'stp': _plane_stp,
    'threshold': _plane_leaky,
}


def _image_times(stream: SpikeStream) -> dict[str, float]:
    """Milliseconds an image in the middle of the stream, by the methods that keep no state."""
    methods: dict[str, tuple[str, dict[str, Any]]] = {
        'tfp': ('tfp', {}),
        'tfi': ('tfi', {}),
        'tfi_3': ('tfi_k', {}),
        'tfi_adaptive': ('tfi_adaptive', {}),
        'tvs': ('tvs', {}),
        'tvs_hybrid': ('tvs', {'mode': 'hybrid'}),
        'ati_fixed_20_21': ('ati', {'window': 'fixed', 'search_planes': 20, 'max_intervals': 6}),
        'ati': ('ati', {}),
        'compact': ('compact', {}),
    }
    times: dict[str, float] = {}
    middle = stream.start_ns + N_PLANES // 2 * PERIOD_NS
    for label, (name, params) in methods.items():
        reconstructor = images.create(name, height=HEIGHT, width=WIDTH, **params)
        reconstructor.push(stream)
        times[label] = fastest_s(lambda r=reconstructor: r.image(middle)) * 1e3  # type: ignore[misc]
    return times


def fastest_s(function: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The least of several runs: what else the machine does can only add."""
    function()
    best = float('inf')
    for _ in range(repeats):
        start = perf_counter()
        function()
        best = min(best, perf_counter() - start)
    return best
