# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of spike planes in memory, in files and in packets."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.errors import DataError
from event_perception.events import PlaneLayout, SpikeStream
from event_perception.io.codecs.spike_planes import (
    SpikePlanesDecoder,
    encode_spike_planes,
    packets,
    parse_spike_planes,
)
from event_perception.io.spike_dat import read_dat, write_dat


def random_bits(n, height, width, seed=0):
    return (np.random.default_rng(seed).random((n, height, width)) < 0.3).astype(np.uint8)


def stream_of(bits, layout=None, **values):
    _, height, width = bits.shape
    values = {'plane_period_ns': 25_000} | values
    return SpikeStream(bits, height=height, width=width, layout=layout, **values)


@st.composite
def layouts_and_bits(draw):
    kind = draw(st.sampled_from(['contiguous', 'rows', 'split_rows']))
    width = 2 * draw(st.integers(1, 14)) if kind == 'split_rows' else draw(st.integers(1, 27))
    least = {'contiguous': 0, 'rows': (width + 7) // 8, 'split_rows': 2 * ((width // 2 + 7) // 8)}[kind]
    extra = 0 if kind == 'contiguous' else 2 * draw(st.integers(0, 2))
    order = draw(st.sampled_from(['little', 'big']))
    bits = random_bits(draw(st.integers(1, 5)), draw(st.integers(1, 9)), width, draw(st.integers(0, 99)))
    return PlaneLayout(kind, least + extra, order, draw(st.booleans())), bits


@settings(max_examples=80, deadline=None)
@given(layouts_and_bits())
def test_planes_survive_packing_packets_and_reordering_in_every_layout(case):
    layout, bits = case
    stream = stream_of(bits, layout, gain=0.5, start_ns=7_000, first_plane_index=11)
    np.testing.assert_array_equal(stream.unpack(), bits)
    back = parse_spike_planes(
        encode_spike_planes(stream), time_base=7_000, height=stream.height, width=stream.width
    )
    np.testing.assert_array_equal(back.unpack(), bits)
    assert (back.layout, back.gain, back.start_ns, back.first_plane_index) == (layout, 0.5, 7_000, 11)
    canonical = SpikeStream(
        stream.canonical(), height=stream.height, width=stream.width, plane_period_ns=25_000
    )
    expected = bits[:, ::-1] if layout.flipped_rows else bits
    np.testing.assert_array_equal(canonical.unpack(), expected)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(['camera', 'camera_header', 'plain']), st.integers(1, 9), st.integers(1, 30))
def test_a_recording_reads_back_bit_for_bit(tmp_path_factory, kind, height, width):
    bits = random_bits(6, height, width)
    path = tmp_path_factory.mktemp('dat') / 'planes.dat'
    write_dat(path, stream_of(bits), kind=kind)
    back = read_dat(path, height=height, width=width, plane_period_ns=25_000, kind=kind)
    np.testing.assert_array_equal(back.unpack(), bits)


def test_the_camera_file_has_the_bottom_row_first_and_the_first_pixel_in_bit_zero(tmp_path):
    bits = np.zeros((1, 250, 400), np.uint8)
    bits[0, 249, 0] = bits[0, 249, 9] = bits[0, 0, 399] = 1
    write_dat(tmp_path / 'a.dat', stream_of(bits))
    raw = np.frombuffer((tmp_path / 'a.dat').read_bytes(), np.uint8)
    assert raw.size == 12_500
    assert {int(i): int(raw[i]) for i in np.flatnonzero(raw)} == {0: 1, 1: 2, 12_499: 128}


def test_the_header_columns_of_the_416_wide_format_are_dropped(tmp_path):
    wide = random_bits(3, 250, 416)
    raw = np.packbits(wide[:, ::-1], axis=2, bitorder='little')
    (tmp_path / 'a.dat').write_bytes(raw.tobytes())
    stream = read_dat(tmp_path / 'a.dat', height=250, width=400, plane_period_ns=50_000, kind='camera_header')
    assert raw[0].size == 13_000
    np.testing.assert_array_equal(stream.unpack(), wide[:, :, :400])
    assert len(parse_spike_planes(encode_spike_planes(stream), time_base=0, height=250, width=400)) == 3


@pytest.fixture(scope='module')
def pcie_planes():
    return random_bits(3, 1000, 1000)


def test_the_large_sensor_is_found_by_its_line_counters_in_the_middle_of_a_file(tmp_path, pcie_planes):
    path = tmp_path / 'a.dat'
    write_dat(path, stream_of(pcie_planes), kind='pcie')
    whole = path.read_bytes()
    first, last = (int.from_bytes(whole[i : i + 2], 'little') for i in (62, 3 * 128_000 - 2))
    assert (first >> 14, first >> 4 & 1023, last >> 14, last >> 4 & 1023) == (0, 500, 3, 500)
    (tmp_path / 'cut.dat').write_bytes(whole[1600:])
    stream = read_dat(tmp_path / 'cut.dat', height=1000, width=1000, plane_period_ns=50_000, kind='pcie')
    np.testing.assert_array_equal(stream.unpack(), pcie_planes[1:])
    assert stream.ignored_bytes == 126_400


