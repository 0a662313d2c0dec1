# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a running node withstands and waits for: bad packets, no calibration, no tf, parameters out of range."""

import signal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from event_camera_msgs.msg import EventPacket
from geometry_msgs.msg import TransformStamped, TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from event_perception.events import EventArray
from event_perception.io import fill_camera_info, fill_event_packet, fill_transform
from event_perception.io.codecs.encoders import encode_mono
from event_perception.io.stamps import header_ns
from event_perception.motion import CameraModel

HEIGHT, WIDTH = 120, 160
CAMERA = CameraModel(fx=100.0, fy=100.0, cx=79.5, cy=59.5, height=HEIGHT, width=WIDTH)
START_S = 100.0  # a first start compiles
START_NS = 1_700_000_000_000_000_000
MOUNTED = np.array([[0.0, 0, 1, 0.3], [-1, 0, 0, 0], [0, -1, 0, 0.2], [0, 0, 0, 1]])


class Driver:
    """Publishes packets of a camera that turns about its vertical axis before a wall of dots."""

    def __init__(self, probe, topic='/events'):
        rng = np.random.default_rng(3)
        self._dots = rng.uniform(-0.7, 0.7, (80, 2))
        self._probe, self._t_ns, self._seq = probe, START_NS, 0
        self.publisher = probe.node.create_publisher(EventPacket, topic, 1000)
        self.sent = 0

    def connected(self, name):
        """Whether the node receives us. It may match later than we do, and best effort loses what is early."""
        if not self._probe.wait(lambda: self.publish(self.packet()) or self._heard(name), START_S):
            return False
        told = len(self._probe.received['/diagnostics'])
        settled = self._probe.wait(lambda: len(self._probe.received['/diagnostics']) >= told + 2)
        self.sent = self._heard(name)
        return settled

    def _heard(self, name):
        """Packets that the node has received, or knows to have been lost: best effort may lose some."""
        totals = self._probe.diagnostics(name)
        return totals.get('packets received', 0) + totals.get('packets lost', 0)

    def packet(self, duration_s=0.01):
        """The next packet; every dot fires about once a millisecond."""
        t_s = np.repeat(np.arange(0, duration_s, 0.001), len(self._dots))
        angle = (t_s + (self._t_ns - START_NS) * 1e-9) * 1.0  # 1 rad/s about y
        x, y = np.tile(self._dots.T, len(t_s) // len(self._dots))
        columns = np.rint(CAMERA.cx + CAMERA.fx * np.tan(np.arctan(x) - np.sin(4 * angle) * 0.3)).astype(int)
        rows = np.rint(CAMERA.cy + CAMERA.fy * y).astype(int)
        keep = (columns >= 0) & (columns < WIDTH) & (rows >= 0) & (rows < HEIGHT)
        t_ns = self._t_ns + np.rint(t_s * 1e9).astype(np.int64)
        events = EventArray(
            t_ns[keep], columns[keep], rows[keep], np.ones(keep.sum(), np.int8), height=HEIGHT, width=WIDTH
        )
        payload, base_ns = encode_mono(events)
        message = EventPacket()
        fill_event_packet(
            message,
            payload,
            'mono',
            height=HEIGHT,
            width=WIDTH,
            seq=self._seq,
            stamp_ns=self._t_ns,
            time_base_ns=base_ns,
            frame_id='eye',
        )
        self._t_ns += round(duration_s * 1e9)
        self._seq += 1
        return message

    def send(self, packets=20):
        for _ in range(packets):
            self.publish(self.packet())

    def publish(self, message):
        self.publisher.publish(message)
        self.sent += 1

    def processed(self, name):
        """Whether the node has handled everything sent so far. If the last packet was lost, only one more tells."""

        def done():
            return self._heard(name) >= self.sent and not self._probe.diagnostics(name)['events waiting']

        for _ in range(10):
            if self._probe.wait(done, 6.0):
                return True
            self.send(1)
        return False


def camera_info():
    message = CameraInfo()
    fill_camera_info(message, CAMERA, t_ns=START_NS, frame_id='eye')
    return message


def set_parameter(probe, node, name, value):
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    return probe.call(SetParameters, f'/{node}/set_parameters', request).results[0]


@pytest.fixture(scope='module')
def running(new_session, tmp_path_factory):
    """A node with egomotion and images and no calibration, a driver, and what the node publishes."""
    with new_session() as (probe, start):
        driver = Driver(probe)
        probe.subscribe(TwistWithCovarianceStamped, '/egomotion_node/twist')
        probe.subscribe(Image, '/egomotion_node/image')
        probe.subscribe(DiagnosticArray, '/diagnostics')
        node = start('egomotion_node', stages=['egomotion', 'images'], inbox__max_lag_s=60.0)
        assert driver.connected('egomotion_node'), node.output()
        yield probe, driver, node


@pytest.fixture(scope='module')
def calibrated(running):
    """The same after it has waited for its calibration and got it: the wait is tested on the way."""
    probe, driver, node = running
    driver.send(20)
    assert driver.processed('egomotion_node'), node.output()
    waiting = probe.diagnostics('egomotion_node')
    images = len(probe.received['/egomotion_node/image'])
    twists = len(probe.received['/egomotion_node/twist'])
    publisher = probe.node.create_publisher(CameraInfo, '/camera_info', 1)
    calibrate = lambda: publisher.publish(camera_info()) or driver.send(2)  # noqa: E731
    assert probe.wait(lambda: calibrate() or probe.received['/egomotion_node/twist']), node.output()
    driver.send(80)  # half a swing: whatever its phase, the camera turns for most of it
    assert driver.processed('egomotion_node'), node.output()
    return {'waiting': waiting, 'images': images, 'twists': twists}


def test_without_calibration_it_waits_says_so_and_still_gives_images(calibrated):
    assert 'waiting for calibration' in calibrated['waiting']['message']
    assert calibrated['waiting']['windows without camera'] >= 9
    assert calibrated['twists'] == 0
    assert calibrated['images'] >= 8


def test_with_calibration_it_tells_the_turn_about_the_vertical_axis(calibrated, running):
    probe, _, _ = running
    turns = [message.twist.twist.angular for message in probe.received['/egomotion_node/twist']]
    x, y, z = np.abs([(omega.x, omega.y, omega.z) for omega in turns]).mean(axis=0)
    assert y > 0.1 and y > 3 * max(x, z)


def broken(kind, packet):
    """A packet spoilt in one way."""
    if kind == 'truncated':
        packet.events = packet.events[:-5]
    elif kind == 'empty':
        packet.events = packet.events[:0]
    elif kind == 'unknown encoding':
        packet.encoding = 'zstd_of_tomorrow'
    elif kind == 'big-endian':
        packet.is_bigendian = True
    elif kind == 'outside':
        packet.height, packet.width = 2, 2
    elif kind == 'noise':
        packet.events = type(packet.events)('B', np.random.default_rng(1).bytes(len(packet.events)))
    elif kind == 'no size':
        packet.height = packet.width = 0
    elif kind == 'far future':
        packet.time_base = 2**62 - 1
    return packet


@pytest.mark.parametrize(
    'kind',
    ['truncated', 'empty', 'unknown encoding', 'big-endian', 'outside', 'noise', 'no size', 'far future'],
)
@pytest.mark.usefixtures('calibrated')
def test_a_bad_packet_does_no_harm_to_the_good_ones_after_it(kind, running):
    probe, driver, node = running
    driver.publish(broken(kind, driver.packet()))
    before = len(probe.received['/egomotion_node/twist'])
    driver.send(40)
    assert driver.processed('egomotion_node'), node.output()
    assert node.running(), node.output()
    assert probe.wait(lambda: len(probe.received['/egomotion_node/twist']) >= before + 5), node.output()


@pytest.mark.usefixtures('calibrated')
def test_a_parameter_out_of_range_is_rejected_with_the_range(running):
    probe, _, _ = running
    value = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=-5)
    result = set_parameter(probe, 'egomotion_node', 'egomotion.health.min_events', value)
    assert not result.successful and 'range' in result.reason


