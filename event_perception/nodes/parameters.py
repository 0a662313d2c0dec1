# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration dataclasses as ROS parameters: declared with range and description, checked on every change."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, get_origin

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from event_perception.config import Parameter, build, flatten, parameters, update
from event_perception.errors import ConfigError

Config = TypeVar('Config')

INT64_MAX = 2**63 - 1
FLOAT_MAX = 1.7e308


class NodeParameters(Generic[Config]):
    """The parameters of a node and the configuration that they make.

    Args:
        node: Where they are declared.
        cls: The configuration class, frozen.
        defaults: Defaults that differ from the declared ones, by dotted name.
        on_change: Called with the new configuration after a live parameter has been changed.

    Raises:
        ConfigError: If an override given at start is not allowed.
    """

    def __init__(
        self,
        node: Node,
        cls: Any,
        *,
        defaults: Mapping[str, Any] | None = None,
        on_change: Callable[[Config], None] | None = None,
    ) -> None:
        self._declared = {p.name: p for p in parameters(cls)}
        self._on_change = on_change
        values = flatten(build(cls, defaults or {}))
        self.config: Config = build(
            cls, {name: declare(node, p, values[name]) for name, p in self._declared.items()}
        )
        node.add_on_set_parameters_callback(self._change)

    def _change(self, changes: Sequence[RosParameter]) -> SetParametersResult:
        """Refuse what the configuration would refuse, saying why; ROS has checked type and range before."""
        ours = self._ours(changes)
        try:
            config = update(self.config, ours)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.config = config
        if ours and self._on_change is not None:
            self._on_change(config)
        return SetParametersResult(successful=True)

    def _ours(self, changes: Sequence[RosParameter]) -> dict[str, Any]:
        return {
            change.name: from_ros(self._declared[change.name], change.value)
            for change in changes
            if change.name in self._declared
        }


def declare(node: Node, parameter: Parameter, default: Any) -> Any:
    """Declare one parameter; returns its value, which an override at start may have set.

    Raises:
        ConfigError: If ROS refuses the override, because of its type or range.
    """
    try:
        declared = node.declare_parameter(parameter.name, to_ros(default), descriptor(parameter))
    except ParameterException as error:
        raise ConfigError(f'parameter {parameter.name}: {error}') from error
    return parameter.check(from_ros(parameter, declared.value))


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Description, range and whether it may change while the node runs."""
    message = ParameterDescriptor(description=parameter.doc, read_only=not parameter.live)
    if parameter.choices:
        message.additional_constraints = 'one of ' + ', '.join(str(c) for c in parameter.choices)
    elif parameter.ge is not None or parameter.le is not None:
        _add_range(message, parameter)
    return message


def _add_range(message: ParameterDescriptor, parameter: Parameter) -> None:
    if parameter.type is float:
        low, high = _limits(parameter, -FLOAT_MAX, FLOAT_MAX)
        message.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif parameter.type is int:
        low, high = _limits(parameter, -INT64_MAX, INT64_MAX)
        message.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]


def _limits(parameter: Parameter, lowest: float, highest: float) -> tuple[float, float]:
    return (
        lowest if parameter.ge is None else parameter.ge,
        highest if parameter.le is None else parameter.le,
    )


def to_ros(value: Any) -> Any:
    """A value as ROS stores it: tuples as lists."""
    return list(value) if isinstance(value, tuple) else value


def from_ros(parameter: Parameter, value: Any) -> Any:
    """A value as the configuration has it: arrays as tuples."""
    if get_origin(parameter.type) is tuple:
        return tuple(value)
    return value
