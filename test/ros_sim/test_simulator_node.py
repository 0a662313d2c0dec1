# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The simulator node on input that is wrong, missing or jumps: it waits or says so, counts, and goes on."""

from functools import partial

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from event_camera_msgs.msg import EventPacket
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from event_perception.io.event_packets import EventPacketStream, SpikePacketStream
from event_perception.io.fill_messages import fill_camera_info, fill_odometry, fill_transform
from event_perception.io.image_messages import fill_image
from event_perception.io.stamps import fill_stamp
from event_perception.motion import CameraModel

CAMERA = CameraModel(fx=60.0, fy=60.0, cx=39.5, cy=29.5, height=60, width=80)
FRAME_NS = 16_666_667
SECOND_NS = 1_000_000_000


class Feeder:
    """Publishes what a simulator of pictures would, frame by frame, by hand."""

    def __init__(self, probe):
        self.probe, self.t_ns = probe, SECOND_NS
        node = probe.node
        self.image = node.create_publisher(Image, '/image', 10)
        self.depth = node.create_publisher(Image, '/depth', 10)
        self.info = node.create_publisher(CameraInfo, '/camera_info', 10)
        self.odom = node.create_publisher(Odometry, '/odom', 10)
        self.tf = node.create_publisher(TFMessage, '/tf', 10)
        self.clock = node.create_publisher(Clock, '/clock', 10)
        for topic in ('/events', '/spikes'):
            probe.subscribe(EventPacket, topic)
        probe.subscribe(DiagnosticArray, '/diagnostics')
        self.sent = 0

    def ready(self, *publishers):
        return self.probe.wait(lambda: all(p.get_subscription_count() for p in publishers))

    def prime(self, *topics, until=lambda: True, send=None):
        """Send frames until something comes back: matching of publishers and subscriptions takes its time."""

        def answered():
            if all(self.probe.received[topic] for topic in topics) and until():
                return True
            (send or self.send)()
            return False

        return self.probe.wait(answered)

    def send_until(self, condition, **surroundings):
        """Send frames with depth, odometry, calibration and mounting until a condition holds."""
        return self.prime(until=condition, send=lambda: self.send_surroundings(self.send(), **surroundings))

    def says(self, text):
        """Whether the latest diagnostics say something."""
        return text in self.totals().get('message', '')

    def send(self, *, size=(60, 80), encoding='mono8', pixels=None, t_ns=None):
        """One frame of a pattern that slides to the right."""
        if t_ns is None:
            self.t_ns += FRAME_NS
            t_ns = self.t_ns
        if pixels is None:
            y, x = np.mgrid[: size[0], : size[1]]
            shift = 1.5 * t_ns / FRAME_NS
            pixels = (127 + 90 * np.sin(0.5 * (x - shift)) * np.cos(0.3 * y)).astype(np.uint8)
        message, clock = Image(), Clock()
        fill_stamp(clock.clock, t_ns)
        self.clock.publish(clock)
        fill_image(message, pixels, encoding, t_ns=t_ns, frame_id='eye')
        self.image.publish(message)
        self.sent += 1
        return t_ns

    def send_surroundings(self, t_ns, *, depth_m=2.0, info=True, tf=True):
        """Depth, odometry of a base that moves, calibration and mounting."""
        depth, odom, camera, chain = Image(), Odometry(), CameraInfo(), TFMessage()
        fill_image(depth, np.full((60, 80), depth_m, np.float32), '32FC1', t_ns=t_ns, frame_id='eye')
        self.depth.publish(depth)
        pose, zero = np.eye(4), np.zeros((6, 6))
        pose[0, 3] = -0.05 * (t_ns - SECOND_NS) / FRAME_NS
        fill_odometry(
            odom, pose, zero, [0, 0, 0], [0, 0, 0], zero, t_ns=t_ns, frame_id='odom', child_frame_id='base'
        )
        self.odom.publish(odom)
        if info:
            fill_camera_info(camera, CAMERA, t_ns=t_ns, frame_id='eye')
            self.info.publish(camera)
        if tf:
            from geometry_msgs.msg import TransformStamped

            link = TransformStamped()
            fill_transform(link, np.eye(4), t_ns=t_ns, frame_id='base', child_frame_id='eye')
            chain.transforms.append(link)
            self.tf.publish(chain)

    def totals(self):
        return self.probe.diagnostics('simulator_node')

    def wait_for(self, **least):
        """Whether these totals are reached, underscores read as the node writes them."""
        return self.probe.wait(lambda: all(self.totals().get(n, 0) >= v for n, v in least.items()))

    def events(self):
        stream = EventPacketStream()
        return [stream.push(m) for m in list(self.probe.received['/events'])]


