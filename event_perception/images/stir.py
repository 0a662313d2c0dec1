# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""STIR: a network that finds motion and intensity together, from the coarse to the fine.

Weights are those of `event-perception train spikes --method stir`, or a checkpoint with the same names.

Source: Fan, Yin, Dai, Xu, Huang and Shi, Spatio-temporal interactive learning for efficient image reconstruction of
spiking cameras, NeurIPS 2024.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from event_perception.images.learned import LearnedReconstructor

if TYPE_CHECKING:  # torch takes a second to load: only where a network is made
    from event_perception.images.networks.trained import TrainedNetwork


class StirReconstructor(LearnedReconstructor):
    """STIR over 61 planes; ``ati`` outside of its light and at the ends of the stream."""

    name = 'stir'

    @staticmethod
    def _load(path: Path) -> 'TrainedNetwork':
        from event_perception.images.networks.trained import load_stir

        return load_stir(path)
