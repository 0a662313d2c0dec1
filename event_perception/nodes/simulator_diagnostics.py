# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How the simulator node is doing, on /diagnostics: what waits for what, what was lost, and the pace of time."""

from dataclasses import asdict
from time import monotonic
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from event_perception.nodes.inbox import Inbox
from event_perception.nodes.simulator_inputs import SimulatorInputs
from event_perception.nodes.statistics import Statistics, diagnostic_array
from event_perception.simulation.camera_stream import CameraStream

DEPTH = 10
LOG_PERIOD_S = 10.0
LOSSES = {
    'frames dropped': 'overload: frames dropped',
    'frames refused': 'frames refused',
    'messages unreadable': 'messages that could not be read',
    'messages not published': 'messages not published',
    'late': 'images with stamps out of order',
    'repeated': 'images with a stamp that was there before',
    'without_depth': 'frames whose depth did not come',
    'without_pose': 'frames whose odometry did not come',
    'depth_refused': 'depth images that are mostly not finite, or of another size',
    'faded': 'frames whose change optical flow cannot explain: cross-faded',
    'long_steps': 'frames with more motion than stream.max_views can follow',
}
"""Totals whose growth is a problem, and how it is said."""


class SimulatorDiagnostics:
    """Collects from everywhere, now and then.

    Args:
        node: Who publishes.
        statistics: Counters and durations of the node.
        inputs: Where images are matched.
        inbox: Where drops are counted.
        stream: Where intervals are counted.
    """

    def __init__(
        self,
        node: Node,
        statistics: Statistics,
        *,
        inputs: SimulatorInputs,
        inbox: Inbox,
        stream: CameraStream,
    ) -> None:
        self._node, self._statistics = node, statistics
        self._inputs, self._inbox, self._stream = inputs, inbox, stream
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', DEPTH)
        self._before: dict[str, int] = {}
        self._time = (monotonic(), node.get_clock().now().nanoseconds)

    def publish(self) -> None:
        """Tell the state of now; warn in the log about what has gone wrong since the last time."""
        totals = self.totals()
        pace = self._pace()
        problems = self._problems(totals, pace)
        self._before = totals
        for problem in problems:
            self._node.get_logger().warning(problem, throttle_duration_sec=LOG_PERIOD_S)
        values: dict[str, Any] = {'real-time factor': pace} | totals | self._statistics.percentiles_ms()
        self._publisher.publish(
            diagnostic_array(
                self._node.get_clock().now().nanoseconds,
                name=f'{self._node.get_fully_qualified_name()}: sensor'.lstrip('/'),
                hardware_id=self._inputs.frame_id,
                problems=problems,
                values=values,
            )
        )

    def totals(self) -> dict[str, int]:
        """Everything counted."""
        matched, stream = asdict(self._inputs.matcher.counts), asdict(self._stream.counts)
        matched['images'] = matched.pop('frames')
        matched['jumps back'] = matched.pop('restarts')
        stream['frames emulated'] = stream.pop('frames')
        return (
            matched
            | stream
            | {'frames dropped': self._inbox.counts.dropped_samples}
            | self._statistics.counts()
        )

    def summary(self) -> str:
        """The totals that are not zero, in one line."""
        return ', '.join(f'{name} {count}' for name, count in self.totals().items() if count)

    def _pace(self) -> float:
        """Simulated seconds per second since the last time."""
        now, (then_s, then_ns) = (monotonic(), self._node.get_clock().now().nanoseconds), self._time
        self._time = now
        return (now[1] - then_ns) * 1e-9 / max(now[0] - then_s, 1e-9)

    def _problems(self, totals: dict[str, int], pace: float) -> list[str]:
        grown = {name: count - self._before.get(name, 0) for name, count in totals.items()}
        problems = [f'{text}: {grown[name]}' for name, text in LOSSES.items() if grown.get(name, 0) > 0]
        if not grown['images']:
            problems.append('no images: is the simulation playing?')
        if self._simulated_time and pace == 0:
            problems.append('/clock stands still')
        if self._inputs.wants_poses and self._inputs.camera is None:
            problems.append('waiting for camera_info: depth and pose cannot be used without')
        if self._inputs.tf_problem:
            problems.append(f'waiting for tf: {self._inputs.tf_problem}')
        return problems

    @property
    def _simulated_time(self) -> bool:
        return bool(self._node.get_parameter('use_sim_time').value)
