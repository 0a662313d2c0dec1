# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Public names of a package that load only when first asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, public: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package that imports nothing by itself (PEP 562).

    Args:
        package: ``__name__`` of the package.
        public: Name to the module below the package that holds it; '' where the name is that module itself.
    """

    def get(name: str) -> Any:
        if name not in public:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        if not public[name]:
            return import_module(f'{package}.{name}')
        return getattr(import_module(f'{package}.{public[name]}'), name)

    return get, lambda: sorted(public)