@pytest.mark.usefixtures('calibrated')
def test_a_parameter_that_is_not_live_cannot_be_changed(running):
    probe, _, _ = running
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.01)
    result = set_parameter(probe, 'egomotion_node', 'window.duration_s', value)
    assert not result.successful and 'read-only' in result.reason


@pytest.mark.usefixtures('calibrated')
def test_a_live_parameter_takes_effect(running):
    probe, driver, node = running
    huge, usual = (
        ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=v) for v in (10**6, 300)
    )
    assert set_parameter(probe, 'egomotion_node', 'egomotion.health.min_events', huge).successful
    before = probe.diagnostics('egomotion_node').get('windows not converged', 0)
    driver.send(20)
    assert driver.processed('egomotion_node'), node.output()
    assert probe.diagnostics('egomotion_node')['windows not converged'] >= before + 8
    assert set_parameter(probe, 'egomotion_node', 'egomotion.health.min_events', usual).successful


@pytest.mark.usefixtures('calibrated')
def test_parameters_are_described(running):
    probe, _, _ = running
    request = DescribeParameters.Request(names=['window.duration_s', 'egomotion.health.min_events'])
    fixed, live = probe.call(DescribeParameters, '/egomotion_node/describe_parameters', request).descriptors
    assert fixed.read_only and not live.read_only
    assert 'seconds' in fixed.description
    assert (fixed.floating_point_range[0].from_value, fixed.floating_point_range[0].to_value) == (1e-4, 1.0)


