# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C as a wish: the first one lets the current step finish, the second one ends at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def wish_to_stop() -> Iterator[Callable[[], bool]]:
    """A function that tells whether the user, or the system, asked to stop since the block began."""
    asked = False
    signals = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in signals}

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, before[number])

    for wish in signals:
        signal.signal(wish, note)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
