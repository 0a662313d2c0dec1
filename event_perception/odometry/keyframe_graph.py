# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes as nodes of a pose graph: which may be drawn together, when a loop is closed, where all are then.

a new keyframe hangs on the nearest one that it was tracked on, as uncertain as the tracking was
keyframes to which the way through the graph is uncertain by more than a pixel or two are another part of the map:
    not drawn with what the pose is tracked on, or edges stand double and the pose goes astray between them
when such a part comes into view, align the window on it alone: a candidate closure
when enough candidates agree with each other, and with the way: into the graph, optimise, move the keyframes
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.lie import hat, se3_inverse, se3_log, se3_nearest, so3_exp
from event_perception.odometry.closure_check import Closure, ClosureCheck
from event_perception.odometry.keyframe_map import Keyframe, KeyframeMap
from event_perception.odometry.pose_alignment import PoseAligner, PoseAlignment
from event_perception.odometry.pose_graph import RelativePose, Solver, create_pose_graph

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]
PLACES = np.array(
    [(x, y, 1.0) for x in (-0.5, 0, 0.5) for y in (-0.4, 0, 0.4)]
)  # where image motion is judged
WITHIN = 3.0  # of its standard deviations the prior of a search is left at most
FIRM = 1e-10 * np.eye(6)  # of the first keyframe, which is where it is


