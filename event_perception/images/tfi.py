# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Texture from the inter-spike interval: one interval holds one threshold of light, so rate = 1 / interval.

The sharpest of the classical methods, and the noisiest where light is bright: an interval of d planes is known
to one plane. It is the k-interval method with k = 1, and shares its search and its registers.

Source: Zhu, Dong, Huang and Tian, A retina-inspired sampling method for visual texture reconstruction, ICME 2019.
"""

from dataclasses import dataclass
from typing import Literal

from event_perception.config import param
from event_perception.images.spike_reconstructor import SpikeOutputConfig, SpikeReconstructor
from event_perception.images.tfi_k import TfiK, TfiKConfig


@dataclass(frozen=True, slots=True)
class TfiConfig:
    """Where the interval is looked for."""

    mode: Literal['centred', 'causal'] = param(
        'centred', 'Whether the interval holds the instant or is the last complete one before it.'
    )
    search_planes: int = param(200, 'Centred: planes searched to either side.', ge=1, le=4096)
    output: SpikeOutputConfig = SpikeOutputConfig()


def Tfi(config: TfiConfig | None = None, *, height: int, width: int) -> SpikeReconstructor:
    """The k-interval reconstructor for one interval.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """
    c = config or TfiConfig()
    return TfiK(TfiKConfig(1, c.mode, c.search_planes, c.output), height=height, width=width)


Tfi.config_type = TfiConfig  # type: ignore[attr-defined]
