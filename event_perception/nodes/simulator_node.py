# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Turns the frames of a simulated camera into the packets of an event camera, and of a spike camera if asked.

subscriptions -> matched frames -> inbox -> worker: views in between -> sensor -> packets
"""

import sys
from time import monotonic, thread_time
from traceback import format_exception

from event_camera_msgs.msg import EventPacket
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile

from event_perception.errors import EventPerceptionError
from event_perception.io.fill_messages import fill_event_packet
from event_perception.nodes.inbox import Inbox, Item, Worker
from event_perception.nodes.parameters import NodeParameters
from event_perception.nodes.publishing import Outlet
from event_perception.nodes.run import run
from event_perception.nodes.sim_config import SIMULATOR_DEFAULTS, SimulatorConfig
from event_perception.nodes.simulator_diagnostics import SimulatorDiagnostics
from event_perception.nodes.simulator_inputs import SimulatorInputs, Work
from event_perception.nodes.statistics import Statistics
from event_perception.simulation.event_camera import SimulatedEventCamera
from event_perception.simulation.packets import EventPacketCutter, Packet, spike_packets
from event_perception.simulation.warm_up import warm_up

PACKETS_DEPTH = 1000
STOP_TIMEOUT_S = 5.0
LOG_PERIOD_S = 5.0


class SimulatorNode:
    """Emulates the sensors from a thread of its own.

    Attributes:
        failure: The unexpected error that ended the worker, if one has.
        done: Whether the worker has ended by itself, which only an error makes it do.

    Raises:
        ConfigError: If a parameter is not usable.
    """

    def __init__(self) -> None:
        self.node = Node('simulator_node')
        self.failure: Exception | None = None
        self.done = False
        self._logger = self.node.get_logger()
        parameters = NodeParameters[SimulatorConfig](
            self.node, SimulatorConfig, defaults=SIMULATOR_DEFAULTS, on_change=self._change
        )
        self._config = config = parameters.config
        spikes = config.spikes if 'spikes' in config.outputs else None
        self._camera = SimulatedEventCamera(
            config.stream, config.dvs, spikes, events='events' in config.outputs
        )
        self._cutter = EventPacketCutter(config.encoding, config.packet_duration_s)
        self._statistics = Statistics()
        quality = QoSProfile(depth=PACKETS_DEPTH)
        self._outlets = {
            name: Outlet(self.node, EventPacket, name, self._statistics, quality) for name in config.outputs
        }
        self._seq = dict.fromkeys(config.outputs, 0)
        self._inbox = Inbox(max_events=1, max_lag_ns=0, max_samples=config.queue_frames)
        warm_up(config.stream, config.dvs, config.encoding, spikes)
        self._inputs = SimulatorInputs(self.node, config, self._inbox, self._statistics)
        self._worker = Worker(self._inbox, self._handle, self._fail)
        self._diagnostics = SimulatorDiagnostics(
            self.node, self._statistics, inputs=self._inputs, inbox=self._inbox, stream=self._camera.stream
        )

    def start(self) -> None:
        """Begin to emulate, and to tell how it goes now and then."""
        self._worker.start()
        # Not the node's clock: under simulated time that may stand still, and then diagnostics matter most.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        period_s = self._config.diagnostics_period_s
        self.node.create_timer(period_s, self._diagnostics.publish, clock=steady)
        self._logger.info(f'ready: {", ".join(self._config.outputs)}')

    def stop(self) -> None:
        """Wait for the frame in hand, say what was done, and let go of ROS."""
        if not self._worker.stop(STOP_TIMEOUT_S):
            self._logger.error(f'the worker has not ended within {STOP_TIMEOUT_S:g} s')
        self._logger.info(f'done: {self._diagnostics.summary()}')
        self.node.destroy_node()

    def _handle(self, item: Item) -> None:
        """The worker's part: one frame through the sensors, their packets out."""
        work: Work = item.sample
        if work.restart:
            self._camera.restart()
        if not any(outlet.watched for outlet in self._outlets.values()):
            self._camera.restart()  # what happens unseen is not computed
            self._statistics.count('frames unwatched')
            return
        started_s = thread_time()
        try:
            sensed = self._camera.push(work.frame)
        except EventPerceptionError as error:
            self._statistics.count('frames refused')
            self._logger.warning(f'frame refused: {error}', throttle_duration_sec=LOG_PERIOD_S)
            return
        if self._camera.stream.restarted:
            self._cutter.restart()
        if 'events' in self._outlets:
            self._statistics.count('events', len(sensed.events))
            for packet in self._cutter.packets(sensed.events):
                self._send('events', packet)
        if sensed.spikes is not None:
            self._statistics.count('spike planes', len(sensed.spikes))
            for packet in spike_packets(sensed.spikes):
                self._send('spikes', packet)
        self._statistics.time('CPU of a frame', thread_time() - started_s)
        self._statistics.time('latency', monotonic() - item.arrival_s)

    def _send(self, name: str, packet: Packet) -> None:
        seq = self._seq[name]
        self._seq[name] += 1
        self._outlets[name].send(
            lambda message: fill_event_packet(
                message,
                packet.payload,
                packet.encoding,
                height=packet.height,
                width=packet.width,
                seq=seq,
                stamp_ns=packet.t_first_ns,
                time_base_ns=packet.time_base_ns,
                frame_id=self._inputs.frame_id,
            )
        )

    def _change(self, config: SimulatorConfig) -> None:
        self._camera.stream.config = config.stream  # read anew for every frame

    def _fail(self, error: Exception) -> None:
        """An error nobody expected ends the node: going on would hide it."""
        self.failure, self.done = error, True
        self._logger.fatal(''.join(format_exception(error)))


def main() -> None:
    """Run the node until a signal ends it."""
    sys.exit(run(SimulatorNode))


if __name__ == '__main__':
    main()
