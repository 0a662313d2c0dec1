# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which closures may be believed: those that agree with each other, two by two.

Two closures and the ways between their ends make a ring. Gone round, it must lead back to where it began, as well as
the covariances of its parts allow. One wrong closure seldom agrees with another; several true ones do. So candidates
are kept for a while, and the largest set of which every two agree is believed once it is large enough.

Source: Mangelson and others, Pairwise consistent measurement set maximization, ICRA 2018.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from event_perception.motion.lie import se3_log
from event_perception.odometry.pose_graph import RelativePose

LIMIT = 16.8  # 99 % of chi squared of six numbers
Way = Callable[[int, int], RelativePose]


@dataclass(frozen=True, eq=False)
class Closure:
    """A node seen from an old one.

    Attributes:
        old: The node of the old keyframe.
        new: The node that it was seen from.
        relative: T_old_new with its covariance.
    """

    old: int
    new: int
    relative: RelativePose


class ClosureCheck:
    """Keeps candidates until enough of them agree.

    Args:
        needed: How many must agree with each other.
        kept: Candidates remembered, the newest ones.
    """

    def __init__(self, needed: int, kept: int = 12) -> None:
        self.needed, self.kept = needed, kept
        self.clear()

    def clear(self) -> None:
        """Forget the candidates."""
        self._candidates: list[tuple[int, Closure]] = []
        self._agreed: set[tuple[int, int]] = set()
        self._count = 0

    def add(self, candidate: Closure, way: Way) -> list[Closure]:
        """Take a candidate; returns those to believe, which are then forgotten here, or none.

        Args:
            candidate: Found by alignment.
            way: ``way(i, j)``: T_i_j by odometry, with its covariance.
        """
        self._candidates = self._candidates[-self.kept + 1 :]
        number, self._count = self._count, self._count + 1
        fellows = [other for other in self._candidates if agree(other[1], candidate, way)]
        self._agreed |= {(other, number) for other, _ in fellows}
        self._candidates.append((number, candidate))
        found = [*self._largest(fellows), candidate]
        if len(found) < self.needed:
            return []
        self.clear()
        return found

    def _largest(self, fellows: list[tuple[int, Closure]]) -> list[Closure]:
        """The largest set of candidates of which every two agree."""
        for size in range(len(fellows), 0, -1):
            for chosen in combinations(fellows, size):
                if all((a, b) in self._agreed for (a, _), (b, _) in combinations(chosen, 2)):
                    return [closure for _, closure in chosen]
        return []


def agree(one: Closure, other: Closure, way: Way) -> bool:
    """Whether the ring of two closures leads back to where it began."""
    ring = one.relative.then(way(one.new, other.new)).then(other.relative.reversed())
    gap = ring.then(way(other.old, one.old))
    off = se3_log(gap.T)
    return bool(off @ np.linalg.solve(gap.covariance, off) < LIMIT)
