# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stand-in for Isaac Sim against the table of its ROS 2 bridge, and the simulator node on its topics."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from event_camera_msgs.msg import EventPacket
from geometry_msgs.msg import PoseStamped, TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from event_perception.io.event_packets import EventPacketStream
from event_perception.io.image_messages import image_to_array
from event_perception.io.messages import pose_from_message, transform, vector
from event_perception.io.stamps import header_ns, stamp_ns
from event_perception.simulation.stand_in import StandIn

DURATION_S, SEED, FRAMES = 1.0, 5, 61
MOST = FRAMES - 8  # of a queue of ten, as the bridge has it, a busy machine may lose some
LAST_NS = round(1e9 * DURATION_S) - 60_000_000  # one of the last pictures
TUTORIAL = {
    '/rgb': (Image, 'sim_camera', 'rgb8'),
    '/depth': (Image, 'sim_camera', '32FC1'),
    '/camera_info': (CameraInfo, 'sim_camera', None),
    '/odom': (Odometry, 'odom', None),
    '/clock': (Clock, None, None),
    '/tf': (TFMessage, None, None),
}
"""Topic to type, frame and encoding: the camera, odometry and clock tutorials of Isaac Sim."""
NOVA_CARTER = {
    '/front_stereo_camera/left/image_raw': (Image, 'front_stereo_camera_left_optical', 'rgb8'),
    '/front_stereo_camera/left/camera_info': (CameraInfo, 'front_stereo_camera_left_optical', None),
    '/front_stereo_camera/right/image_raw': (Image, 'front_stereo_camera_right_optical', 'rgb8'),
    '/front_stereo_camera/right/camera_info': (CameraInfo, 'front_stereo_camera_right_optical', None),
    '/chassis/odom': (Odometry, 'odom', None),
    '/clock': (Clock, None, None),
    '/tf': (TFMessage, None, None),
}
TRUTH = {'twist': TwistWithCovarianceStamped, 'pose': PoseStamped, 'flow': Image}


@dataclass
class Run:
    """What came out of one simulation."""

    messages: dict = field(default_factory=dict)
    publishers: dict = field(default_factory=dict)
    diagnostics: dict = field(default_factory=dict)
    exit_codes: tuple = ()
    logs: str = ''


def subscribe(probe, table):
    for topic, (kind, _, _) in table.items():
        probe.subscribe(kind, topic)
    for name, kind in TRUTH.items():
        probe.subscribe(kind, f'/sim_camera_node/truth/{name}')


def publishers(probe, topics):
    return {topic: probe.node.get_publishers_info_by_topic(topic) for topic in topics}


def shown_until(probe):
    """Simulated time of the latest picture."""
    return max((header_ns(m) for m in probe.received['/rgb'][-3:]), default=0)


@pytest.fixture(scope='module')
def tutorial(new_session):
    """One simulated second through stand-in and simulator node."""
    with new_session() as (probe, start):
        subscribe(probe, TUTORIAL)
        probe.subscribe(EventPacket, '/events')
        probe.subscribe(DiagnosticArray, '/diagnostics')
        topics = {'image_topic': '/rgb', 'depth_topic': '/depth', 'odom_topic': '/odom'}
        often = {'diagnostics_period_s': 0.1}
        simulator = start(
            'simulator_node', use_sim_time=True, reliable=True, queue_frames=100, **topics, **often
        )
        stand_in = start(
            'sim_camera_node', duration_s=DURATION_S, seed=SEED, wait_for=2, linger_s=30.0, rate=0.2
        )
        assert probe.wait(lambda: shown_until(probe) >= LAST_NS), stand_in.output()
        known = publishers(probe, [*TUTORIAL, '/events'])

        def all_emulated():
            totals = probe.diagnostics('simulator_node')
            done = totals.get('frames emulated', 0) + totals.get('frames unwatched', 0)
            return done >= MOST and done >= totals.get('images', 0)

        assert probe.wait(all_emulated), simulator.output()
        codes = (stand_in.end(), simulator.end())
        logs = stand_in.output() + simulator.output()
        return Run(dict(probe.received), known, probe.diagnostics('simulator_node'), codes, logs)


def check_table(run, table):
    for topic, (kind, frame_id, encoding) in table.items():
        (endpoint,) = run.publishers[topic]
        package, name = kind.__module__.split('.')[0], kind.__name__
        assert endpoint.topic_type == f'{package}/msg/{name}'
        quality = endpoint.qos_profile
        assert quality.reliability == ReliabilityPolicy.RELIABLE
        assert quality.durability == DurabilityPolicy.VOLATILE
        messages = run.messages[topic]
        assert messages, topic
        for message in messages:
            assert frame_id is None or message.header.frame_id == frame_id
            assert encoding is None or message.encoding == encoding


def test_topics_types_encodings_frames_and_quality_are_those_of_the_bridge(tutorial):
    check_table(tutorial, TUTORIAL)
    assert all(m.child_frame_id == 'base_link' for m in tutorial.messages['/odom'])


def test_frames_come_at_60_hz_of_the_simulated_clock_which_never_runs_back(tutorial):
    stamps = [header_ns(m) for m in tutorial.messages['/rgb']]
    assert stamps == sorted(set(stamps)) and len(stamps) >= MOST
    assert set(stamps) <= {round(k * 1e9 / 60) for k in range(FRAMES)}
    clock = [stamp_ns(m.clock) for m in tutorial.messages['/clock']]
    assert clock == sorted(clock) and set(stamps) <= set(clock)
    for topic in ('/depth', '/camera_info', '/odom'):
        others = [header_ns(m) for m in tutorial.messages[topic]]
        assert others == sorted(set(others)) and len(set(others) & set(stamps)) >= MOST - 8


