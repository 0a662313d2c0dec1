# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Names to implementations, loaded only when asked for.

A plug-in is one file and one line in its family's table; other packages add theirs through the entry point
group ``event_perception.<family>``.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from event_perception.errors import PluginError


class Registry:
    """A family of plug-ins: ``name -> 'module:attribute'``.

    Args:
        family: Name of the family, as in the entry point group ``event_perception.<family>``.
        builtin: The implementations that come with this package.
    """

    def __init__(self, family: str, builtin: Mapping[str, str]) -> None:
        self._family = family
        self._builtin = dict(builtin)
        self._others: dict[str, str] | None = None

    def names(self) -> list[str]:
        """All names that ``load`` accepts, built in and installed, sorted."""
        return sorted(self._builtin | self._installed())

    def load(self, name: str) -> Any:
        """Import and return what ``name`` stands for.

        Raises:
            PluginError: If the name is unknown or its module cannot be imported.
        """
        targets = self._builtin if name in self._builtin else self._installed()
        if name not in targets:
            raise PluginError(f'{self._family} {name!r} is unknown; choose one of {self.names()}')
        module, _, attribute = targets[name].partition(':')
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise PluginError(
                f'{self._family} {name!r} ({targets[name]}) cannot be loaded: {error}'
            ) from error

    def _installed(self) -> dict[str, str]:
        """Entry points of other packages; reading them all takes some 10 ms, so they are read once."""
        if self._others is None:
            group = entry_points(group=f'event_perception.{self._family}')
            self._others = {point.name: point.value for point in group}
        return self._others
