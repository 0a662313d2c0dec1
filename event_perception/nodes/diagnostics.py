# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How a node is doing, on /diagnostics: rates, what was lost where, latency, and what is wrong in words."""

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from event_perception.nodes.inbox import Inbox
from event_perception.nodes.inputs import Inputs
from event_perception.nodes.statistics import Statistics, diagnostic_array
from event_perception.pipeline import Pipeline

DEPTH = 10
LOG_PERIOD_S = 10.0
OVEREXPOSED = 0.98  # spikes per pixel and plane; 1 is the most that there can be
LOSSES = {
    'events dropped': 'overload: events dropped',
    'packets lost': 'packets lost on the way',
    'messages unreadable': 'messages that could not be read',
    'events refused': 'events refused by the pipeline',
    'planes dropped': 'overload: spike planes dropped',
    'images skipped': 'overload: images skipped',
    'planes missing': 'spike planes lost on the way',
    'planes refused': 'spike planes refused by the pipeline',
    'images outside light': 'light other than the network knows: images by ati',
    'messages not published': 'messages not published',
}
"""Totals whose growth is a problem, and how it is said."""


class Diagnostics:
    """Collects from everywhere, once a second.

    Args:
        node: Who publishes.
        statistics: Counters and durations of the node.
        inputs: Where packets are counted.
        inbox: Where drops are counted.
        pipeline: Where windows are counted.
    """

    def __init__(
        self, node: Node, statistics: Statistics, *, inputs: Inputs, inbox: Inbox, pipeline: Pipeline
    ) -> None:
        self._node, self._statistics = node, statistics
        self._inputs, self._inbox, self._pipeline = inputs, inbox, pipeline
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', DEPTH)
        self._before: dict[str, int] = {}

    def publish(self) -> None:
        """Tell the state of now; warn in the log about what has gone wrong since the last time."""
        totals = self.totals()
        problems = self._problems(totals)
        values = self._rates(totals) | totals | self._quality() | self._statistics.percentiles_ms()
        self._before = totals
        for problem in problems:
            self._node.get_logger().warning(problem, throttle_duration_sec=LOG_PERIOD_S)
        self._publisher.publish(
            diagnostic_array(
                self._node.get_clock().now().nanoseconds,
                name=f'{self._node.get_fully_qualified_name()}: pipeline'.lstrip('/'),
                hardware_id=self._inputs.camera_frame,
                problems=problems,
                values=values,
            )
        )

    def totals(self) -> dict[str, int]:
        """Everything counted. Events received = processed + refused + dropped + waiting + in hand."""
        inbox, packets, windows = self._inbox.counts, self._inputs.counts, self._pipeline.counts
        totals = {
            'events received': inbox.events,
            'events processed': 0,
            'events dropped': inbox.dropped_events,
            'events refused': 0,
            'events waiting': self._inbox.waiting_events,
            'events outside': packets.outside,
            'events late': windows.slicer.late,
            'events over window limit': windows.slicer.over_limit,
            'samples dropped': inbox.dropped_samples,
            'packets received': 0,
            'packets lost': packets.lost_packets,
            **self._spike_totals(),
            'messages unreadable': 0,
            'windows': windows.windows,
            'windows without camera': windows.windows_without_camera,
            'windows without flow of their own': windows.flow_skipped,
            'stream restarts': packets.restarts + windows.slicer.resets + self._inputs.spike_counts.restarts,
            'evaluations': windows.evaluations,
        }
        for name, count in self._statistics.counts().items():
            totals[name] = totals.get(name, 0) + count
        return totals

    def _spike_totals(self) -> dict[str, int]:
        """The same of spike planes. Received = processed + refused + dropped + waiting + in hand."""
        if self._inputs.kind != 'spikes':
            return {}
        inbox, packets = self._inbox.counts, self._inputs.spike_counts
        return {
            'planes received': inbox.planes,
            'planes processed': 0,
            'planes dropped': inbox.dropped_planes,
            'planes refused': 0,
            'planes waiting': self._inbox.waiting_planes,
            'planes missing': packets.missing_planes,
            'plane gaps': packets.gaps,
            'packets refused': packets.rejected,
            **{
                f'images {how.replace("_", " ")}': n for how, n in self._pipeline.counts.image_sources.items()
            },
        }

    def _rates(self, totals: dict[str, int]) -> dict[str, Any]:
        """What comes in, per second, and how bright it is."""
        if self._inputs.kind != 'spikes':
            return {'Mev/s': self._statistics.rate_hz('events', totals['events received']) * 1e-6}
        return {
            'planes/s': self._statistics.rate_hz('planes', totals['planes received']),
            'firing rate': self._firing_rate(),
        }

    def _firing_rate(self) -> float:
        """Spikes per pixel and plane in the latest packet."""
        planes = self._inputs.planes
        return float('nan') if planes is None else planes.mean_rate()

    def summary(self) -> str:
        """The totals that are not zero, in one line."""
        return ', '.join(f'{name} {count}' for name, count in self.totals().items() if count)

    def _quality(self) -> dict[str, Any]:
        counts = self._pipeline.counts
        return {
            'converged (%)': 100 * counts.converged_share,
            'image steps without flow (%)': 100
            * counts.image_steps_without_flow
            / max(counts.image_steps, 1),
            'evaluations per window': counts.evaluations / max(counts.windows, 1),
        }

    def _problems(self, totals: dict[str, int]) -> list[str]:
        grown = {name: totals.get(name, 0) - self._before.get(name, 0) for name in totals}
        problems = [f'{text}: {grown[name]}' for name, text in LOSSES.items() if grown.get(name)]
        if not grown['packets received']:
            problems.append('no events' if self._inputs.kind != 'spikes' else 'no spike planes')
        elif not self._inputs.camera_frame:
            problems.append('the events carry no frame_id: set the parameter camera_frame')
        if grown.get('packets refused'):
            problems.append(f'latest refusal: {self._inputs.last_rejection}')
        problems += self._light_problems()
        if self._pipeline.camera is None and self._pipeline.config.needs_camera:
            problems.append('waiting for calibration: publish camera_info or set the parameter camera_file')
        return problems

    def _light_problems(self) -> list[str]:
        rate = self._firing_rate()
        if rate == 0:
            return ['no pixel fires: it is dark']
        return ['nearly every pixel fires in every plane: too bright'] if rate > OVEREXPOSED else []
