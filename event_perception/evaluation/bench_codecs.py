# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of the codecs, packet by packet as they arrive: numba against NumPy, raw bytes against rclpy.

Every rate is the best of several runs over the same packets in this process, with all Python overhead and
after compilation.
"""

import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from event_perception.events import EventArray, concatenate
from event_perception.io.bag_storage import Bag
from event_perception.io.codecs import encoders
from event_perception.io.codecs.backend import HAS_NUMBA
from event_perception.io.codecs.dvs_event_array import decode_event_array_cdr, encode_event_array_cdr
from event_perception.io.decode import decode_event_packet

REPEATS, SLOW_REPEATS = 9, 2
EVENTS_PER_PACKET = 660  # about 4 kB of evt3, what a camera sends every 4 ms
EVENTS_PER_MESSAGE = 10_000
NUMBA_TO_NUMPY_BAR, RAW_TO_RCLPY_BAR = 10.0, 100.0
EVT3_MEV_S_BAR = 23.0  # the C++ decoder through its Python binding, on a machine like the one of the bar
TOPIC = '/event_camera/events'

Packets = list[tuple[bytes, int]]


def bench_codecs() -> dict[str, Any]:
    """Rates in million events per second, and their ratios next to their bars.

    Returns:
        ``evt3`` and ``libcaer_cmp``: packets of a recording; ``event_array``: a dvs_msgs message, against rclpy
        where rclpy and dvs_msgs can be imported, else null; ``encode``: the encoders.
    """
    package = Path(str(resources.files('event_perception')))
    tags, size = _packets(package / 'recordings' / 'apriltags')
    events = _decode_all('libcaer_cmp', tags, size, 'auto')
    walking = package.parent / 'test' / 'data' / 'walking_evt3'
    if walking.is_dir():
        evt3 = {'packets_of': 'walking_evt3'} | _decoder_rates('evt3', *_packets(walking))
    else:
        evt3 = {'packets_of': 'apriltags, encoded again'} | _decoder_rates('evt3', _as_evt3(events), size)
    return {
        'evt3': evt3 | {'bar_numba_mev_s': EVT3_MEV_S_BAR},
        'libcaer_cmp': {'packets_of': 'apriltags'} | _decoder_rates('libcaer_cmp', tags, size),
        'event_array': _event_array_rates(events[:EVENTS_PER_MESSAGE]),
        'encode': _encoder_rates(events),
    }


def _packets(path: Path) -> tuple[Packets, tuple[int, int]]:
    bag = Bag(path)
    messages = [bag.deserialize(raw) for raw in bag.messages([TOPIC])]
    size = (int(messages[0].height), int(messages[0].width))
    return [(message.events.tobytes(), int(message.time_base)) for message in messages], size


def _as_evt3(events: EventArray) -> Packets:
    starts = range(0, len(events), EVENTS_PER_PACKET)
    return [(encoders.encode_evt3(events[k : k + EVENTS_PER_PACKET]), 0) for k in starts]


def _decoder_rates(encoding: str, packets: Packets, size: tuple[int, int]) -> dict[str, Any]:
    numpy_mev_s = _decode_mev_s(encoding, packets, size, 'numpy', SLOW_REPEATS)
    numba_mev_s = _decode_mev_s(encoding, packets, size, 'numba', REPEATS) if HAS_NUMBA else None
    n = len(_decode_all(encoding, packets, size, 'auto'))
    return {
        'mean_packet_bytes': sum(len(payload) for payload, _ in packets) / len(packets),
        'numba_mev_s': numba_mev_s,
        'numpy_mev_s': numpy_mev_s,
        'numba_us_per_packet': n / len(packets) / numba_mev_s if numba_mev_s else None,
        'numba_over_numpy': numba_mev_s / numpy_mev_s if numba_mev_s else None,
        'bar_numba_over_numpy': NUMBA_TO_NUMPY_BAR,
    }


def _decode_mev_s(
    encoding: str, packets: Packets, size: tuple[int, int], backend: str, repeats: int
) -> float:
    n = len(_decode_all(encoding, packets, size, backend))
    return n * 1e-6 / _best_s(lambda: list(_decoded(encoding, packets, size, backend)), repeats)


def _decode_all(encoding: str, packets: Packets, size: tuple[int, int], backend: str) -> EventArray:
    return concatenate(list(_decoded(encoding, packets, size, backend)))


def _decoded(encoding: str, packets: Packets, size: tuple[int, int], backend: str) -> Iterator[EventArray]:
    state = None
    for payload, time_base in packets:
        events, _, state = decode_event_packet(
            encoding, payload, time_base, height=size[0], width=size[1], state=state, backend=backend
        )
        yield events


def _event_array_rates(events: EventArray) -> dict[str, Any]:
    data = encode_event_array_cdr(events, stamp_ns=int(events.t_ns[0]), frame_id='camera')
    raw_mev_s = len(events) * 1e-6 / _best_s(lambda: decode_event_array_cdr(data), REPEATS)
    rclpy_mev_s = _rclpy_mev_s(data, len(events))
    return {
        'events_per_message': len(events),
        'raw_mev_s': raw_mev_s,
        'rclpy_mev_s': rclpy_mev_s,
        'raw_over_rclpy': raw_mev_s / rclpy_mev_s if rclpy_mev_s else None,
        'bar_raw_over_rclpy': RAW_TO_RCLPY_BAR,
    }


def _rclpy_mev_s(data: bytes, n: int) -> float | None:
    """What a subscription that is not raw spends before its callback; None without ROS."""
    try:
        from event_perception.nodes.plain_deserialisation import deserialise_event_array
    except ImportError:
        return None
    return n * 1e-6 / _best_s(lambda: deserialise_event_array(data), SLOW_REPEATS)


def _encoder_rates(events: EventArray) -> dict[str, float]:
    several: dict[str, Callable[[EventArray], Any]] = {
        'evt3_mev_s': encoders.encode_evt3,
        'libcaer_cmp_mev_s': encoders.encode_libcaer_cmp,
        'libcaer_mev_s': encoders.encode_libcaer,
        'mono_mev_s': encoders.encode_mono,
        'event_array_mev_s': lambda part: encode_event_array_cdr(part, stamp_ns=0, frame_id='camera'),
    }
    parts = [events[k : k + EVENTS_PER_MESSAGE] for k in range(0, len(events), EVENTS_PER_MESSAGE)]
    return {name: len(events) * 1e-6 / _best_s(_each(encode, parts), 3) for name, encode in several.items()}


def _each(encode: Callable[[EventArray], Any], parts: list[EventArray]) -> Callable[[], Any]:
    return lambda: [encode(part) for part in parts]


def _best_s(run: Callable[[], Any], repeats: int) -> float:
    """Shortest of several runs, after one that is not counted."""
    run()
    times = np.zeros(repeats)
    for k in range(repeats):
        start = time.perf_counter()
        run()
        times[k] = time.perf_counter() - start
    return float(times.min())
