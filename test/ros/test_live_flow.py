# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a subscriber of flow_node sees: flow in px/s of the middle of a window, confidence, colours with a wheel."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from event_camera_msgs.msg import EventPacket
from sensor_msgs.msg import CameraInfo, Image

from event_perception.events import EventArray
from event_perception.io import fill_camera_info, fill_event_packet
from event_perception.io.codecs.encoders import encode_mono
from event_perception.io.image_messages import image_to_array
from event_perception.io.stamps import header_ns
from event_perception.motion import CameraModel

HEIGHT, WIDTH = 96, 128
CAMERA = CameraModel(fx=100.0, fy=100.0, cx=63.5, cy=47.5, height=HEIGHT, width=WIDTH)
START_NS = 1_700_000_000_000_000_000
DRIFT_PX_S = np.array([150.0, -50.0])
AROUND = np.array(
    [WIDTH + 60, HEIGHT + 60]
)  # the dots leave on one side and come back on the other, out of sight
START_S = 100.0  # a first start compiles
TOPICS = ('flow', 'confidence', 'flow_image')


class Dots:
    """Packets of dots that drift to the right and up, 10 ms each."""

    def __init__(self):
        self._place = np.random.default_rng(1).uniform(0, AROUND, (400, 2))
        self.t_ns, self._seq = START_NS, 0

    def packet(self):
        t_ns = self.t_ns + np.arange(0, 10_000_000, 1_000_000)
        s = (t_ns - START_NS)[:, None, None] * 1e-9
        x, y = np.rint((self._place + s * DRIFT_PX_S) % AROUND - 30).reshape(-1, 2).T.astype(int)
        keep = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
        t_ns = np.repeat(t_ns, len(self._place))[keep]
        events = EventArray(t_ns, x[keep], y[keep], np.ones(keep.sum(), np.int8), height=HEIGHT, width=WIDTH)
        payload, base_ns = encode_mono(events)
        message = EventPacket()
        fill_event_packet(
            message, payload, 'mono', height=HEIGHT, width=WIDTH, seq=self._seq, stamp_ns=self.t_ns,
            time_base_ns=base_ns, frame_id='eye',
        )  # fmt: skip
        self.t_ns += 10_000_000
        self._seq += 1
        return message


@pytest.fixture(scope='module')
def seen(new_session):
    """Messages of each topic, of the same instants."""
    with new_session() as (probe, start):
        for topic in TOPICS:
            probe.subscribe(Image, f'/flow_node/{topic}')
        probe.subscribe(DiagnosticArray, '/diagnostics')
        node = start('flow_node', inbox__max_lag_s=60.0, output__picture_period_s=0.0)
        events = probe.node.create_publisher(EventPacket, '/events', 1000)
        calibration = probe.node.create_publisher(CameraInfo, '/camera_info', 1)
        info, dots = CameraInfo(), Dots()
        fill_camera_info(info, CAMERA, t_ns=START_NS, frame_id='eye')

        def enough():
            calibration.publish(info)
            events.publish(dots.packet())
            return all(len(probe.received[f'/flow_node/{topic}']) >= 6 for topic in TOPICS)

        assert probe.wait(enough, START_S), node.output()
        yield {topic: {header_ns(m): m for m in probe.received[f'/flow_node/{topic}']} for topic in TOPICS}


def test_flow_is_px_per_second_in_two_channels(seen):
    message = list(seen['flow'].values())[-1]
    assert (message.encoding, message.height, message.width) == ('32FC2', HEIGHT, WIDTH)
    assert (message.step, message.header.frame_id, message.is_bigendian) == (8 * WIDTH, 'eye', 0)
    fields = np.stack([image_to_array(m) for m in seen['flow'].values()])
    assert np.nanmedian(fields[..., 0]) == pytest.approx(DRIFT_PX_S[0], rel=0.1)
    assert np.nanmedian(fields[..., 1]) == pytest.approx(DRIFT_PX_S[1], rel=0.1)


def test_stamps_are_middles_of_windows_and_the_rate_is_bounded(seen):
    stamps = np.array(sorted(seen['flow']))
    # A window ends at a multiple of 20 ms and is 15 to 100 ms long.
    assert ((stamps - START_NS) > 0).all()
    assert np.diff(stamps).min() >= 5_000_000
    assert np.median(np.diff(stamps)) >= 35_000_000


def test_confidence_and_picture_are_of_the_same_instants(seen):
    common = set(seen['flow']) & set(seen['confidence']) & set(seen['flow_image'])
    assert len(common) >= 3
    stamp = max(common)
    confidence, flow = (image_to_array(seen[topic][stamp]) for topic in ('confidence', 'flow'))
    assert seen['confidence'][stamp].encoding == '32FC1'
    assert ((confidence >= 0) & (confidence <= 1)).all()
    np.testing.assert_array_equal(confidence > 0, np.isfinite(flow[..., 0]))
    assert (seen['flow_image'][stamp].encoding, seen['flow_image'][stamp].step) == ('bgr8', 3 * WIDTH)
