# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Work in a thread of its own whose result appears at a fixed instant of the data, whenever it was finished.

What takes longer than a window has time is begun at one instant and looked for at a later one. Who comes early waits.
So latency falls on a machine with a free core, and results never depend on how fast it is.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar('Result')


class Background(Generic[Result]):
    """One job at a time."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._job: Future[Result] | None = None
        self._due_ns = 0

    @property
    def busy(self) -> bool:
        """Whether a result has still to be taken."""
        return self._job is not None

    def begin(self, work: Callable[[], Result], due_ns: int) -> None:
        """Begin a job whose result appears at an instant of the data."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix='map')
        self._job, self._due_ns = self._pool.submit(work), due_ns

    def due(self, t_ns: int) -> bool:
        """Whether there is a job whose time has come."""
        return self._job is not None and t_ns >= self._due_ns

    def take(self) -> Result:
        """The result, waited for; an error of the job is raised here."""
        job, self._job = self._job, None
        if job is None:
            raise RuntimeError('no job was begun')
        return job.result()

    def drop(self) -> None:
        """Nobody wants the result any more."""
        self._job = None
