# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of monocular odometry: on strokes in space, with exact truth."""

import numpy as np
import pytest

from event_perception import odometry
from event_perception.config import build
from event_perception.errors import DataError
from event_perception.events import EventArray, EventWindow, ImuSample
from event_perception.motion import CameraModel, EgomotionResult
from event_perception.motion.lie import se3_exp, se3_inverse, se3_log, so3_log
from event_perception.odometry.edge_climbing import ClimbingConfig, climb, edge_images
from event_perception.odometry.monocular import MonocularOdometry
from event_perception.odometry.monocular_config import MonocularConfig
from event_perception.odometry.monocular_filter import MonocularFilter
from event_perception.odometry.turn_prediction import mean_rate
from event_perception.pipeline import Pipeline, PipelineConfig

MS = 1_000_000
CAMERA = CameraModel(fx=150.0, fy=150.0, cx=89.5, cy=59.5, height=120, width=180)
BIAS = np.array([0.005, -0.008, 0.004])


@pytest.fixture(scope='module')
def strokes():
    """Points of 150 short lines one to three metres in front, (n, 3)."""
    rng = np.random.default_rng(3)
    middle = rng.uniform((-1.0, -0.7, 1.2), (1.0, 0.7, 2.8), (150, 1, 3))
    middle[..., :2] *= middle[..., 2:]
    along = rng.normal(size=(150, 1, 3)) * (1, 1, 0.2)
    return (middle + 0.1 * rng.uniform(-1, 1, (150, 60, 1)) * along).reshape(-1, 3)


def twist(t_s):
    """v and omega of the camera, in its axes."""
    v = np.array([0.6 * np.cos(2 * t_s), 0.4 * np.sin(3 * t_s), 0.2 * np.sin(2 * t_s)])
    return np.concatenate([v, [0.2 * np.sin(3 * t_s), 0.3 * np.cos(2 * t_s), 0.1]])


class Flight:
    """A camera among strokes, millisecond by millisecond."""

    def __init__(self, points, duration_ms):
        self.points, self.T = points, [np.eye(4)]
        for t in range(duration_ms):
            self.T.append(self.T[-1] @ se3_exp(1e-3 * twist((t + 0.5) * 1e-3)))

    def seen(self, t_ms, chosen):
        T = se3_inverse(self.T[t_ms])
        return CAMERA.project(self.points[chosen] @ T[:3, :3].T + T[:3, 3])

    def window(self, t_ms, n=3000):
        """Events of [t, t + 20) ms."""
        rng = np.random.default_rng(t_ms)
        ticks = np.sort(rng.integers(0, 20, n))
        px = np.full((n, 2), -1.0)
        for tick in range(20):
            here = ticks == tick
            px[here] = self.seen(t_ms + tick, rng.integers(len(self.points), size=np.count_nonzero(here)))
        px = np.round(px)
        good = (
            np.isfinite(px).all(axis=1)
            & (px >= 0).all(axis=1)
            & (px < (CAMERA.width, CAMERA.height)).all(axis=1)
        )
        x, y = px[good].astype(int).T
        return of_events(t_ms, t_ms * MS + ticks[good] * MS, x, y)

    def gyro(self, t_ms):
        return tuple(
            ImuSample(t * MS, twist(t * 1e-3)[3:] + BIAS, np.zeros(3))
            for t in range(max(0, t_ms - 40), t_ms + 20)
        )


def of_events(t_ms, t_ns, x, y):
    events = EventArray(t_ns, x, y, np.ones(len(x), int), height=CAMERA.height, width=CAMERA.width)
    return EventWindow.from_events(events, t0_ns=t_ms * MS, t1_ns=(t_ms + 20) * MS)


def noise(t_ms, n=3000):
    rng = np.random.default_rng(t_ms)
    t_ns = np.sort(t_ms * MS + rng.integers(0, 20 * MS, n))
    return of_events(t_ms, t_ns, rng.integers(CAMERA.width, size=n), rng.integers(CAMERA.height, size=n))


def nothing(t_ms):
    return of_events(t_ms, np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))


def egomotion(t_ms):
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = 1e-4 * np.eye(3)
    omega = twist((t_ms + 10) * 1e-3)[3:]
    t_ns = (t_ms + 10) * MS
    return EgomotionResult(t_ns, t_ns, t_ns, omega, np.full(3, np.nan), covariance, True, '', 100, 3, 1.5)


def make(**changes):
    return odometry.create(
        'monocular', CAMERA, **{'sweep.new_events': 4000, 'sweep.least_events': 20_000, **changes}
    )


@pytest.fixture(scope='module')
def flown(strokes):
    """1.6 s with a gyroscope: the odometry, what it said, the truth."""
    flight, odo = Flight(strokes, 1700), make()
    said = [odo.update(flight.window(t), egomotion(t), None, flight.gyro(t)) for t in range(0, 1600, 20)]
    truth = np.array([se3_inverse(flight.T[10]) @ flight.T[t + 10] for t in range(0, 1600, 20)])
    return flight, odo, said, truth


