# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""numba where it is installed, and a visible answer to which implementation runs.

Importing this module imports numba; only decoders do it, and they are loaded when first asked for.
"""

from collections.abc import Callable
from typing import Any

from event_perception.errors import ConfigError

try:
    import numba
except ImportError:
    numba = None  # type: ignore[assignment]

HAS_NUMBA = numba is not None


def njit(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit``, or without numba the function as it is: interpreted, slow, with the same results."""
    return numba.njit(**options) if numba else lambda function: function


BACKENDS = ('auto', 'numba', 'numpy')


def choose_backend(backend: str) -> str:
    """What 'auto' means on this machine.

    Returns:
        'numba' or 'numpy'.

    Raises:
        ConfigError: If the name is unknown, or numba is asked for and cannot be imported.
    """
    if backend not in BACKENDS:
        raise ConfigError(f'backend={backend!r}: choose one of {list(BACKENDS)}')
    if backend == 'numba' and not HAS_NUMBA:
        raise ConfigError("backend='numba': numba cannot be imported; install it or choose 'numpy'")
    if backend == 'auto':
        return 'numba' if HAS_NUMBA else 'numpy'
    return backend