@dataclass(frozen=True, slots=True)
class KeyframeGraphConfig:
    """Loops between keyframes."""

    solver: Solver = param(
        'auto', 'auto: GTSAM where it is installed, else sparse; gtsam; sparse: scipy alone.'
    )
    active_px: float = param(
        1.0,
        'Keyframes known against each other better than this are drawn together, image motion in px.',
        ge=0.1,
        le=100.0,
    )
    needed: int = param(3, 'So many closures must agree with each other to be believed.', ge=1, le=8)
    least_agreement: float = param(
        0.25, 'How well events must follow the old keyframes, 1 is exactly.', ge=0.0, le=1.0, live=True
    )
    reach_px: float = param(
        12.0, 'So far off an alignment on old keyframes is searched, px.', ge=1.0, le=100.0
    )
    sigma: float = param(
        5.0, 'A closure that contradicts the way by so many standard deviations is refused.', ge=1.0, le=100.0
    )
    claim_factor: float = param(
        2.0, 'Errors of a closure are taken to be so many times those claimed.', ge=1.0, le=100.0
    )
    interval_s: float = param(0.1, 'Least time between candidates, seconds.', ge=0.0, le=10.0)


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen from where.

    Attributes:
        t_ns: When.
        T: T_odom_camera as tracked.
        covariance: Of that against the keyframes it was tracked on, (tau, theta), camera axes.
        least: What an alignment may be off without knowing, likewise.
        bearings: Of sharpened events, (2, n).
        q: Their inverse depths, (n,).
        inverse_depth: Of the bins of the view.
    """

    t_ns: int
    T: Matrix
    covariance: Matrix
    least: Matrix
    bearings: Float32
    q: Float32
    inverse_depth: Float32


class KeyframeGraph:
    """Nodes and keyframes have the same numbers; nodes stay when their keyframes are thinned out.

    Args:
        config: Parameters.
        keyframes: The map, whose keyframes are moved here.
        aligner: Aligns windows on it.
        focal_px: Focal length.
        least_known: Old keyframes are looked at where they cover at least this share of the view.

    Attributes:
        closures: How many are in the graph.
    """

    def __init__(
        self,
        config: KeyframeGraphConfig,
        keyframes: KeyframeMap,
        aligner: PoseAligner,
        *,
        focal_px: float,
        least_known: float,
    ) -> None:
        self.config, self.map = config, keyframes
        self._aligner, self._focal_px, self._least_known = aligner, focal_px, least_known
        self._check = ClosureCheck(config.needed)
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._graph = create_pose_graph(self.config.solver)
        self._links: list[list[tuple[int, float, RelativePose]]] = []
        self._ways: dict[int, dict[int, tuple[int, RelativePose]]] = {}  # best ways from a node, as found
        self._spread: list[Matrix] = []  # covariance of each node, in its axes
        self._check.clear()
        self._reference, self._active = 0, frozenset[int]()
        self._tried_ns: int | None = None
        self.closures = 0

    def active(self, T: Matrix) -> frozenset[int]:
        """Nodes of keyframes that a camera here may be tracked on together."""
        near = self.map.near(T, self._active)
        if near and near[0].node != self._reference:
            self._choose(near[0].node)
        return self._active

    def stand_at(self, T: Matrix) -> None:
        """The camera, after it was lost, has been found on the map."""
        self._choose(self.map.nearest(T)[0].node)

    def add(self, T: Matrix, covariance: Matrix, depth_m: float) -> None:
        """A node for the keyframe that has just been made.

        Args:
            T: T_odom_camera.
            covariance: Of that against the keyframes it was tracked on, (tau, theta), camera axes.
            depth_m: Median depth.
        """
        node = len(self._links)
        self._links.append([])
        if node == 0:
            self._graph.begin(T, FIRM)
            self._spread.append(FIRM + covariance)
        else:
            relative = RelativePose(se3_inverse(self._pose(self._reference)) @ T, covariance)
            self._graph.extend(self._reference, relative)
            self._link(self._reference, node, relative, depth_m)
            self._spread.append(self.covariance(T, covariance))
        self._choose(node)

    def covariance(self, T: Matrix, covariance: Matrix) -> Matrix:
        """Of a pose against the first keyframe, camera axes, from that against those it was tracked on."""
        if not self._links:
            return covariance
        pose = self._pose(self._reference)
        step = RelativePose(se3_inverse(pose) @ T, covariance)
        return RelativePose(pose, self._spread[self._reference]).then(step).covariance

    def look(self, look: Look) -> Matrix | None:
        """Try to find the view on an old part of the map; where the camera is, if loops were closed by that."""
        if self._tried_ns is not None and look.t_ns - self._tried_ns < self.config.interval_s * 1e9:
            return None
        old = frozenset(frame.node for frame in self.map.frames) - self._active
        near = self.map.near(look.T, old) if old else []
        if not near:
            return None
        self._tried_ns = look.t_ns
        candidate = self._candidate(look, near[0], old)
        if candidate is None:
            return None
        believed = self._check.add(candidate, self.way)
        return self._closed(believed, look) if believed else None

    def way(self, start: int, end: int) -> RelativePose:
        """T_start_end along the most certain way through the graph."""
        if start not in self._ways:
            self._ways[start] = self._reached(start, np.inf)[1]
        before = self._ways[start]
        relative = RelativePose(np.eye(4), np.zeros((6, 6)))
        while end != start:
            end, step = before[end]
            relative = step.then(relative)
        return relative

    def _candidate(self, look: Look, frame: Keyframe, old: frozenset[int]) -> Closure | None:
        """Align on the part of the map around an old keyframe; judge."""
        part = frozenset(self._reached(frame.node, self.config.active_px**2)[0]) & old
        view = self.map.render(look.T, look.inverse_depth, part)
        if view.known < self._least_known:
            return None
        depth_m, std_rad = 1.0 / float(np.median(look.q)), self.config.reach_px / self._focal_px
        anywhere = np.diag([(std_rad * depth_m) ** 2] * 3 + [std_rad**2] * 3)
        found = self._aligner.align(look.bearings, look.q, view, anywhere)
        if not self._believable(found, anywhere):
            return None
        corrected = look.T.copy()
        corrected[:3, 3] += look.T[:3, :3] @ found.tau
        corrected[:3, :3] = look.T[:3, :3] @ so3_exp(found.theta)
        errors = self.config.claim_factor**2 * found.posterior + look.least
        seen = RelativePose(se3_inverse(frame.T) @ corrected, errors)
        back = RelativePose(se3_inverse(self._pose(self._reference)) @ look.T, look.covariance).reversed()
        closure = Closure(frame.node, self._reference, seen.then(back))
        return closure if self._plausible(closure) else None

    def _believable(self, found: PoseAlignment, anywhere: Matrix) -> bool:
        """Whether it converged within reach and events lie on the old edges."""
        moved = np.concatenate([found.tau, found.theta])
        return bool(
            found.converged
            and found.agreement >= self.config.least_agreement
            and np.isfinite(found.posterior).all()
            and moved @ np.linalg.solve(anywhere, moved) < WITHIN**2
        )

    def _plausible(self, closure: Closure) -> bool:
        ring = closure.relative.then(self.way(closure.new, closure.old))
        off = se3_log(ring.T)
        return bool(off @ np.linalg.solve(ring.covariance, off) < self.config.sigma**2)

    def _closed(self, believed: list[Closure], look: Look) -> Matrix:
        """Take closures in, move all keyframes; T_odom_camera after that.

        They come from successive views of the same keyframes and err together: together they weigh as one.
        """
        seen = se3_inverse(self._pose(self._reference)) @ look.T
        for closure in believed:
            weakened = replace(closure.relative, covariance=len(believed) * closure.relative.covariance)
            self._graph.close(closure.old, closure.new, weakened)
            self._link(closure.old, closure.new, closure.relative, 1.0 / float(np.median(look.q)))
        self.closures += len(believed)
        self._move_keyframes()
        self._choose(self._reference)
        return se3_nearest(self._pose(self._reference) @ seen)

    def _move_keyframes(self) -> None:
        poses = self._graph.poses()
        self._spread = [self._spread[0] + self._graph.covariance(node) for node in range(len(poses))]
        self.map.frames[:] = [replace(frame, T=poses[frame.node]) for frame in self.map.frames]

    def _pose(self, node: int) -> Matrix:
        return np.asarray(self._graph.poses()[node])

    def _link(self, first: int, second: int, relative: RelativePose, depth_m: float) -> None:
        self._ways.clear()
        variance = image_variance(relative.covariance, depth_m, self._focal_px)
        self._links[first].append((second, variance, relative))
        self._links[second].append((first, variance, relative.reversed()))

    def _choose(self, reference: int) -> None:
        """Track on what is known well against this keyframe."""
        self._reference = reference
        self._active = frozenset(self._reached(reference, self.config.active_px**2)[0])

    def _reached(self, start: int, limit: float) -> tuple[Iterable[int], dict[int, tuple[int, RelativePose]]]:
        """Nodes whose variance as image motion, summed along the best way, stays within the limit; and the steps."""
        variances, before = {start: 0.0}, dict[int, tuple[int, RelativePose]]()
        queue = [(0.0, start)]
        while queue:
            variance, node = heapq.heappop(queue)
            if variance > variances[node]:
                continue
            for neighbour, added, relative in self._links[node]:
                there = variance + added
                if there <= limit and there < variances.get(neighbour, np.inf):
                    variances[neighbour], before[neighbour] = there, (node, relative)
                    heapq.heappush(queue, (there, neighbour))
        return variances, before


def image_variance(covariance: Matrix, depth_m: float, focal_px: float) -> float:
    """By how much a pose error moves what is seen at this depth, px^2, mean over the image and both directions.

    A turn and a shift that cancel in the image do not count: what is drawn together need not be known better.

    Args:
        covariance: (6, 6) of (shift, turn), camera axes.
        depth_m: Where the scene is.
        focal_px: Focal length.
    """
    total = 0.0
    for place in PLACES:
        x, y, _ = place
        moved = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
        turned = hat(place)  # minus theta x place
        J = np.concatenate([-moved / depth_m, moved @ turned], axis=1)
        total += float(np.trace(J @ covariance @ J.T))
    return focal_px**2 * total / (2 * len(PLACES))
