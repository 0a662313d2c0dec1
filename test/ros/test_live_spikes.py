# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Spike planes through a running node: images of them, and what becomes of planes that are missing or spoilt."""

from dataclasses import replace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from event_camera_msgs.msg import EventPacket
from sensor_msgs.msg import CameraInfo, Image

from event_perception.config import build
from event_perception.events import SpikeStream
from event_perception.io import fill_camera_info, fill_event_packet, image_to_array
from event_perception.io.codecs.spike_planes import encode_spike_planes
from event_perception.io.spike_dat import write_dat
from event_perception.io.stamps import header_ns
from event_perception.motion import CameraModel
from event_perception.pipeline import Pipeline, PipelineConfig

HEIGHT, WIDTH, PERIOD_NS = 72, 96, 50_000
CAMERA = CameraModel(fx=90.0, fy=90.0, cx=47.5, cy=35.5, height=HEIGHT, width=WIDTH)
START_NS = 1_700_000_000_000_000_000
START_S = 100.0  # a first start compiles
NODE = 'reconstruction_node'
GAIN = 0.5
Y, X = np.mgrid[:HEIGHT, :WIDTH]
INTENSITY = 0.5 + 0.3 * np.sin(X / 5.0) * np.cos(Y / 7.0)


def bits_of(first, n, rates):
    """Planes of pixels that fire at constant rates, 0 or 1, (n, H, W)."""
    phase = np.random.default_rng(0).random((HEIGHT, WIDTH))
    steps = np.floor(np.arange(first, first + n + 1)[:, None, None] * rates + phase)
    return np.diff(steps, axis=0).astype(np.uint8)


class SpikeCamera:
    """Publishes packets of 50 planes: 2.5 ms of a still picture."""

    def __init__(self, probe):
        self._probe, self._index, self._seq = probe, 0, 0
        self._publisher = probe.node.create_publisher(EventPacket, '/spikes', 1000)

    def stream(self, n=50, rates=GAIN * INTENSITY):
        start_ns = START_NS + self._index * PERIOD_NS
        bits = bits_of(self._index, n, rates)
        stream = SpikeStream(
            bits,
            height=HEIGHT,
            width=WIDTH,
            plane_period_ns=PERIOD_NS,
            start_ns=start_ns,
            gain=GAIN,
            first_plane_index=self._index,
        )
        self._index += n
        return stream

    def send(self, stream=None, spoil=lambda message: None):
        stream = self.stream() if stream is None else stream
        message = EventPacket()
        fill_event_packet(
            message,
            encode_spike_planes(stream),
            'spike_planes_v1',
            height=stream.height,
            width=stream.width,
            seq=self._seq,
            stamp_ns=stream.start_ns,
            time_base_ns=stream.start_ns,
            frame_id='eye',
        )
        self._seq += 1
        spoil(message)
        self._publisher.publish(message)

    def skip(self, planes):
        """Planes that nobody gets."""
        self._index += planes

    def send_until(self, condition, send=None):
        """Packet after packet: best effort may lose some."""
        send = send or self.send
        return self._probe.wait(lambda: condition() or send(), START_S)


@pytest.fixture(scope='module')
def running(new_session):
    """A node that makes 100 images a second of spikes, and a camera that it hears."""
    with new_session() as (probe, start):
        for kind, topic in ((Image, 'image'), (CameraInfo, 'camera_info')):
            probe.subscribe(kind, f'/{NODE}/{topic}')
        probe.subscribe(DiagnosticArray, '/diagnostics')
        parameters = {'images__spike_method': 'tfp', 'images__period_s': 0.01}
        parameters |= {'inbox__max_lag_s': 60.0, 'inbox__image_lag_s': 60.0}
        node = start(NODE, images__tfp__output__full_scale_rate=0.0, **parameters)
        camera = SpikeCamera(probe)
        info = probe.node.create_publisher(CameraInfo, '/camera_info', 1)
        message = CameraInfo()
        fill_camera_info(message, CAMERA, t_ns=START_NS, frame_id='eye')
        told = lambda: len(probe.received[f'/{NODE}/camera_info']) >= 3  # noqa: E731
        assert camera.send_until(told, lambda: info.publish(message) or camera.send()), node.output()
        yield probe, camera, node


