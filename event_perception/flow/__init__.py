# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Optical flow from events."""

from typing import TYPE_CHECKING, Any

from event_perception.config import build
from event_perception.flow.field import FlowEstimator, FlowField, SpikeFlowEstimator
from event_perception.registry import Registry

if TYPE_CHECKING:
    from event_perception.motion.camera import CameraModel

__all__ = [
    'FLOW_ESTIMATORS',
    'SPIKE_FLOW_ESTIMATORS',
    'FlowEstimator',
    'FlowField',
    'create',
    'create_from_spikes',
]

FLOW_ESTIMATORS = Registry(
    'flow',
    {
        'affine': 'event_perception.flow.affine:AffineFlow',
        'motion_field': 'event_perception.flow.motion_field:MotionField',
        'network': 'event_perception.flow.network_flow:NetworkFlow',
        'residual': 'event_perception.flow.residual:ResidualFlow',
        'tiles': 'event_perception.flow.tiles:TileFlow',
    },
)


SPIKE_FLOW_ESTIMATORS = Registry('spike_flow', {'matching': 'event_perception.flow.spikes:SpikeFlow'})


def create(name: str, camera: 'CameraModel', **params: Any) -> FlowEstimator:
    """Make a flow estimator by name.

    Args:
        name: A registered name: a class with a ``config_type``, constructed from (config, camera).
        camera: Model of the camera, with the sensor's size.
        params: Fields of its configuration; what is not named keeps its default.

    Raises:
        PluginError: If the name is unknown.
        ConfigError: If a parameter is unknown or not allowed.
    """
    cls = FLOW_ESTIMATORS.load(name)
    estimator: FlowEstimator = cls(build(cls.config_type, params), camera)
    return estimator


def create_from_spikes(name: str, *, height: int, width: int, **params: Any) -> SpikeFlowEstimator:
    """Make an estimator of flow from spikes by name; it needs no camera model.

    Args:
        name: A registered name: a class with a ``config_type``, constructed from (config, height=, width=).
        height: Sensor rows.
        width: Sensor columns.
        params: Fields of its configuration; what is not named keeps its default.

    Raises:
        PluginError: If the name is unknown.
        ConfigError: If a parameter is unknown or not allowed.
    """
    cls = SPIKE_FLOW_ESTIMATORS.load(name)
    estimator: SpikeFlowEstimator = cls(build(cls.config_type, params), height=height, width=width)
    return estimator