def test_a_plane_with_missing_packets_in_a_large_recording_is_an_error(tmp_path, pcie_planes):
    path = tmp_path / 'a.dat'
    write_dat(path, stream_of(pcie_planes), kind='pcie')
    whole = path.read_bytes()
    path.write_bytes(whole[:150_016] + whole[150_144:])
    with pytest.raises(DataError, match='plane 1 of 2 has wrong line counters'):
        read_dat(path, height=1000, width=1000, plane_period_ns=50_000, kind='pcie')


def test_a_truncated_end_is_left_out_and_counted(tmp_path, caplog):
    bits = random_bits(3, 10, 16)
    write_dat(tmp_path / 'a.dat', stream_of(bits))
    (tmp_path / 'cut.dat').write_bytes((tmp_path / 'a.dat').read_bytes()[:-7])
    stream = read_dat(tmp_path / 'cut.dat', height=10, width=16, plane_period_ns=25_000)
    assert (len(stream), stream.ignored_bytes) == (2, 13)
    assert 'last 13 bytes' in caplog.text


@pytest.mark.parametrize(
    'size, message',
    [(0, 'empty'), (100, 'less than one plane'), (26_000, "whole number of planes of kind='cam")],
)
def test_a_file_that_cannot_hold_the_declared_planes_is_an_error(tmp_path, size, message):
    (tmp_path / 'a.dat').write_bytes(bytes(size))
    with pytest.raises(DataError, match=message):
        SpikeStream.from_dat(tmp_path / 'a.dat', height=250, width=400, plane_period_ns=25_000)


def test_a_missing_file_and_an_unknown_kind_are_errors_of_this_package(tmp_path):
    with pytest.raises(DataError, match='cannot be opened'):
        read_dat(tmp_path / 'none.dat', height=2, width=8, plane_period_ns=1)
    with pytest.raises(DataError, match='choose one of'):
        read_dat(tmp_path / 'none.dat', height=2, width=8, plane_period_ns=1, kind='usb')


def test_the_wrong_bit_order_is_refused_and_may_be_insisted_on(tmp_path):
    x = np.arange(400)
    picture = 0.3 + 0.2 * np.sin(x / 9.0)[None] * np.cos(np.arange(250) / 13.0)[:, None]
    bits = np.random.default_rng(1).random((32, 250, 400)) < picture
    path = tmp_path / 'a.dat'
    write_dat(path, stream_of(bits), bit_order='big')
    size = {'height': 250, 'width': 400, 'plane_period_ns': 25_000}
    with pytest.raises(DataError, match='opposite bit order'):
        SpikeStream.from_dat(path, **size)
    np.testing.assert_array_equal(SpikeStream.from_dat(path, **size, bit_order='big').unpack(), bits)
    assert not (SpikeStream.from_dat(path, **size, check_bit_order=False).unpack() == bits).all()


@pytest.mark.parametrize('fill', [0, 255])
def test_planes_all_zero_or_all_one_are_legal(tmp_path, fill):
    (tmp_path / 'a.dat').write_bytes(bytes([fill]) * 12_500 * 3)
    stream = SpikeStream.from_dat(tmp_path / 'a.dat', height=250, width=400, plane_period_ns=25_000)
    assert stream.mean_rate() == (fill == 255)


def test_a_slice_is_a_view_with_its_own_time_and_index():
    stream = stream_of(random_bits(10, 3, 5), start_ns=100, first_plane_index=40)
    part = stream[4:7]
    assert (len(part), part.start_ns, part.first_plane_index) == (3, 100_100, 44)
    assert part.next_ns == 175_100
    assert np.shares_memory(part.planes, stream.planes)
    with pytest.raises(DataError, match='consecutive'):
        stream[::2]


def test_planes_cannot_be_modified_and_do_not_freeze_their_source():
    packed = np.zeros((2, 12), np.uint8)
    stream = SpikeStream(packed, height=8, width=12, plane_period_ns=1)
    with pytest.raises(ValueError):
        stream.planes[0, 0] = 1
    packed[0, 0] = 1


@pytest.mark.parametrize(
    'planes, message',
    [
        (np.zeros((2, 11), np.uint8), '11 bytes; 8 x 12 pixels need 12'),
        (np.zeros((2, 12), np.int32), 'dtype int32'),
        (np.zeros((2, 12, 8), np.uint8), r'expected bool or integers \(n, 8, 12\)'),
        (np.full((2, 8, 12), 2), '0 or 1'),
        (np.zeros((2, 8, 12)), 'float64'),
    ],
)
def test_planes_that_cannot_be_are_refused(planes, message):
    with pytest.raises(DataError, match=message):
        SpikeStream(planes, height=8, width=12, plane_period_ns=1)