def time_base(message):
    return int(message.time_base)


@pytest.fixture
def feed(ros):
    """(feeder, start), diagnostics ten times a second."""
    probe, start = ros
    return Feeder(probe), partial(start, diagnostics_period_s=0.1)


def test_bad_images_are_counted_and_events_go_on(feed):
    """Wrong encodings, values, stamps and sizes, a pause, time that runs back: one node, one after the other."""
    feeder, start = feed
    node = start('simulator_node', use_sim_time=True, queue_frames=100)
    assert feeder.ready(feeder.image), node.output()
    assert feeder.prime('/events'), node.output()
    feeder.send(encoding='8UC2', pixels=np.zeros((60, 80, 2), np.uint8))
    feeder.send(encoding='32FC1', pixels=np.full((60, 80), np.nan, np.float32))
    feeder.send(t_ns=feeder.t_ns - 3 * FRAME_NS)  # older than the last good one
    good = feeder.send()
    feeder.send(t_ns=good)
    for _ in range(3):
        feeder.send(size=(40, 50))  # another size
    assert feeder.probe.wait(lambda: feeder.probe.received['/events'][-1].height == 40)
    feeder.t_ns += 5 * SECOND_NS  # a pause of the simulation
    feeder.send(size=(40, 50))
    feeder.t_ns = 0  # stopped and played again
    for _ in range(4):
        feeder.send(size=(40, 50))
    assert feeder.probe.wait(lambda: feeder.events()[-1].t_ns[-1] <= 4 * FRAME_NS)
    assert feeder.wait_for(late=1, repeated=1, restarts=4, **{'jumps back': 1, 'messages unreadable': 2})
    for part in feeder.events():
        assert np.ptp(part.t_ns) <= 20_000_000  # no event between what does not belong together
    assert node.end() == 0
    assert 'Traceback' not in node.output()


def test_missing_calibration_tf_and_depth_are_waited_for_said_and_recovered_from(feed):
    feeder, start = feed
    node = start('simulator_node', depth_topic='/depth', odom_topic='/odom', queue_frames=100, reliable=True)
    assert feeder.ready(feeder.image, feeder.depth, feeder.odom, feeder.tf, feeder.info), node.output()
    said = feeder.says
    assert feeder.send_until(
        lambda: said('waiting for camera_info') and said('waiting for tf'), info=False, tf=False
    )
    assert feeder.totals()['reprojected'] == 0
    assert feeder.send_until(lambda: feeder.totals()['reprojected'] >= 2), feeder.totals()
    assert feeder.send_until(lambda: feeder.totals()['depth_refused'] >= 1, depth_m=np.nan)
    assert feeder.prime(
        until=lambda: feeder.totals()['without_depth'] >= 2 <= feeder.totals()['without_pose']
    )
    resumed = feeder.totals()['reprojected']
    assert feeder.send_until(lambda: feeder.totals()['reprojected'] >= resumed + 2), feeder.totals()
    assert feeder.probe.wait(lambda: said('no images'))
    assert node.end() == 0


def test_a_clock_that_stands_still_is_said_and_spikes_and_evt3_are_published(feed):
    feeder, start = feed
    node = start(
        'simulator_node', use_sim_time=True, outputs=['events', 'spikes'], encoding='evt3', queue_frames=100
    )
    assert feeder.ready(feeder.image, feeder.clock), node.output()
    assert feeder.prime('/spikes', '/events'), node.output()
    latest = feeder.send()
    spikes = SpikePacketStream()
    assert feeder.probe.wait(lambda: time_base(feeder.probe.received['/spikes'][-1]) > latest - FRAME_NS)
    assert feeder.probe.wait(lambda: '/clock stands still' in feeder.totals().get('message', ''))
    planes = [spikes.push(m) for m in feeder.probe.received['/spikes']]
    assert spikes.counts.missing_planes == spikes.counts.rejected == 0
    assert latest < planes[-1].next_ns <= latest + 1_000_000
    assert {m.encoding for m in feeder.probe.received['/events']} == {'evt3'}
    assert sum(map(len, feeder.events())) > 100
    assert node.end() == 0


def test_parameters_that_cannot_be_end_the_node_with_the_reason(feed):
    _, start = feed
    node = start('simulator_node', **{'dvs__input_transfer': 'srgb'})
    assert node.wait() == 1
    assert 'light.transfer' in node.output()