def test_odometry_of_the_base_waits_for_tf_and_then_starts_at_the_identity(ros, tmp_path):
    probe, start = ros
    driver = Driver(probe, '/other/events')
    for kind, topic in (
        (Odometry, '/odometry_node/odometry'),
        (TFMessage, '/tf'),
        (DiagnosticArray, '/diagnostics'),
    ):
        probe.subscribe(kind, topic)
    node = start(
        'odometry_node',
        base_frame='base_link',
        publish_tf=True,
        camera_file=str(camera_yaml(tmp_path)),
        inbox__max_lag_s=60.0,
        remaps={'events': '/other/events'},
    )
    assert driver.connected('odometry_node'), node.output()
    driver.send(20)
    assert driver.processed('odometry_node'), node.output()
    assert probe.received['/odometry_node/odometry'] == []
    assert probe.diagnostics('odometry_node')['odometry waiting for tf'] >= 8
    static = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = probe.node.create_publisher(TFMessage, '/tf_static', static)
    stamped = TransformStamped()
    fill_transform(stamped, MOUNTED, t_ns=0, frame_id='base_link', child_frame_id='eye')
    publisher.publish(TFMessage(transforms=[stamped]))
    assert probe.wait(lambda: driver.send(2) or probe.received['/odometry_node/odometry']), node.output()
    message = probe.received['/odometry_node/odometry'][0]
    assert (message.header.frame_id, message.child_frame_id) == ('odom', 'base_link')
    assert abs(message.pose.pose.position.z) < 0.1  # turning about the vertical moves the base in its plane
    assert probe.wait(lambda: probe.received['/tf'])
    told = probe.received['/tf'][0].transforms[0]
    assert (told.header.frame_id, told.child_frame_id) == ('odom', 'base_link')
    assert header_ns(told) >= START_NS
    assert node.end(signal.SIGTERM) == 0, node.output()
    assert 'done:' in node.output()


def camera_yaml(folder):
    path = folder / 'camera.yaml'
    matrix = ', '.join(str(v) for v in CAMERA.matrix.reshape(9))
    path.write_text(
        f'image_width: {WIDTH}\nimage_height: {HEIGHT}\ncamera_name: eye\n'
        f'camera_matrix: {{rows: 3, cols: 3, data: [{matrix}]}}\n'
        'distortion_model: plumb_bob\n'
        'distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n'
    )
    return path


@pytest.mark.parametrize(
    ('module', 'parameters', 'said'),
    [
        ('replay_node', {}, 'nothing to replay'),
        ('replay_node', {'recording': '/no/such/bag'}, '/no/such/bag does not exist'),
        ('egomotion_node', {'camera_file': '/no/such/file'}, '/no/such/file'),
        ('egomotion_node', {'window__duration_s': 5.0}, 'window.duration_s'),
    ],
)
def test_a_node_that_cannot_start_says_why_in_one_line_and_ends_with_1(ros, module, parameters, said):
    _, start = ros
    process = start(module, **parameters)
    assert process.wait() == 1
    assert said in process.output() and 'Traceback' not in process.output()
