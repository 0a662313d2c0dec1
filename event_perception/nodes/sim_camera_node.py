# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for Isaac Sim: publishes from a built-in scene what its ROS 2 bridge publishes, under /clock.

Beside that, what no simulator of pictures tells: ~/truth/twist, ~/truth/pose and ~/truth/flow, exact.
"""

import sys
import threading
from time import monotonic, process_time
from traceback import format_exception

from rclpy.node import Node

from event_perception.nodes.pacing import Pacer
from event_perception.nodes.parameters import NodeParameters
from event_perception.nodes.publishing import REFUSALS
from event_perception.nodes.run import run
from event_perception.nodes.sim_camera_outputs import SimCameraOutputs
from event_perception.nodes.sim_config import SimCameraConfig
from event_perception.simulation.isaac_topics import LAYOUTS
from event_perception.simulation.stand_in import StandIn

NS = 1_000_000_000
POLL_S = 0.02
STOP_TIMEOUT_S = 5.0
LOG_PERIOD_S = 5.0


class SimCameraNode:
    """Plays the scene from a thread of its own.

    Attributes:
        failure: The unexpected error that ended it, if one has.
        done: Whether the simulation is over.

    Raises:
        ConfigError: If a parameter is not usable.
    """

    def __init__(self) -> None:
        self.node = Node('sim_camera_node')
        self.failure: Exception | None = None
        self.done = False
        self._logger = self.node.get_logger()
        self._config = NodeParameters[SimCameraConfig](self.node, SimCameraConfig).config
        config = self._config
        self._world = StandIn(config.scene, seed=config.seed, duration_s=config.duration_s)
        self._outputs = SimCameraOutputs(self.node, LAYOUTS[config.layout], self._world, config)
        self._pacer = Pacer(config.rate, lambda t_ns: None)
        self._frames = 0
        self._simulated_s = self._wall_s = self._cpu_s = 0.0
        self._thread = threading.Thread(target=self._run, name='simulation', daemon=True)

    def start(self) -> None:
        """Play as soon as somebody listens."""
        self._world.picture(0)
        self._world.depth(0)
        self._logger.info(f'ready: {self._config.scene}')
        self._thread.start()

    def stop(self) -> None:
        """End the simulation where it is, and say how it went."""
        self._pacer.stop()
        self._thread.join(STOP_TIMEOUT_S)
        factor = self._simulated_s / self._wall_s if self._wall_s else 0.0
        self._logger.info(
            f'simulated: {self._frames} frames, {self._simulated_s:.3f} s in {self._wall_s:.3f} s '
            f'(real-time factor {factor:.3f}), CPU {self._cpu_s:.3f} s'
        )
        self.node.destroy_node()

    def _run(self) -> None:
        try:
            self._wait_for_subscriptions()
            while not self._pacer.stopped:
                self._play()
                if not self._config.loop:
                    break
            self._pacer.wait(self._config.linger_s)
        except REFUSALS as error:
            if self.node.context.ok():  # otherwise a signal has ended ROS under our feet
                self._fail(error)
        except Exception as error:
            self._fail(error)
        self.done = True

    def _wait_for_subscriptions(self) -> None:
        while self._outputs.listeners() < self._config.wait_for and self._pacer.wait(POLL_S):
            self._logger.info('waiting for subscriptions of the image', throttle_duration_sec=LOG_PERIOD_S)
        if self._config.wait_for:
            self._pacer.wait(self._config.settle_s)

    def _play(self) -> None:
        """From time 0 to the end: what Isaac Sim does between play and stop."""
        self._pacer.restart()
        started_s, cpu_s = monotonic(), process_time()
        last_frame = int(self._config.duration_s * self._config.rate_hz)
        truth_ns = round(self._config.truth_phase_s * NS)
        for k in range(last_frame + 1):
            t_ns = round(k * NS / self._config.rate_hz)
            while truth_ns < t_ns:
                self._outputs.send_true_flow(truth_ns)
                truth_ns += round(self._config.truth_period_s * NS)
            if not self._pacer.wait_until(t_ns):
                break
            self._outputs.send_frame(t_ns)
            self._frames += 1
            self._simulated_s += 1 / self._config.rate_hz if k else 0.0
        self._wall_s += monotonic() - started_s
        self._cpu_s += process_time() - cpu_s

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._logger.fatal(''.join(format_exception(error)))


def main() -> None:
    """Run the node until the simulation is over or a signal ends it."""
    sys.exit(run(SimCameraNode))


if __name__ == '__main__':
    main()