def images(probe):
    return probe.received[f'/{NODE}/image']


def counted(probe, name):
    return probe.diagnostics(NODE).get(name, 0)


def grows(probe, name):
    before = counted(probe, name)
    return lambda: counted(probe, name) > before


def test_images_are_of_every_10_ms_and_tell_the_light_that_the_gain_means(running):
    probe, camera, node = running
    before = len(images(probe))
    assert camera.send_until(lambda: len(images(probe)) >= before + 5), node.output()
    for message in images(probe)[before:]:
        assert header_ns(message) % 10_000_000 == 0
        assert (message.encoding, message.header.frame_id) == ('mono8', 'eye')
        np.testing.assert_allclose(image_to_array(message) / 255.0, INTENSITY, atol=0.07)  # 2 of 31 planes


def test_calibration_comes_with_the_stamp_of_the_image(running):
    probe, _, _ = running
    infos = {header_ns(message): message for message in probe.received[f'/{NODE}/camera_info']}
    assert infos and set(infos) <= {header_ns(message) for message in images(probe)}
    assert all((i.height, i.width, i.k[0]) == (HEIGHT, WIDTH, 90.0) for i in infos.values())


def test_diagnostics_tell_planes_and_how_bright_it_is(running):
    probe, camera, node = running
    assert camera.send_until(lambda: counted(probe, 'planes/s') > 0), node.output()
    told = probe.diagnostics(NODE)
    assert told['firing rate'] == pytest.approx(0.25, abs=0.02)
    assert told['age of image p95 (ms)'] >= told['latency of image p50 (ms)'] > 0
    assert told['planes processed'] > 0 and told['planes dropped'] == 0
    assert 'Mev/s' not in told


def test_missing_planes_are_counted_and_images_go_on_behind_them(running):
    probe, camera, node = running
    gaps, missing = counted(probe, 'plane gaps'), counted(probe, 'planes missing')
    told = lambda: counted(probe, 'plane gaps') > gaps and counted(probe, 'planes missing') >= missing + 30  # noqa: E731
    assert camera.send_until(told, lambda: camera.skip(30) or camera.send()), node.output()
    before = len(images(probe))
    assert camera.send_until(lambda: len(images(probe)) >= before + 3), node.output()
    np.testing.assert_allclose(image_to_array(images(probe)[-1]) / 255.0, INTENSITY, atol=0.07)


@pytest.mark.parametrize(('rate', 'value'), [(0.0, 0), (1.0, 255)])
def test_darkness_is_black_and_a_pixel_that_always_fires_is_white(running, rate, value):
    probe, camera, node = running
    is_flat = lambda: images(probe) and (image_to_array(images(probe)[-1]) == value).all()  # noqa: E731
    assert camera.send_until(
        is_flat, lambda: camera.send(camera.stream(rates=np.full((HEIGHT, WIDTH), rate)))
    ), node.output()
    words = 'no pixel fires' if rate == 0 else 'every pixel fires'
    sees = lambda: words in str(counted(probe, 'message'))  # noqa: E731
    assert camera.send_until(
        sees, lambda: camera.send(camera.stream(rates=np.full((HEIGHT, WIDTH), rate)))
    ), node.output()


def spoilt(field):
    """A function that spoils one thing of a message."""

    def spoil(message):
        if field == 'truncated':
            message.events = message.events[:-100]
        elif field == 'empty':
            message.events = message.events[:0]
        elif field == 'magic':
            message.events[0] ^= 0xFF
        elif field == 'no size':
            message.height = message.width = 0
        elif field == 'larger than told':
            message.height, message.width = 2 * HEIGHT, 2 * WIDTH
        elif field == 'big-endian':
            message.is_bigendian = True
        elif field == 'encoding':
            message.encoding = 'evt3'
        elif field == 'no planes':
            message.events[16:20] = type(message.events)('B', bytes(4))
        elif field == 'bit order':
            message.events[36] = 1

    return spoil


