# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a simulated camera to events, without ROS: light, views between frames, matching, packets."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from event_perception.errors import ConfigError, DataError
from event_perception.io.decode import decode_event_packet
from event_perception.motion import CameraModel
from event_perception.simulation.camera_light import LightConfig, log_light_from_message
from event_perception.simulation.camera_stream import CameraFrame, CameraStream, CameraStreamConfig
from event_perception.simulation.dvs_config import dvs_preset
from event_perception.simulation.event_camera import CAMERA_DVS, SimulatedEventCamera
from event_perception.simulation.flow_interpolation import FlowInterpolation
from event_perception.simulation.frame_matcher import FrameMatcher, PoseTrack
from event_perception.simulation.packets import EventPacketCutter, spike_packets
from event_perception.simulation.reprojection import KeyFrame, Reprojection, inverse_depth_of
from event_perception.simulation.scenes import EYE_M, room_sequence
from event_perception.simulation.spikes import SpikeSensorConfig
from event_perception.simulation.trajectories import hand_held

CAMERA = CameraModel(fx=90.0, fy=90.0, cx=59.5, cy=44.5, height=90, width=120)
FRAME_NS = 16_666_667


@pytest.fixture(scope='module')
def room():
    """A camera that is waved in a furnished room, small enough to be quick."""
    motion = hand_held(
        np.random.default_rng(3),
        duration_s=1.0,
        position_rms_m=0.2,
        rotation_rms_rad=0.4,
        centre_m=EYE_M,
    )
    return room_sequence(seed=3, duration_s=1.0, trajectory=motion, camera=CAMERA, texel_m=0.02)


def frame(room, t_ns, **changes):
    known = {
        'depth_m': room.depth(t_ns).depth_m,
        'T_world_camera': room.pose(t_ns)[0],
        'camera': CAMERA,
    }
    return CameraFrame(t_ns, room.log_light(t_ns), **(known | changes))


def key_frame(room, t_ns):
    inverse, _ = inverse_depth_of(room.depth(t_ns).depth_m)
    return KeyFrame(room.log_light(t_ns), inverse, room.pose(t_ns)[0])


def message(pixels, encoding):
    return SimpleNamespace(
        encoding=encoding,
        height=pixels.shape[0],
        width=pixels.shape[1],
        step=pixels.strides[0],
        is_bigendian=0,
        data=np.ascontiguousarray(pixels).tobytes(),
    )


# light ----------------------------------------------------------------------------------------------------


def test_white_is_255_dn_in_every_encoding():
    white = np.full((4, 5), 255, np.uint8)
    pictures = {
        'mono8': white,
        'rgb8': np.repeat(white[..., None], 3, 2),
        'bgr8': np.repeat(white[..., None], 3, 2),
        'rgba8': np.repeat(white[..., None], 4, 2),
        '32FC1': np.ones((4, 5), np.float32),
    }
    for encoding, pixels in pictures.items():
        light = log_light_from_message(message(pixels, encoding), LightConfig())
        np.testing.assert_allclose(light, np.log(255.0), atol=1e-5)


def test_eight_bits_are_gamma_coded_unless_said_otherwise():
    grey = np.full((2, 2), 188, np.uint8)  # half of the light of white, by the sRGB curve
    coded = log_light_from_message(message(grey, 'mono8'), LightConfig())
    linear = log_light_from_message(message(grey, 'mono8'), LightConfig(transfer='linear'))
    np.testing.assert_allclose(coded, np.log(255 * 0.5029), atol=1e-3)
    np.testing.assert_allclose(linear, np.log(188), atol=1e-5)


def test_colours_weigh_as_in_luminance_and_their_order_matters():
    green = np.zeros((2, 2, 3), np.uint8)
    green[..., 1] = 255
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    np.testing.assert_allclose(
        log_light_from_message(message(green, 'rgb8'), LightConfig()), np.log(255 * 0.7152), atol=1e-4
    )
    np.testing.assert_allclose(
        log_light_from_message(message(red, 'bgr8'), LightConfig()),
        255 * 0.0722 * np.log(20) / 20,  # below the knee the response is linear
        atol=1e-4,
    )


