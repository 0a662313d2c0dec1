# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images, depth and poses that arrive on topics of their own, put together by their stamps.

A frame is complete when everything wanted is there. It is not waited for longer than until some frames more have
come: then it goes out with what there is, and what was missing is counted.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.lie import se3_exp, se3_inverse, se3_log

DEPTH_MEMORY = 8
POSE_MEMORY = 500


@dataclass(frozen=True, eq=False)
class MatchedFrame:
    """An image with what belongs to it; None where it was missing or is not wanted."""

    t_ns: int
    log_light: NDArray[np.float32]
    depth_m: NDArray[np.float32] | None
    T_odom_base: NDArray[np.float64] | None


@dataclass(frozen=True)
class MatchCounts:
    """Running totals.

    Attributes:
        frames: Images that came.
        repeated: Images with the stamp of the one before, dropped.
        late: Images a little older than the one before, dropped.
        restarts: Times that the stamps fell far back: the simulation was started again.
        without_depth: Frames whose depth never came.
        without_pose: Frames whose pose never came.
    """

    frames: int = 0
    repeated: int = 0
    late: int = 0
    restarts: int = 0
    without_depth: int = 0
    without_pose: int = 0


class PoseTrack:
    """Poses over time, interpolated along screws."""

    def __init__(self) -> None:
        self._poses: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=POSE_MEMORY)

    def push(self, t_ns: int, T: NDArray[np.float64]) -> None:
        """Add the next pose; one that is older than the last starts the track again."""
        if self._poses and t_ns <= self._poses[-1][0]:
            if t_ns == self._poses[-1][0]:
                self._poses.pop()
            else:
                self._poses.clear()
        self._poses.append((t_ns, T))

    def at(self, t_ns: int) -> NDArray[np.float64] | None:
        """The pose at an instant between two that are known."""
        later: tuple[int, NDArray[np.float64]] | None = None
        for t, T in reversed(self._poses):
            if t == t_ns:
                return T
            if t < t_ns:
                if later is None:
                    return None
                share = (t_ns - t) / (later[0] - t)
                return T @ se3_exp(share * se3_log(se3_inverse(T) @ later[1]))
            later = (t, T)
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._poses.clear()


class FrameMatcher:
    """Puts frames together; everything may come in any order, a little late or not at all.

    Args:
        depth: Whether depth is wanted.
        poses: Whether poses are wanted.
        restart_s: An image older than the last one by more than this begins a new stream.
        wait_frames: Frames that may wait for depth or pose.
    """

    def __init__(self, *, depth: bool, poses: bool, restart_s: float, wait_frames: int = 2) -> None:
        self._wants_depth, self._wants_poses, self._wait_frames = depth, poses, wait_frames
        self._restart_ns = round(restart_s * 1e9)
        self.counts = MatchCounts()
        self.poses = PoseTrack()
        self._depth: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=DEPTH_MEMORY)
        self._waiting: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._last_ns: int | None = None

    def push_image(self, t_ns: int, log_light: NDArray[np.float32]) -> bool:
        """Add an image; returns whether a new stream begins with it."""
        self._count(frames=1)
        last, self._last_ns = self._last_ns, t_ns
        restarted = last is not None and last - t_ns > self._restart_ns
        if restarted:
            self._waiting.clear()
            self._depth = deque((d for d in self._depth if d[0] <= t_ns + self._restart_ns), DEPTH_MEMORY)
            self._count(restarts=1)
        elif last is not None and t_ns <= last:
            self._last_ns = last
            self._count(**{'repeated' if t_ns == last else 'late': 1})
            return False
        self._waiting.append((t_ns, log_light))
        return restarted

    def push_depth(self, t_ns: int, depth_m: NDArray[np.float32]) -> None:
        """Add a depth image."""
        self._depth.append((t_ns, depth_m))

    def pop(self) -> list[MatchedFrame]:
        """Frames that are complete, or have waited long enough, oldest first."""
        ready: list[MatchedFrame] = []
        while self._waiting:
            t_ns, log_light = self._waiting[0]
            depth = next((d for t, d in self._depth if t == t_ns), None) if self._wants_depth else None
            pose = self.poses.at(t_ns) if self._wants_poses else None
            no_depth, no_pose = self._wants_depth and depth is None, self._wants_poses and pose is None
            if (no_depth or no_pose) and len(self._waiting) <= self._wait_frames:
                break
            self._count(without_depth=int(no_depth), without_pose=int(no_pose))
            self._waiting.popleft()
            ready.append(MatchedFrame(t_ns, log_light, depth, pose))
        return ready

    def _count(self, **by: int) -> None:
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + n for name, n in by.items()})
