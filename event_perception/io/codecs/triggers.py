# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""External triggers: edges that a camera saw on its trigger input, in its own clock."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Triggers:
    """Trigger edges of one packet.

    Attributes:
        t_ns: Times, int64 (n,), the same clock as the events of the packet.
        id: Number of the input, uint16 (n,).
        edge: The edge bit as the camera sent it, uint8 (n,), 0 or 1; which of them is the rising one depends
            on the camera.
    """

    t_ns: NDArray[np.int64]
    id: NDArray[np.uint16]
    edge: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for name in ('t_ns', 'id', 'edge'):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return self.t_ns.shape[0]


NO_TRIGGERS = Triggers(np.zeros(0, np.int64), np.zeros(0, np.uint16), np.zeros(0, np.uint8))
