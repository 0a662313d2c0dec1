# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""SLAM with depth: keyframes take drift away, what is hidden is not drawn, loss shows, depth is carried in time."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception import odometry
from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, EventWindow
from event_perception.motion import CameraModel, EgomotionResult
from event_perception.motion.depth_warp import DepthViews
from event_perception.motion.grid import BinGrid
from event_perception.motion.lie import so3_log
from event_perception.odometry.depth_slam import DepthSlam, DepthSlamConfig
from event_perception.odometry.keyframe_map import KeyframeConfig, KeyframeMap, draw_points
from event_perception.odometry.pose_search import PoseSearchConfig

MS = 1_000_000
SLOPE, WALL_M = 0.3, 2.5  # the wall is z = WALL_M + SLOPE x, world frame
DRIFT = np.array([0.04, -0.05, 0.03, 0.02, -0.02, 0.03])  # of a bad front end, m/s and rad/s


@dataclass(frozen=True)
class WallWorld:
    """Strokes on a slanted wall and a camera that sways before it."""

    camera: CameraModel

    def points(self):
        rng = np.random.default_rng(3)
        centre, along = rng.uniform(-2.5, 2.5, (400, 1, 2)), rng.normal(0, 0.15, (400, 1, 2))
        xy = (centre + rng.uniform(-1, 1, (400, 10, 1)) * along).reshape(-1, 2)
        return np.column_stack([xy, WALL_M + SLOPE * xy[:, 0]])

    def pose(self, t_s):
        """T_world_camera."""
        T = np.eye(4)
        T[:3, 3] = 0.3 * np.sin(1.7 * t_s), 0.2 * np.sin(2.3 * t_s), 0.2 * np.sin(1.3 * t_s)
        turn = [0.15 * np.sin(1.9 * t_s), 0.15 * np.sin(1.5 * t_s), 0.1 * np.sin(2.1 * t_s)]
        T[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
        return T

    def twist(self, t_s, step=1e-4):
        """(v, omega) in the camera frame."""
        before, after = self.pose(t_s - step), self.pose(t_s + step)
        R = self.pose(t_s)[:3, :3]
        omega = so3_log(before[:3, :3].T @ after[:3, :3]) / (2 * step)
        return np.concatenate([R.T @ (after[:3, 3] - before[:3, 3]) / (2 * step), omega])

    def depth(self, t_ms):
        """Where each pixel's ray meets the wall."""
        T = self.pose(t_ms * 1e-3)
        rays = np.concatenate([self.camera.bearings(), np.ones((*self.shape, 1))], axis=-1) @ T[:3, :3].T
        reach = (WALL_M + SLOPE * T[0, 3] - T[2, 3]) / (rays[..., 2] - SLOPE * rays[..., 0])
        return DepthImage(t_ms * MS, reach.astype(np.float32))

    @property
    def shape(self):
        return self.camera.height, self.camera.width

    def window(self, t_ms, n=2500):
        """Events of [t - 10 ms, t + 10 ms)."""
        rng, points = np.random.default_rng(t_ms), self.points()
        dt_ns = np.sort(rng.integers(-10 * MS, 10 * MS, 3 * n))
        chosen = points[rng.integers(len(points), size=3 * n)]
        T, twist = self.pose(t_ms * 1e-3), self.twist(t_ms * 1e-3)
        seen = (chosen - T[:3, 3]) @ T[:3, :3]
        dt_s = 1e-9 * dt_ns[:, None]
        seen = seen + dt_s * (-np.cross(twist[3:], seen) - twist[:3])
        px = np.round(self.camera.project(seen))
        good = np.flatnonzero((px >= 0).all(axis=1) & (px < self.shape[::-1]).all(axis=1))[:n]
        x, y = px[good].astype(int).T
        ones = np.ones(len(good), int)
        events = EventArray(t_ms * MS + dt_ns[good], x, y, ones, height=self.shape[0], width=self.shape[1])
        return EventWindow.from_events(events, t0_ns=(t_ms - 10) * MS, t1_ns=(t_ms + 10) * MS)

    def egomotion(self, t_ms, error=DRIFT, converged=True):
        twist = self.twist(t_ms * 1e-3) + error
        covariance = np.diag([0.06**2] * 3 + [0.03**2] * 3)
        t_ns = t_ms * MS
        return EgomotionResult(
            t_ns - 10 * MS,
            t_ns + 10 * MS,
            t_ns,
            twist[3:],
            twist[:3],
            covariance,
            converged,
            'made up',
            2500,
            5,
            2.0,
        )

    def errors(self, estimate):
        """Metres and degrees, from the first pose."""
        truth = np.linalg.inv(self.pose(0.0)) @ self.pose(estimate.t_ns * 1e-9)
        turn = so3_log(truth[:3, :3].T @ estimate.T_odom_camera[:3, :3])
        shift = np.linalg.norm(truth[:3, 3] - estimate.T_odom_camera[:3, 3])
        return float(shift), float(np.rad2deg(np.linalg.norm(turn)))


@pytest.fixture(scope='module')
def world():
    return WallWorld(CameraModel(fx=100.0, fy=101.0, cx=59.5, cy=44.5, height=90, width=120))


def run(world, slam, start_ms, end_ms, with_map=True):
    """Depth is 10 ms old, as that of a slow camera."""
    return [
        slam.update(world.window(t), world.egomotion(t), world.depth(t - 10) if with_map else None)
        for t in range(start_ms, end_ms, 20)
    ]


def test_a_front_end_that_drifts_is_held_by_the_keyframes(world):
    held = run(world, odometry.create('depth_slam', world.camera), 0, 2000)
    alone = run(world, odometry.create('depth_slam', world.camera), 0, 2000, with_map=False)
    assert world.errors(alone[-1])[0] > 0.1 and world.errors(alone[-1])[1] > 3.0
    assert max(world.errors(e)[0] for e in held) < 0.045
    assert max(world.errors(e)[1] for e in held) < 1.0
    assert {e.reason for e in held[1:]} == {'on the map'}


def test_the_error_is_within_what_the_covariance_says(world):
    slam, worth = odometry.create('depth_slam', world.camera), []
    for t in range(0, 1600, 20):
        error = np.random.default_rng(t).normal(0, [0.06] * 3 + [0.03] * 3)
        estimate = slam.update(world.window(t), world.egomotion(t, error), world.depth(t - 10))
        truth = np.linalg.inv(world.pose(0.0)) @ world.pose(estimate.t_ns * 1e-9)
        phi = so3_log(truth[:3, :3] @ estimate.T_odom_camera[:3, :3].T)
        off = np.concatenate([truth[:3, 3] - estimate.T_odom_camera[:3, 3], phi])
        worth.append(off @ np.linalg.solve(estimate.pose_covariance, off))
    assert 1 < np.median(worth[10:]) < 12  # 5.3 for six numbers


def test_loss_shows_in_status_and_covariance_and_ends_when_motion_is_known_again(world):
    slam = odometry.create('depth_slam', world.camera)
    before = run(world, slam, 0, 400)[-1]
    for t in range(400, 600, 20):
        lost = slam.update(world.window(t), world.egomotion(t, converged=False), world.depth(t - 10))
    assert not lost.tracking and lost.status in ('degraded', 'lost')
    assert lost.pose_covariance[0, 0] > 10 * before.pose_covariance[0, 0]
    found = run(world, slam, 600, 900)[-1]
    assert found.status == 'tracking' and world.errors(found)[0] < 0.04


def test_without_depth_nothing_is_claimed_of_a_map(world):
    slam = odometry.create('depth_slam', world.camera)
    estimate = run(world, slam, 0, 100, with_map=False)[-1]
    assert estimate.status == 'degraded' and 'depth' in estimate.reason


def test_windows_out_of_order_and_depth_of_another_size_are_errors(world):
    slam = odometry.create('depth_slam', world.camera)
    slam.update(world.window(100), world.egomotion(100), world.depth(90))
    with pytest.raises(DataError, match='time order'):
        slam.update(world.window(80), world.egomotion(80), world.depth(70))
    small = DepthImage(110 * MS, np.ones((9, 12), np.float32))
    with pytest.raises(DataError, match='depth image'):
        slam.update(world.window(120), world.egomotion(120), small)


def test_depth_carried_in_time_is_the_depth_of_that_time(world):
    twist, views = world.twist(0.4), DepthViews(world.camera)
    now, soon = views.of(world.depth(400)), views.of(world.depth(430))
    carried = now.carried(omega_rad_s=twist[3:], v_m_s=twist[:3], t_ns=soon.t_ns)
    inner = (slice(16, -16), slice(16, -16))
    known = carried.q[inner] > 0
    assert known.mean() > 0.99
    error = np.abs(1 / carried.q - 1 / soon.q)[inner][known]
    assert np.median(error) < 0.004 < np.median(np.abs(1 / now.q - 1 / soon.q)[inner])


def test_depth_without_motion_or_at_its_own_time_stays_as_it_is(world):
    view = DepthViews(world.camera).of(world.depth(0))
    assert view.carried(omega_rad_s=np.zeros(3), v_m_s=np.full(3, np.nan), t_ns=5).q is view.q
    assert view.carried(omega_rad_s=np.ones(3), v_m_s=np.ones(3), t_ns=0).q is view.q


def test_single_holes_and_outliers_of_depth_are_closed_and_larger_ones_stay_unknown(world):
    depth = np.full(world.shape, 2.0, np.float32)
    depth[30, 30], depth[40, 40], depth[60:65, 60:65] = np.nan, 0.3, 0.0
    view = DepthViews(world.camera).of(DepthImage(0, depth))
    u, v = (round(float(view.grid.to_bins(world.camera.undistort([[0.0, 0.0]]))[0, k])) for k in (0, 1))
    assert view.q[v + 30, u + 30] == view.q[v + 40, u + 40] == pytest.approx(0.5)
    assert view.q[v + 62, u + 62] < 0 and view.q[v - 3, u - 3] < 0


def test_a_lens_is_taken_out_of_a_view_of_depth():
    camera = CameraModel(100.0, 100.0, 50.0, 40.0, 81, 101, 'radtan', (-0.2, 0.05, 0.0, 0.0))
    table = camera.bearings().astype(float)
    view = DepthViews(camera).of(DepthImage(0, (1 / (0.5 + 0.2 * table[..., 0])).astype(np.float32)))
    for x in (-0.4, 0.1, 0.45):
        u, v = np.rint(view.grid.to_bins(np.array([[x, 0.2]])))[0].astype(int)
        assert view.q[v, u] == pytest.approx(0.5 + 0.2 * x, abs=0.003)


def test_points_are_drawn_as_shares_of_four_bins_and_hidden_ones_are_not():
    image, affine = np.zeros((6, 8), np.float32), np.array([10.0, 2.0, 10.0, 1.0], np.float32)
    points = np.array([[0.25 * 2, 0.1 * 2, 2.0], [0.0, 0.0, 4.0]], np.float32)  # bins (4.5, 2) and (2, 1)
    hiding = np.full((6, 8), 0.5, np.float32)  # a wall at 2 m
    R, p = np.eye(3, dtype=np.float32), np.zeros(3, np.float32)
    draw_points(points, R, p, affine, hiding, np.float32(0.9), image)
    assert image[2, 4] == pytest.approx(0.5, abs=1e-5) and image[2, 5] == pytest.approx(0.5, abs=1e-5)
    assert image.sum() == pytest.approx(1.0)


def test_the_first_keyframe_is_kept_when_others_are_thinned_out(world):
    keyframes = KeyframeMap(BinGrid.covering(world.camera, 1.0, 0.05), KeyframeConfig(most=3, points=100))
    rng = np.random.default_rng(0)
    for k in range(6):
        T = np.eye(4)
        T[0, 3] = 0.1 * k
        keyframes.add(T, rng.normal(0, 0.2, (2, 200)).astype(np.float32), np.ones(200, np.float32), np.eye(6))
    assert len(keyframes.frames) == 3 and keyframes.frames[0].T[0, 3] == 0


def test_a_pose_takes_over_the_uncertainty_of_the_keyframes_that_it_is_seen_from(world):
    slam = odometry.create('depth_slam', world.camera, backend='none')
    first = run(world, slam, 0, 60)[-1]
    slam.map.frames[:] = [replace(f, covariance=f.covariance + 0.01 * np.eye(6)) for f in slam.map.frames]
    later = run(world, slam, 60, 120)[-1]
    assert later.pose_covariance[0, 0] > first.pose_covariance[0, 0] + 0.009


class LongWall(WallWorld):
    """There and back along the wall, so far that nothing of the start stays in view."""

    def pose(self, t_s):
        T = super().pose(t_s)
        T[0, 3] += 1.1 * np.cos(2 * np.pi * t_s / 3.1)
        return T


def test_on_return_a_loop_is_closed_and_the_keyframes_move_with_the_graph(world):
    wall = LongWall(world.camera)
    slam = odometry.create('depth_slam', world.camera, **{'graph.active_px': 0.4, 'graph.solver': 'sparse'})
    told = run(wall, slam, 0, 3200)
    jumps = [e for e in told if e.reason == 'closed a loop']
    assert jumps and all(0 < e.correction_m < 0.1 for e in jumps)
    assert slam.graph.closures >= 3 * len(jumps)
    poses = slam.graph._graph.poses()
    assert all(np.allclose(f.T, poses[f.node], atol=1e-9) for f in slam.map.frames)
    assert wall.errors(told[-1])[0] < 0.06


def test_after_a_second_without_events_the_pose_is_searched_and_found_on_the_keyframes(world):
    slam = odometry.create('depth_slam', world.camera)
    run(world, slam, 0, 1000)
    after = run(world, slam, 2000, 2400)
    assert (after[0].status, after[0].reason) == ('lost', 'searching on the map')
    assert world.errors(after[0])[0] > 0.1
    assert after[0].pose_covariance[0, 0] > 0.2**2
    found = [e.reason for e in after].index('found on the map')
    assert found <= 10
    assert max(world.errors(e)[0] for e in after[found:]) < 0.05
    assert after[-1].status == 'tracking'


def test_where_nothing_is_found_for_long_a_new_map_is_begun_and_the_pose_stays_uncertain(world):
    config = DepthSlamConfig(search=PoseSearchConfig(give_up_s=0.1, least_agreement=1.0))
    slam = DepthSlam(config, world.camera)
    run(world, slam, 0, 400)
    after = run(world, slam, 2000, 2300)
    begun = [e.reason for e in after].index('a new map')
    assert {e.status for e in after[:begun]} == {'lost'}
    assert len(slam.map.frames) == 1
    assert after[-1].reason == 'on the map' and after[-1].pose_covariance[0, 0] > 0.2**2


def test_a_flood_of_noise_is_not_taken_for_the_map_and_is_survived(world):
    slam, rng = odometry.create('depth_slam', world.camera), np.random.default_rng(0)
    run(world, slam, 0, 400)
    keyframes = len(slam.map.frames)
    for t in range(400, 800, 20):
        n = 20_000
        dt_ns = np.sort(rng.integers(-10 * MS, 10 * MS, n))
        x, y = rng.integers(0, 120, n), rng.integers(0, 90, n)
        noise = EventArray(t * MS + dt_ns, x, y, np.ones(n, int), height=90, width=120)
        window = EventWindow.from_events(noise, t0_ns=(t - 10) * MS, t1_ns=(t + 10) * MS)
        told = slam.update(window, world.egomotion(t, converged=False), world.depth(t - 10))
        assert not told.tracking
    assert told.status == 'lost' and len(slam.map.frames) == keyframes
    found = run(world, slam, 800, 1200)
    assert found[-1].status == 'tracking' and world.errors(found[-1])[0] < 0.05
