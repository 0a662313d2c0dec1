# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as types. A message says what, the value, what is allowed, and the remedy."""


class EventPerceptionError(Exception):
    """Any error that this package raises on purpose; the command line prints it in one line."""


class ConfigError(EventPerceptionError, ValueError):
    """A parameter is unknown, of the wrong type or outside its range."""


class DataError(EventPerceptionError, ValueError):
    """Input data cannot be what it claims to be: a shape, a format, a value outside the sensor."""


class CalibrationError(EventPerceptionError, ValueError):
    """A camera model or a transform is missing or unusable."""


class PluginError(EventPerceptionError, LookupError):
    """A name is not registered, or what it names cannot be loaded."""
