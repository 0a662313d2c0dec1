# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for Isaac Sim: publishes from a built-in scene what its ROS 2 bridge publishes, under /clock.

Beside that, what no simulator of pictures tells: ~/truth/twist, ~/truth/pose and ~/truth/flow, exact.
"""

import sys
from time import monotonic, process_time

from event_perception.nodes.pacing import Pacer
from event_perception.nodes.parameters import NodeParameters
from event_perception.nodes.player import Player
from event_perception.nodes.run import run
from event_perception.nodes.sim_camera_outputs import SimCameraOutputs
from event_perception.nodes.sim_config import SimCameraConfig
from event_perception.simulation.isaac_topics import LAYOUTS
from event_perception.simulation.stand_in import StandIn

NS = 1_000_000_000


class SimCameraNode(Player):
    """Plays the scene from a thread of its own.

    Attributes:
        failure: The unexpected error that ended it, if one has.
        done: Whether the simulation is over.

    Raises:
        ConfigError: If a parameter is not usable.
    """

    def __init__(self) -> None:
        super().__init__('sim_camera_node', 'image')
        self._config = NodeParameters[SimCameraConfig](self.node, SimCameraConfig).config
        config = self._config
        self._world = StandIn(config.scene, seed=config.seed, duration_s=config.duration_s)
        self._outputs = SimCameraOutputs(self.node, LAYOUTS[config.layout], self._world, config)
        self._pacer = Pacer(config.rate, lambda t_ns: None)
        self._frames = 0
        self._simulated_s = self._wall_s = self._cpu_s = 0.0

    def start(self) -> None:
        """Play as soon as somebody listens."""
        self._world.picture(0)
        self._world.depth(0)
        self._logger.info(f'ready: {self._config.scene}')
        self._thread.start()

    def stop(self) -> None:
        """End the simulation where it is, and say how it went."""
        self._end()
        factor = self._simulated_s / self._wall_s if self._wall_s else 0.0
        self._logger.info(
            f'simulated: {self._frames} frames, {self._simulated_s:.3f} s in {self._wall_s:.3f} s '
            f'(real-time factor {factor:.3f}), CPU {self._cpu_s:.3f} s'
        )
        self.node.destroy_node()

    def _listeners(self) -> int:
        return self._outputs.listeners()

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


def main() -> None:
    """Run the node until the simulation is over or a signal ends it."""
    sys.exit(run(SimCameraNode))


if __name__ == '__main__':
    main()
