# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Services of the odometry: `~/reset` starts again at the identity, `~/save_map` writes the map as a picture."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from event_perception.errors import EventPerceptionError
from event_perception.odometry.estimate import Mapping
from event_perception.pipeline import Pipeline


class OdometryServices:
    """Answers calls between two samples: the pipeline belongs to the worker.

    Args:
        node: Who answers.
        pipeline: Whose odometry it is.
        lock: Held by the worker while it computes.
        map_file: Tells where the map is written.
    """

    def __init__(self, node: Node, pipeline: Pipeline, lock: Lock, map_file: Callable[[], str]) -> None:
        self._pipeline, self._lock, self._map_file = pipeline, lock, map_file
        node.create_service(Trigger, '~/reset', self._reset)
        node.create_service(Trigger, '~/save_map', self._save_map)

    def _reset(self, request: Any, response: Any) -> Any:
        with self._lock:
            self._pipeline.reset()
        response.success, response.message = True, 'odometry starts again at the identity'
        return response

    def _save_map(self, request: Any, response: Any) -> Any:
        try:
            with self._lock:
                path = self._written()
            response.success, response.message = True, f'map written to {path}'
        except EventPerceptionError as error:
            response.success, response.message = False, str(error)
        return response

    def _written(self) -> Path:
        odometry = self._pipeline.odometry
        if not isinstance(odometry, Mapping):
            raise EventPerceptionError(
                'there is no map: no calibration yet, or an odometry.method without one; rotation_slam has one'
            )
        path = Path(self._map_file()).absolute()
        odometry.save_map(path)
        return path
