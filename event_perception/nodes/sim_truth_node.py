# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the truth that the stand-in publishes into a folder: velocity, pose, flow."""

import csv
import sys
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from event_perception.errors import ConfigError, DataError
from event_perception.io import TumWriter, image_to_array
from event_perception.io.messages import pose_from_message
from event_perception.io.seconds import seconds_text
from event_perception.io.stamps import header_ns
from event_perception.nodes.parameters import NodeParameters
from event_perception.nodes.run import run
from event_perception.nodes.sim_config import TruthRecorderConfig
from event_perception.runs.simulated_truth import COLUMNS

DEPTH = 1000


class TruthRecorderNode:
    """Subscribes to the truth and writes it down as it comes.

    Attributes:
        failure: Always None: what cannot be written ends the process.
        done: Always False: only a signal ends a recording.

    Raises:
        ConfigError: If no folder is named.
        DataError: If the folder holds anything.
    """

    failure: Exception | None = None
    done = False

    def __init__(self) -> None:
        self.node = Node('sim_truth_node')
        config = NodeParameters[TruthRecorderConfig](self.node, TruthRecorderConfig).config
        if not config.directory:
            raise ConfigError('nowhere to write: set the parameter directory to a new folder')
        self._folder = Path(config.directory)
        if self._folder.exists() and any(self._folder.iterdir()):
            raise DataError(f'{self._folder} is not empty; truth is never overwritten: give a new folder')
        (self._folder / 'flow').mkdir(parents=True, exist_ok=True)
        self._poses = TumWriter(self._folder / 'trajectory.tum')
        self._file = (self._folder / 'motion.csv').open('x', encoding='ascii', newline='')
        self._rows = csv.writer(self._file, lineterminator='\n')
        self._rows.writerow(COLUMNS)
        self._counts = {'twist': 0, 'pose': 0, 'flow': 0}
        self._subscribe(config.source.rstrip('/'))

    def _subscribe(self, source: str) -> None:
        for kind, topic, callback in (
            (TwistWithCovarianceStamped, f'{source}/truth/twist', self._on_twist),
            (PoseStamped, f'{source}/truth/pose', self._on_pose),
            (Image, f'{source}/truth/flow', self._on_flow),
        ):
            self.node.create_subscription(kind, topic, callback, QoSProfile(depth=DEPTH))

    def start(self) -> None:
        """Say that everything is subscribed to."""
        self.node.get_logger().info('recording')

    def stop(self) -> None:
        """Close the files and say what was written."""
        self._poses.close()
        self._file.close()
        counts = ', '.join(f'{name} {count}' for name, count in self._counts.items())
        self.node.get_logger().info(f'recorded: {counts}')
        self.node.destroy_node()

    def _on_twist(self, message: TwistWithCovarianceStamped) -> None:
        twist = message.twist.twist
        values = [getattr(part, axis) for part in (twist.angular, twist.linear) for axis in 'xyz']
        self._rows.writerow([seconds_text(header_ns(message)), *(f'{value:.9g}' for value in values)])
        self._counts['twist'] += 1

    def _on_pose(self, message: PoseStamped) -> None:
        pose = pose_from_message(message)
        self._poses.write(pose.t_ns, pose.T_world_body)
        self._counts['pose'] += 1

    def _on_flow(self, message: Image) -> None:
        flow = np.moveaxis(image_to_array(message), -1, 0)
        valid = np.isfinite(flow).all(axis=0)
        file = self._folder / 'flow' / f'{header_ns(message)}.npz'
        np.savez(file, flow_px_s=np.where(valid, flow, np.float32(0)), valid=valid)
        self._counts['flow'] += 1


def main() -> None:
    """Run the node until a signal ends it."""
    sys.exit(run(TruthRecorderNode))


if __name__ == '__main__':
    main()