def similarity(ours, truth):
    """Factor, and RMS distance of positions after similarity alignment (Umeyama)."""
    a, b = ours - ours.mean(axis=0), truth - truth.mean(axis=0)
    U, S, Vt = np.linalg.svd(b.T @ a)
    D = np.diag([1, 1, np.sign(np.linalg.det(U @ Vt))])
    factor = (S * np.diag(D)).sum() / (a**2).sum()
    return factor, np.sqrt(np.mean(np.sum((factor * a @ (U @ D @ Vt).T - b) ** 2, axis=1)))


def test_the_trajectory_has_the_right_shape_from_an_assumed_plane(flown):
    _, odo, said, truth = flown
    path = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).sum()
    _, error = similarity(np.array([e.T_odom_camera[:3, 3] for e in said]), truth[:, :3, 3])
    assert error < 0.03 * path
    turn = so3_log(said[-1].T_odom_camera[:3, :3].T @ truth[-1, :3, :3])
    assert np.linalg.norm(turn) < 0.02
    assert odo.starts == 1
    assert said[-1].status == 'tracking' and said[1].status == 'degraded'


def test_the_bias_of_a_gyroscope_is_learnt_from_poses_once_tracking_has_settled():
    seen = np.diag([1e-3**2] * 3 + [2e-3**2] * 3)
    motion = MonocularFilter(MonocularConfig())
    motion.begin()
    for settled, windows in ((False, 10), (True, 100)):
        if settled:
            motion.settle()
        for _ in range(windows):  # a camera at rest; the gyroscope says BIAS
            motion.go_on(0.02, BIAS - motion.bias, 1e-4)
            believed = np.linalg.inv(np.linalg.inv(motion.prior) + np.linalg.inv(seen))
            gain = believed @ np.linalg.inv(seen)
            motion.aligned(motion.T @ se3_exp(gain @ se3_log(se3_inverse(motion.T))), believed)
        error = np.linalg.norm(motion.bias - BIAS) / np.linalg.norm(BIAS)
        assert error < 0.1 if settled else error > 0.7


def test_a_flood_of_noise_is_noticed_and_recovered_from(flown, strokes):
    flight, odo = Flight(strokes, 2700), make()
    for t in range(0, 1200, 20):
        before = odo.update(flight.window(t), egomotion(t), None, flight.gyro(t))
    flood = [odo.update(noise(t), egomotion(t), None, flight.gyro(t)) for t in range(1200, 2000, 20)]
    assert 'lost' in {e.status for e in flood}
    assert 'tracking' not in {e.status for e in flood[25:]}
    assert np.trace(flood[-1].pose_covariance[:3, :3]) > 2 * np.trace(before.pose_covariance[:3, :3])
    after = [odo.update(flight.window(t), egomotion(t), None, flight.gyro(t)) for t in range(2000, 2600, 20)]
    assert after[-1].status != 'lost'
    assert odo.starts >= 2 or odo.returns == 1


