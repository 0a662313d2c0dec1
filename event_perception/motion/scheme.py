# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How the fused objectives vote and take their derivatives: what a compiled kernel is specialised for."""

from dataclasses import dataclass

from event_perception.errors import ConfigError

HESSIANS = ('exact', 'approximate')
OWN_VOTES = ('kept', 'removed')


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to compute the variance and its weak derivatives.

    Attributes:
        kernel: Votes: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear', 'cubic' or 'lanczos2'.
        hessian: 'exact', or 'approximate': faster, a few percent off.
        own_votes: 'removed' takes away what an event does to the variance by meeting itself; from the
            Hessian only if that is exact.
    """

    kernel: str = 'bilinear'
    reconstruction: str = 'linear'
    hessian: str = 'approximate'
    own_votes: str = 'kept'

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ('hessian', self.hessian, HESSIANS),
            ('own_votes', self.own_votes, OWN_VOTES),
        ):
            if value not in allowed:
                raise ConfigError(f'{name}={value!r}: choose one of {list(allowed)}')

    @property
    def exact(self) -> bool:
        """Whether the Hessian is exact."""
        return self.hessian == 'exact'

    @property
    def alone(self) -> bool:
        """Whether own votes are removed."""
        return self.own_votes == 'removed'

    def named(self, kind: str, *choices: int) -> str:
        """A name for a kernel compiled for this scheme; numba's cache on disk tells kernels apart by it."""
        parts = (kind, self.kernel, self.reconstruction, self.hessian, self.own_votes, *map(str, choices))
        return '_'.join(parts)
