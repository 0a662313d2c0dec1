# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rotation SLAM as a node: every rule that robot stacks have for odometry, its state, its map, its services."""

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from event_camera_msgs.msg import EventPacket
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from event_perception.events import EventArray
from event_perception.io import fill_camera_info, fill_event_packet, fill_transform
from event_perception.io.codecs.encoders import encode_mono
from event_perception.io.stamps import header_ns
from event_perception.motion import CameraModel

CAMERA = CameraModel(fx=100.0, fy=100.0, cx=79.5, cy=59.5, height=120, width=160)
MOUNTED = np.array([[0.0, 0, 1, 0.3], [-1, 0, 0, 0], [0, -1, 0, 0.2], [0, 0, 0, 1]])
START_NS = 1_700_000_000_000_000_000
START_S = 200.0  # a first start compiles
RATE_RAD_S = 0.8
PACKET_NS = 10_000_000


class Driver:
    """Publishes packets of a camera that turns evenly about its y axis inside a sphere of strokes."""

    def __init__(self, probe):
        rng = np.random.default_rng(3)
        centre, along = rng.normal(size=(2, 400, 1, 3))
        strokes = centre / np.linalg.norm(centre, axis=-1, keepdims=True)
        self._points = (strokes + 0.1 * rng.uniform(-1, 1, (400, 40, 1)) * along).reshape(-1, 3)
        self._rng, self._probe, self._t_ns, self._seq = rng, probe, START_NS, 0
        self._publisher = probe.node.create_publisher(EventPacket, '/events', 1000)

    def publish(self):
        """The next packet, 2000 events."""
        t_ns = np.sort(self._t_ns + self._rng.integers(PACKET_NS, size=20_000))
        angle = RATE_RAD_S * (t_ns - START_NS) * 1e-9
        X, Y, Z = self._points[self._rng.integers(len(self._points), size=t_ns.size)].T
        seen = np.stack([np.cos(angle) * X - np.sin(angle) * Z, Y, np.sin(angle) * X + np.cos(angle) * Z])
        front = seen[2] > 0.2
        x, y = np.rint(CAMERA.project(seen[:, front].T)).astype(int).T
        keep = (x >= 0) & (x < CAMERA.width) & (y >= 0) & (y < CAMERA.height)
        size = {'height': CAMERA.height, 'width': CAMERA.width}
        events = EventArray(t_ns[front][keep], x[keep], y[keep], np.ones(keep.sum(), np.int8), **size)
        payload, base_ns = encode_mono(events)
        message = EventPacket()
        fill_event_packet(
            message, payload, 'mono', seq=self._seq, stamp_ns=self._t_ns, time_base_ns=base_ns,
            frame_id='optical', **size,
        )  # fmt: skip
        self._publisher.publish(message)
        self._t_ns, self._seq = self._t_ns + PACKET_NS, self._seq + 1


@pytest.fixture(scope='module')
def session(new_session, tmp_path_factory):
    """A node that has tracked the turning camera for a while, with its base mounted through tf."""
    map_file = tmp_path_factory.mktemp('map') / 'map.png'
    with new_session() as (probe, start):
        for kind, topic in (
            (DiagnosticArray, '/diagnostics'), (Odometry, '/odometry_node/odometry'), (TFMessage, '/tf'),
            (DiagnosticStatus, '/odometry_node/status'), (Image, '/odometry_node/map'),
        ):  # fmt: skip
            probe.subscribe(kind, topic)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        publishers = [
            probe.node.create_publisher(CameraInfo, '/camera_info', latched),
            probe.node.create_publisher(TFMessage, '/tf_static', latched),
        ]
        info, mounting = CameraInfo(), TransformStamped()
        fill_camera_info(info, CAMERA, t_ns=START_NS, frame_id='optical')
        fill_transform(mounting, MOUNTED, t_ns=START_NS, frame_id='base_link', child_frame_id='optical')
        publishers[1].publish(TFMessage(transforms=[mounting]))
        node = start(
            'odometry_node', odometry__method='rotation_slam', base_frame='base_link', camera_frame='optical',
            publish_tf=True, output__map_file=str(map_file), inbox__max_lag_s=60.0,
        )  # fmt: skip
        driver, told = Driver(probe), probe.received['/odometry_node/odometry']
        assert probe.wait(
            lambda: publishers[0].publish(info) or driver.publish() or len(told) > 40, START_S
        ), node.output()
        yield probe, driver, map_file