def test_after_a_gap_it_finds_back_to_its_maps(strokes):
    flight, odo = Flight(strokes, 2000), make()
    for t in range(0, 1200, 20):
        odo.update(flight.window(t), egomotion(t), None, flight.gyro(t))
    ours, true = odo.update(flight.window(1200), egomotion(1200), None, flight.gyro(1200)), flight.T[1210]
    for t in range(1220, 1520, 20):
        gone = odo.update(nothing(t), egomotion(t), None, flight.gyro(t))
    assert gone.status == 'lost'
    said = [odo.update(flight.window(t), egomotion(t), None, flight.gyro(t)) for t in range(1520, 1760, 20)]
    assert (odo.returns, odo.starts) == (1, 1)
    back = next(e for e in said if e.reason.startswith('back on the maps'))
    moved = (se3_inverse(ours.T_odom_camera) @ back.T_odom_camera)[:3, 3]
    wanted = (se3_inverse(true) @ flight.T[back.t_ns // MS])[:3, 3]
    assert np.linalg.norm(wanted) > 0.1
    cosine = moved @ wanted / np.linalg.norm(moved) / np.linalg.norm(wanted)
    assert cosine > 0.95  # lengths are in the assumed unit
    assert said[-1].status == 'tracking'


def test_windows_shorter_than_a_step_are_tracked_together(strokes):
    flight, odo, whole = Flight(strokes, 300), make(least_events=500), make(least_events=500)
    for t in range(0, 200, 20):
        window = flight.window(t)
        whole.update(window, egomotion(t), None, flight.gyro(t))
        for part in quarters(t, window):
            said = odo.update(part, egomotion(t), None, flight.gyro(t))
    assert said.t_ns == 197_500_000
    other = whole.update(flight.window(200), egomotion(200), None, flight.gyro(200)).T_odom_camera
    moved = np.linalg.norm(flight.T[197][:3, 3] - flight.T[17][:3, 3])
    assert (
        np.linalg.norm(other[:3, 3] - said.T_odom_camera[:3, 3]) < 0.3 * moved
    )  # 12 ms apart, and a late start
    assert said.status == 'degraded' and 'start' in said.reason


def quarters(t_ms, window):
    t_ns = window.t_ref_ns + np.rint(window.dt_s * 1e9).astype(np.int64)
    for k in range(4):
        start, end = t_ms * MS + k * 5 * MS, t_ms * MS + (k + 1) * 5 * MS
        first, last = np.searchsorted(t_ns, [start, end])
        x, y = window.x[first:last], window.y[first:last]
        events = EventArray(
            t_ns[first:last], x, y, np.ones(len(x), int), height=window.height, width=window.width
        )
        yield EventWindow.from_events(events, t0_ns=start, t1_ns=end)


def test_without_a_gyroscope_it_goes_on_and_says_so(strokes):
    flight, odo = Flight(strokes, 200), make()
    said = [odo.update(flight.window(t), egomotion(t)) for t in range(0, 160, 20)]
    assert {e.status for e in said} == {'degraded'}
    assert 'gyroscope' in said[-1].reason


def test_without_events_the_pose_is_held_and_lost(strokes):
    flight, odo = Flight(strokes, 200), make()
    odo.update(flight.window(0), egomotion(0))
    said = [odo.update(nothing(t), egomotion(20)) for t in range(20, 800, 20)]
    assert (said[2].status, said[-1].status) == ('degraded', 'lost')
    stds = [np.trace(e.pose_covariance) for e in said]
    assert (np.diff(stds) > 0).all()


def test_windows_must_come_in_time_order(strokes):
    flight, odo = Flight(strokes, 100), make()
    odo.update(flight.window(20), egomotion(20))
    with pytest.raises(DataError, match='time order'):
        odo.update(flight.window(0), egomotion(0))


@pytest.mark.parametrize(
    'start', [(0.06, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0.03, 0), (0, 0.02, 0.02, 0.02, 0, 0.02)]
)
def test_points_climb_back_to_the_true_pose_from_within_the_basin(strokes, start):
    flight, rng = Flight(strokes, 1), np.random.default_rng(0)
    pixels = flight.seen(0, rng.integers(len(strokes), size=6000)).T.astype(np.float32)
    images = edge_images(pixels, CAMERA, ClimbingConfig())
    ones = np.ones(len(strokes), np.float32)
    found = climb(
        strokes.astype(np.float32), ones, images, se3_exp(start), np.eye(6), CAMERA, ClimbingConfig()
    )
    assert found.sound
    assert np.abs(found.T_camera_odom[:3, 3]).max() < 0.02  # 1 % of the depth; started at up to 0.06
    assert np.linalg.norm(so3_log(found.T_camera_odom[:3, :3])) < 0.01
    assert found.height > 0.4


def test_the_rate_of_a_gyroscope_is_the_mean_between_two_instants():
    imu = tuple(ImuSample(t * MS, np.array([t, 0.0, 1.0]), np.zeros(3)) for t in range(20))
    np.testing.assert_allclose(mean_rate(imu, 4 * MS, 8 * MS), [5.5, 0, 1])
    assert mean_rate(imu, 30 * MS, 40 * MS) is None


def test_the_pipeline_hands_odometry_readings_along_the_axes_of_the_camera(strokes, monkeypatch):
    turn = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    settings = {'stages': ('odometry',), 'odometry.method': 'monocular', 'fusion.R_camera_imu': turn}
    pipeline = Pipeline(build(PipelineConfig, settings), CAMERA)
    given = []
    update = MonocularOdometry.update

    def listening(self, window, egomotion, depth=None, imu=()):
        given.extend(imu)
        return update(self, window, egomotion, depth, imu)

    monkeypatch.setattr(MonocularOdometry, 'update', listening)
    pipeline.push(ImuSample(5 * MS, np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])))
    window = Flight(strokes, 30).window(0, 400)
    t_ns = 5 * MS + (window.dt_s * 1e9).astype(np.int64)
    pipeline.push(
        EventArray(
            np.sort(t_ns - t_ns.min()), window.x, window.y, window.p, height=CAMERA.height, width=CAMERA.width
        )
    )
    pipeline.finish()
    np.testing.assert_allclose(given[0].angular_velocity_rad_s, [-0.2, 0.1, 0.3], atol=1e-12)
    np.testing.assert_allclose(given[0].linear_acceleration_m_s2, [-2.0, 1.0, 3.0], atol=1e-12)