@pytest.mark.parametrize(
    'field',
    [
        'truncated', 'empty', 'magic', 'no size', 'larger than told', 'big-endian', 'encoding', 'no planes',
        'bit order',
    ],
)  # fmt: skip
def test_a_spoilt_packet_is_refused_and_counted_and_the_next_good_one_is_taken(running, field):
    probe, camera, node = running
    refused = grows(probe, 'messages unreadable')
    assert camera.send_until(refused, lambda: camera.send(spoil=spoilt(field))), node.output()
    before = len(images(probe))
    assert camera.send_until(lambda: len(images(probe)) >= before + 2), node.output()
    np.testing.assert_allclose(image_to_array(images(probe)[-1]) / 255.0, INTENSITY, atol=0.07)


def test_a_wrong_bit_order_is_called_by_its_name(running):
    probe, camera, node = running
    said = lambda: 'bit_order' in str(counted(probe, 'message'))  # noqa: E731
    assert camera.send_until(said, lambda: camera.send(spoil=spoilt('bit order'))), node.output()


def test_planes_of_another_sensor_are_refused_by_the_pipeline(running):
    probe, camera, node = running

    def send_other():
        stream = camera.stream()
        bits = np.ascontiguousarray(stream.unpack()[:, :40, :40])
        camera.send(
            SpikeStream(
                bits,
                height=40,
                width=40,
                plane_period_ns=PERIOD_NS,
                start_ns=stream.start_ns,
                first_plane_index=stream.first_plane_index,
            )
        )

    assert camera.send_until(grows(probe, 'planes refused'), send_other), node.output()
    before = len(images(probe))
    assert camera.send_until(lambda: len(images(probe)) >= before + 2), node.output()


def test_events_beside_spikes_are_refused_because_a_node_serves_one_camera(running):
    probe, camera, node = running
    publisher = probe.node.create_publisher(EventPacket, '/events', 10)
    message = EventPacket(encoding='mono', height=HEIGHT, width=WIDTH)
    assert camera.send_until(
        grows(probe, 'messages unreadable'), lambda: publisher.publish(message) or camera.send()
    ), node.output()
    assert 'a node serves one camera' in node.output()


def test_a_raw_file_that_is_replayed_gives_the_images_that_the_pipeline_makes_of_it(ros, tmp_path):
    probe, start = ros
    stream = SpikeStream(
        bits_of(0, 600, GAIN * INTENSITY), height=HEIGHT, width=WIDTH, plane_period_ns=PERIOD_NS
    )
    write_dat(tmp_path / 'planes.dat', stream)
    probe.subscribe(Image, '/eye/image')
    parameters = {'images__spike_method': 'tfi_k', 'images__tfi_k__search_planes': 40}
    node = start(
        NODE,
        remaps={'~/image': '/eye/image'},
        output__image_encoding='32FC1',
        inbox__max_lag_s=60.0,
        inbox__image_lag_s=60.0,
        **parameters,
    )
    assert probe.wait(lambda: 'ready' in node.output(), START_S), node.output()
    replay = start(
        'replay_node',
        recording=str(tmp_path / 'planes.dat'),
        spikes__height=HEIGHT,
        spikes__width=WIDTH,
        loop=True,
        rate=0.2,
        packet_mb=0.02,
        settle_s=1.0,
    )
    assert probe.wait(lambda: len(probe.received['/eye/image']) >= 5, START_S), (
        node.output() + replay.output()
    )
    assert node.end() == 0 and replay.end() == 0
    expected = offline(stream)
    compared = probe.received['/eye/image'][
        1:
    ]  # the first may lack planes that came before the node was seen
    for message in compared:
        assert message.encoding == '32FC1'
        np.testing.assert_array_equal(image_to_array(message), expected[header_ns(message)])
    assert len(compared) >= 3 and 'Traceback' not in node.output() + replay.output()


def offline(stream, loops=40):
    """Instant to image, of the same pipeline without ROS, fed with the planes again and again."""
    config = build(PipelineConfig, {'images.spike_method': 'tfi_k', 'images.tfi_k.search_planes': 40})
    pipeline = Pipeline(replace(config, stages=('images',)))
    pieces = (
        SpikeStream(
            stream.planes, height=HEIGHT, width=WIDTH, plane_period_ns=PERIOD_NS, start_ns=k * 600 * PERIOD_NS
        )
        for k in range(loops)
    )
    return {image.t_ns: image.value for piece in pieces for image in pipeline.push(piece)}