def test_the_preamble_has_the_bytes_that_the_encoding_defines():
    stream = stream_of(random_bits(2, 250, 400), gain=0.5)
    payload = encode_spike_planes(stream, first_plane_index=5)
    assert payload[:4] == b'SPKP'
    assert struct.unpack('<IHHQIIIIfBBBB', payload[:40])[1:] == (
        1,
        40,
        5,
        2,
        25_000,
        12_504,
        0,
        0.5,
        0,
        0,
        0,
        0,
    )
    assert len(payload) == 40 + 2 * 12_504


def test_packets_stay_below_what_dds_carries_and_join_to_the_whole():
    stream = stream_of(random_bits(50, 250, 400), start_ns=1_000)
    parts = list(packets(stream))
    assert [len(payload) for _, payload in parts] == [287_632, 287_632, 40 + 4 * 12_504]
    assert [time for time, _ in parts] == [1_000, 576_000, 1_151_000]
    decoder = SpikePlanesDecoder()
    back = [decoder.decode(p, time_base=t, height=250, width=400).unpack() for t, p in parts]
    np.testing.assert_array_equal(np.concatenate(back), stream.unpack())
    assert (decoder.counts.packets, decoder.counts.planes, decoder.counts.gaps) == (3, 50, 0)


def test_lost_packets_and_restarts_are_counted():
    stream = stream_of(random_bits(60, 4, 8))
    parts = [payload for _, payload in packets(stream, planes=10)]
    decoder = SpikePlanesDecoder()
    for i in (0, 1, 4, 5, 0):
        decoder.decode(parts[i], time_base=i, height=4, width=8)
    counts = decoder.counts
    assert (counts.gaps, counts.missing_planes, counts.restarts, counts.rejected) == (1, 20, 1, 0)


FIELDS = {  # offset, struct code, a value that the encoding does not allow
    'magic': (0, 'I', 0),
    'version': (4, 'H', 2),
    'header_bytes': (6, 'H', 36),
    'n_planes zero': (16, 'I', 0),
    'n_planes huge': (16, 'I', 2**32 - 1),
    'plane_period_ns': (20, 'I', 0),
    'plane_stride_bytes short': (24, 'I', 3),
    'plane_stride_bytes long': (24, 'I', 2**32 - 1),
    'gain negative': (32, 'f', -1.0),
    'gain nan': (32, 'f', float('nan')),
    'bit_order': (36, 'B', 2),
    'layout': (37, 'B', 3),
    'layout rows without a stride': (37, 'B', 1),
    'flipped_rows': (38, 'B', 2),
}


@pytest.mark.parametrize('name', FIELDS)
def test_a_packet_with_a_bad_field_is_counted_and_does_not_raise(name):
    offset, code, value = FIELDS[name]
    payload = bytearray(encode_spike_planes(stream_of(random_bits(2, 4, 8))))
    struct.pack_into('<' + code, payload, offset, value)
    decoder = SpikePlanesDecoder()
    assert decoder.decode(payload, time_base=0, height=4, width=8) is None
    assert decoder.counts.rejected == 1
    assert decoder.last_rejection


@pytest.mark.parametrize('length', [0, 39, 40, 47, 55])
def test_a_truncated_packet_is_refused(length):
    payload = encode_spike_planes(stream_of(random_bits(2, 4, 8)))
    decoder = SpikePlanesDecoder()
    assert decoder.decode(payload[:length], time_base=0, height=4, width=8) is None
    assert decoder.counts.rejected == 1


def test_unaligned_strides_and_trailing_zeros_of_other_writers_are_read():
    bits = random_bits(2, 5, 5)
    planes = PlaneLayout().pack(bits)
    preamble = struct.pack('<IHHQIIIIfBBBB', 0x504B5053, 1, 48, 0, 2, 50_000, 4, 0, 0.0, 0, 0, 0, 0)
    payload = preamble + bytes(8) + planes.tobytes() + bytes(3)
    stream = parse_spike_planes(payload, time_base=0, height=5, width=5)
    np.testing.assert_array_equal(stream.unpack(), bits)


def test_the_real_clips_decode_to_their_known_rates(shared_data):
    folder = shared_data / 'spike_reds_gt'
    if not folder.is_dir():
        pytest.skip('no spike_reds_gt')
    rates = [
        SpikeStream.from_dat(path, height=250, width=400, plane_period_ns=25_000).mean_rate()
        for path in sorted(folder.glob('*.dat'))
    ]
    np.testing.assert_allclose(rates, [0.28767, 0.20805], atol=1e-5)