def test_pictures_and_depth_are_those_of_the_scene_byte_for_byte(tutorial):
    world = StandIn('turning', seed=SEED, duration_s=DURATION_S)
    for k in (0, 30):
        picture, depth = tutorial.messages['/rgb'][k], tutorial.messages['/depth'][k]
        np.testing.assert_array_equal(image_to_array(picture), world.picture(header_ns(picture)))
        np.testing.assert_array_equal(image_to_array(depth), world.depth(header_ns(depth)))


def test_calibration_is_a_pinhole_without_distortion(tutorial):
    info = tutorial.messages['/camera_info'][0]
    assert (info.height, info.width, info.distortion_model) == (260, 346, 'plumb_bob')
    assert list(info.d) == [0.0] * 5
    assert list(info.k) == [260.0, 0.0, 172.5, 0.0, 260.0, 129.5, 0.0, 0.0, 1.0]


def test_odometry_and_tf_tell_one_story_and_it_is_the_true_one(tutorial):
    chains = tutorial.messages['/tf']
    poses = {header_ns(m): pose_from_message(m).T_world_body for m in tutorial.messages['/odom']}
    true = {
        header_ns(m): pose_from_message(m).T_world_body
        for m in tutorial.messages['/sim_camera_node/truth/pose']
    }
    cameras = {}
    for message in chains:
        links = {t.child_frame_id: t for t in message.transforms}
        assert {(t.header.frame_id, t.child_frame_id) for t in message.transforms} == {
            ('odom', 'base_link'),
            ('base_link', 'sim_camera'),
        }
        t_ns = stamp_ns(links['base_link'].header.stamp)
        if t_ns not in poses or t_ns not in true:
            continue  # a message that got lost
        np.testing.assert_allclose(matrix(links['base_link']), poses[t_ns], atol=1e-12)
        cameras[t_ns] = poses[t_ns] @ matrix(links['sim_camera'])
    assert len(cameras) >= MOST - 8
    first, last = min(cameras), max(cameras)
    moved = np.linalg.inv(cameras[first]) @ cameras[last]
    np.testing.assert_allclose(moved, np.linalg.inv(true[first]) @ true[last], atol=1e-9)
    if first == 0:
        np.testing.assert_allclose(poses[first], np.eye(4), atol=1e-9)


def matrix(stamped):
    q = stamped.transform.rotation
    return transform(vector(stamped.transform.translation), (q.x, q.y, q.z, q.w))


def test_truth_is_that_of_the_trajectory(tutorial):
    sequence = StandIn('turning', seed=SEED, duration_s=DURATION_S).sequence
    message = tutorial.messages['/sim_camera_node/truth/twist'][20]
    angular = message.twist.twist.angular
    assert message.header.frame_id == 'sim_camera'
    np.testing.assert_allclose(vector(angular), sequence.omega(header_ns(message))[0], atol=1e-12)
    flow = tutorial.messages['/sim_camera_node/truth/flow'][1]
    assert (flow.encoding, header_ns(flow)) == ('32FC2', 210_000_000)
    true = np.moveaxis(sequence.flow(210_000_000).flow_px_s, 0, -1)
    np.testing.assert_allclose(image_to_array(flow), true, rtol=1e-6)


def test_the_simulator_reprojects_most_frames_and_drops_none(tutorial):
    totals = tutorial.diagnostics
    assert totals['images'] >= MOST
    assert totals['frames dropped'] == totals.get('frames refused', 0) == 0
    assert totals['reprojected'] >= 0.5 * totals['frames emulated']
    assert totals['views'] > totals['frames emulated']
    assert totals['events'] > 100_000


def test_event_packets_follow_each_other_without_a_gap_and_fit_best_effort_transport(tutorial):
    packets, stream = tutorial.messages['/events'], EventPacketStream()
    events = [stream.push(m) for m in packets]
    assert sum(map(len, events)) == tutorial.diagnostics['events']
    assert stream.counts.lost_packets == 0
    t_ns = np.concatenate([e.t_ns for e in events])
    assert (np.diff(t_ns) >= 0).all() and t_ns[0] >= 0 and t_ns[-1] <= round(1e9)
    for message, part in zip(packets, events):
        assert (message.header.frame_id, message.height, message.width) == ('sim_camera', 260, 346)
        assert header_ns(message) == part.t_ns[0]
        assert len(message.events) < 300_000


def test_both_end_with_0_and_say_what_they_did(tutorial):
    assert tutorial.exit_codes == (0, 0)
    assert 'simulated: ' in tutorial.logs
    assert 'done:' in tutorial.logs and 'Traceback' not in tutorial.logs


def test_nova_carter_in_stereo_has_its_own_names_and_a_baseline(ros):
    probe, start = ros
    subscribe(probe, NOVA_CARTER)
    stand_in = start(
        'sim_camera_node', layout='nova_carter', stereo=True, duration_s=0.1, wait_for=1, linger_s=60.0
    )
    assert probe.wait(lambda: all(len(probe.received[topic]) >= 7 for topic in NOVA_CARTER)), (
        stand_in.output()
    )
    run = Run(dict(probe.received), publishers(probe, NOVA_CARTER))
    assert stand_in.end() == 0
    check_table(run, NOVA_CARTER)
    left, right = (
        image_to_array(run.messages[f'/front_stereo_camera/{s}/image_raw'][0]) for s in ('left', 'right')
    )
    assert np.abs(left.astype(int) - right).mean() > 5
    frames = {t.child_frame_id: matrix(t) for t in run.messages['/tf'][0].transforms}
    lever = (
        np.linalg.inv(frames['front_stereo_camera_left_optical'])
        @ frames['front_stereo_camera_right_optical']
    )
    np.testing.assert_allclose(lever[:3, 3], [0.15, 0, 0], atol=1e-12)