@pytest.mark.parametrize('value', [np.nan, np.inf, -1.0])
def test_light_that_is_not_light_is_refused(value):
    with pytest.raises(DataError, match='negative or not finite'):
        log_light_from_message(message(np.full((2, 2), value, np.float32), '32FC1'), LightConfig())


def test_an_encoding_that_is_no_picture_is_refused_by_name():
    with pytest.raises(DataError, match='32SC1'):
        log_light_from_message(message(np.zeros((2, 2), np.int32), '32SC1'), LightConfig())


# views between frames -------------------------------------------------------------------------------------


def test_reprojection_runs_through_both_frames_and_is_near_the_truth_in_between(room):
    t0, t1 = 400_000_000, 400_000_000 + FRAME_NS
    between = Reprojection(CAMERA, key_frame(room, t0), key_frame(room, t1))
    np.testing.assert_allclose(between.view(0.0), room.log_light(t0), atol=1e-4)
    np.testing.assert_allclose(between.view(1.0), room.log_light(t1), atol=1e-4)
    truth = room.log_light((t0 + t1) // 2)
    error = np.abs(between.view(0.5) - truth).mean()
    untouched = np.abs(room.log_light(t0) - truth).mean()
    assert between.motion_px() > 1.0
    assert error < 0.3 * untouched


def test_reprojection_of_a_step_in_depth_shows_what_the_other_frame_sees():
    """A near dark bar before a far ramp, the camera moves sideways: what the bar uncovers comes from frame b."""
    columns = np.arange(120)
    ramp = lambda shift: np.tile((2 + 0.02 * (columns + shift)).astype(np.float32), (90, 1))  # noqa: E731
    far, near = 0.1, 1.0  # inverse depths; the camera moves by t, images by 90 * t * w
    keys = []
    for x_m, bar in ((0.0, 60), (0.2, 42)):
        light, inverse = ramp(90 * x_m * far), np.full((90, 120), far, np.float32)
        light[:, bar : bar + 10], inverse[:, bar : bar + 10] = 0.5, near
        pose = np.eye(4)
        pose[0, 3] = x_m
        keys.append(KeyFrame(light, inverse, pose))
    middle = Reprojection(CAMERA, *keys).view(0.5)
    expected = ramp(0.9)
    expected[:, 51:61] = 0.5
    wrong = np.abs(middle - expected)[:, 4:-4] > 0.02
    assert wrong.mean() < 0.02  # a column where light is mixed at the edge of the bar


def test_depth_that_is_not_a_number_is_counted_and_infinity_is_not():
    inverse, unknown = inverse_depth_of(np.array([[2.0, np.inf, np.nan], [0.0, -1.0, 0.5]], np.float32))
    np.testing.assert_array_equal(inverse, [[0.5, 0, 0], [0, 0, 2]])
    assert unknown == 3


def test_flow_fills_in_where_there_is_no_depth(room):
    t0, t1 = 400_000_000, 400_000_000 + FRAME_NS
    between = FlowInterpolation(room.log_light(t0), room.log_light(t1))
    truth = room.log_light((t0 + t1) // 2)
    assert between.explains
    assert np.abs(between.view(0.5) - truth).mean() < 0.5 * np.abs(room.log_light(t0) - truth).mean()


def test_a_cut_is_cross_faded_and_said(room):
    first, second = room.log_light(0), np.ascontiguousarray(room.log_light(0)[::-1, ::-1])
    between = FlowInterpolation(first, second)
    assert not between.explains
    assert between.motion_px() == 0.0
    np.testing.assert_allclose(between.view(0.25), 0.75 * first + 0.25 * second, rtol=1e-6)


def instants(stream, *frames):
    return [[t for t, _ in stream.push(f)] for f in frames]


def test_views_are_as_close_as_the_motion_asks_and_end_at_the_frame(room):
    stream = CameraStream(CameraStreamConfig(max_motion_px=0.5, max_views=100))
    first, second = instants(stream, frame(room, 0), frame(room, FRAME_NS))
    motion = Reprojection(CAMERA, key_frame(room, 0), key_frame(room, FRAME_NS)).motion_px()
    assert first == [0]
    assert len(second) == int(np.ceil(motion / 0.5))
    assert second[-1] == FRAME_NS
    assert max(np.diff([0, *second])) - min(np.diff([0, *second])) <= 1
    assert stream.counts.reprojected == 1


def test_too_much_motion_takes_longer_steps_and_is_counted(room):
    stream = CameraStream(CameraStreamConfig(max_motion_px=0.1, max_views=3))
    assert [len(i) for i in instants(stream, frame(room, 0), frame(room, FRAME_NS))] == [1, 3]
    assert stream.counts.long_steps == 1


@pytest.mark.parametrize('missing', ['depth_m', 'T_world_camera', 'camera'])
def test_without_depth_pose_or_calibration_auto_takes_flow_and_depth_refuses(room, missing):
    frames = [frame(room, t, **{missing: None}) for t in (0, FRAME_NS)]
    stream = CameraStream()
    instants(stream, *frames)
    assert (stream.counts.flow, stream.counts.reprojected) == (1, 0)
    with pytest.raises(DataError, match='without usable depth, pose or calibration'):
        CameraStream(CameraStreamConfig(method='depth')).push(frames[0])


def test_depth_without_values_is_refused_and_flow_takes_over_then_depth_again(room):
    hollow = np.full((90, 120), np.nan, np.float32)
    frames = [frame(room, k * FRAME_NS, **({'depth_m': hollow} if k == 2 else {})) for k in range(6)]
    stream = CameraStream()
    instants(stream, *frames)
    assert (stream.counts.reprojected, stream.counts.flow, stream.counts.depth_refused) == (3, 2, 1)


def test_a_pause_or_another_size_starts_the_sensor_afresh(room):
    stream = CameraStream()
    small = CameraFrame(2_000_000_000, np.zeros((40, 50), np.float32))
    for f in (frame(room, 0), frame(room, 900_000_000), small):
        list(stream.push(f))
        assert stream.restarted
    assert stream.counts.restarts == 3


def test_time_that_does_not_increase_is_an_error_until_restarted(room):
    stream = CameraStream()
    stream.push(frame(room, FRAME_NS))
    with pytest.raises(DataError, match='restart'):
        stream.push(frame(room, 0))
    stream.restart()
    stream.push(frame(room, 0))
    assert stream.restarted


# sensor ---------------------------------------------------------------------------------------------------


def test_events_of_60_hz_frames_are_nearer_to_the_truth_with_views_in_between(room):
    """Signed events in 4 ms and pixel, correlated with those of a sensor that sees the scene at any time."""

    def voxels(events):
        bins = np.zeros((60, 90, 120))
        np.add.at(bins, (events.t_ns // 4_000_000, events.y, events.x), events.p)
        return bins.ravel()

    times = [k * FRAME_NS for k in range(12)]
    truth = sensed(room, range(0, times[-1], FRAME_NS // 16), 'none')
    score = {
        method: np.corrcoef(voxels(sensed(room, times, method)), voxels(truth))[0, 1]
        for method in ('none', 'flow', 'auto')
    }
    assert score['auto'] > score['none'] + 0.15
    assert score['flow'] > score['none'] + 0.1


def sensed(room, times, method):
    from event_perception.events import concatenate

    camera = SimulatedEventCamera(CameraStreamConfig(method=method), replace(CAMERA_DVS, threshold_sigma=0.0))
    return concatenate([camera.push(frame(room, int(t))).events for t in times])


def test_events_are_sorted_across_frames_and_the_same_again(room):
    runs = [sensed(room, [k * FRAME_NS for k in range(5)], 'auto') for _ in range(2)]
    assert len(runs[0]) > 1000 and runs[0].is_sorted()
    for name in ('t_ns', 'x', 'y', 'p'):
        np.testing.assert_array_equal(getattr(runs[0], name), getattr(runs[1], name))


def test_a_sensor_that_expects_anything_but_logarithms_is_refused():
    with pytest.raises(ConfigError, match=r'light\.transfer'):
        SimulatedEventCamera(dvs=dvs_preset('clean'))


def test_spike_planes_go_on_from_frame_to_frame_and_carry_the_light(room):
    spikes = SpikeSensorConfig(plane_period_ns=2_000_000, gain=0.5)
    camera = SimulatedEventCamera(spikes=spikes, events=False)
    streams = [camera.push(frame(room, k * FRAME_NS)).spikes for k in range(4)]
    assert streams[0] is None
    assert [s.first_plane_index for s in streams[1:]] == [0, 8, 16]
    assert streams[2].start_ns == 9 * 2_000_000
    light = np.exp(room.log_light(FRAME_NS)) / 255
    rate = np.mean([s.mean_rate() for s in streams[1:]])
    assert rate == pytest.approx(0.5 * light.mean(), rel=0.1)
    (packet,) = spike_packets(streams[1])
    assert (packet.encoding, packet.count, packet.time_base_ns) == ('spike_planes_v1', 8, 2_000_000)


@pytest.mark.parametrize('encoding', ['mono', 'libcaer_cmp', 'evt3'])
def test_packets_are_small_and_hold_every_event(room, encoding):
    events = sensed(room, [k * FRAME_NS for k in range(6)], 'auto')
    cutter, state, decoded = EventPacketCutter(encoding, 0.01), None, 0
    for packet in cutter.packets(events):
        assert len(packet.payload) < 300_000
        part, _, state = decode_event_packet(
            encoding, packet.payload, time_base=packet.time_base_ns, height=90, width=120, state=state
        )
        assert len(part) == packet.count
        assert abs(int(part.t_ns[0]) - packet.t_first_ns) < 1000
        decoded += len(part)
    assert decoded == len(events)


# matching -------------------------------------------------------------------------------------------------


def pose_at(x_m):
    T = np.eye(4)
    T[0, 3] = x_m
    return T


def test_frames_wait_for_their_depth_and_pose_in_any_order():
    matcher = FrameMatcher(depth=True, poses=True, restart_s=0.1)
    matcher.poses.push(0, pose_at(0.0))
    matcher.push_image(10, np.zeros((2, 2)))
    assert matcher.pop() == []
    matcher.push_depth(10, np.ones((2, 2)))
    assert matcher.pop() == []
    matcher.poses.push(20, pose_at(1.0))
    (matched,) = matcher.pop()
    assert matched.t_ns == 10
    np.testing.assert_allclose(matched.T_odom_base[:3, 3], [0.5, 0, 0])


def test_what_never_comes_is_given_up_after_two_more_frames_and_counted():
    matcher = FrameMatcher(depth=True, poses=False, restart_s=0.1)
    for t_ns in (10, 20, 30):
        matcher.push_image(t_ns, np.zeros((2, 2)))
    (matched,) = matcher.pop()
    assert (matched.t_ns, matched.depth_m) == (10, None)
    assert matcher.counts.without_depth == 1


def test_stamps_out_of_order_are_dropped_and_a_far_step_back_begins_anew():
    matcher = FrameMatcher(depth=False, poses=False, restart_s=0.1)
    ms = 1_000_000
    steps = [(500 * ms, False), (500 * ms, False), (490 * ms, False), (520 * ms, False), (0, True)]
    assert [matcher.push_image(t, np.zeros((2, 2))) for t, _ in steps] == [new for _, new in steps]
    assert [m.t_ns for m in matcher.pop()] == [0]
    assert (matcher.counts.repeated, matcher.counts.late, matcher.counts.restarts) == (1, 1, 1)


def test_a_track_of_poses_that_starts_again_forgets_the_old_ones():
    track = PoseTrack()
    for t_ns in (100, 200):
        track.push(t_ns, pose_at(t_ns))
    assert track.at(50) is None and track.at(250) is None
    track.push(10, pose_at(7.0))
    assert track.at(150) is None
    np.testing.assert_allclose(track.at(10), pose_at(7.0))