def test_odometry_follows_every_rule_of_the_stacks(session):
    probe, _, _ = session
    messages = list(probe.received['/odometry_node/odometry'])
    stamps = [header_ns(m) for m in messages]
    assert (np.diff(stamps) > 0).all()
    assert min(stamps) > 0
    for m in messages:
        assert (m.header.frame_id, m.child_frame_id) == ('odom', 'base_link')
        for covariance in (m.pose.covariance, m.twist.covariance):
            matrix = np.array(covariance).reshape(6, 6)
            np.testing.assert_allclose(matrix, matrix.T, rtol=1e-6, atol=1e-12)
            assert np.isfinite(matrix).all()
            assert np.linalg.eigvalsh(matrix).min() > 1e-9  # below, robot_localization trusts blindly
            assert np.diag(matrix).max() < 9999  # what RTAB-Map takes for lost
            assert matrix[0, 0] != 1.0  # what RTAB-Map ignores
        q = m.pose.pose.orientation
        assert np.linalg.norm([q.x, q.y, q.z, q.w]) == pytest.approx(1.0)


def test_no_pose_is_exactly_the_identity_after_the_first(session):
    """RTAB-Map takes that for a reset."""
    probe, _, _ = session
    poses = [m.pose.pose for m in probe.received['/odometry_node/odometry']]
    numbers = [(p.position.x, p.position.y, p.position.z, p.orientation.w) for p in poses]
    moved = next(k for k, n in enumerate(numbers) if n != (0.0, 0.0, 0.0, 1.0))
    assert (0.0, 0.0, 0.0, 1.0) not in numbers[moved:]


def test_the_twist_is_told_in_the_child_frame_and_agrees_with_the_pose(session):
    """The camera turns evenly about its y, which is -z of the base."""
    probe, _, _ = session
    messages = list(probe.received['/odometry_node/odometry'])[-20:]
    rate = np.mean([m.twist.twist.angular.z for m in messages])
    assert abs(rate) == pytest.approx(RATE_RAD_S, abs=0.15)
    q = [m.pose.pose.orientation for m in (messages[0], messages[-1])]
    first, last = (Rotation.from_quat([o.x, o.y, o.z, o.w]) for o in q)
    elapsed_s = (header_ns(messages[-1]) - header_ns(messages[0])) * 1e-9
    turned = (first.inv() * last).as_rotvec() / elapsed_s
    np.testing.assert_allclose(turned, [0, 0, rate], atol=0.15)


def test_the_transform_is_that_of_the_odometry(session):
    probe, _, _ = session
    transforms = {header_ns(m.transforms[0]): m.transforms[0] for m in list(probe.received['/tf'])}
    messages = {header_ns(m): m for m in list(probe.received['/odometry_node/odometry'])}
    common = sorted(set(transforms) & set(messages))
    assert common
    t, m = transforms[common[-1]], messages[common[-1]]
    assert (t.header.frame_id, t.child_frame_id) == ('odom', 'base_link')
    assert t.transform.rotation == m.pose.pose.orientation


def test_state_and_map_are_told(session):
    probe, _, _ = session
    states = list(probe.received['/odometry_node/status'])
    assert states[-1].message.startswith(('tracking', 'lost: no events'))
    assert any(s.level == DiagnosticStatus.OK for s in states)
    values = {v.key: v.value for v in next(s for s in states if s.message.startswith('tracking')).values}
    assert float(values['orientation std (rad)']) > 0
    assert probe.wait(lambda: probe.received['/odometry_node/map'])
    picture = probe.received['/odometry_node/map'][-1]
    assert (picture.encoding, picture.height, picture.width) == ('mono8', 512, 1024)
    assert max(picture.data) > 200


def test_silence_is_told_as_loss(session):
    probe, _, _ = session
    states = probe.received['/odometry_node/status']
    assert probe.wait(lambda: states and states[-1].message.startswith('lost: no events'))
    assert states[-1].level == DiagnosticStatus.ERROR


def test_the_map_is_saved_and_the_odometry_reset(session):
    probe, driver, map_file = session
    saved = probe.call(Trigger, '/odometry_node/save_map', Trigger.Request())
    assert saved.success, saved.message
    assert cv2.imread(str(map_file), cv2.IMREAD_UNCHANGED).shape == (512, 1024)
    assert probe.call(Trigger, '/odometry_node/reset', Trigger.Request()).success
    told = probe.received['/odometry_node/odometry']
    n = len(told)
    assert probe.wait(lambda: driver.publish() or len(told) > n + 3, START_S)
    q = told[n].pose.pose.orientation
    assert Rotation.from_quat([q.x, q.y, q.z, q.w]).magnitude() < 0.2
