# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""SSML: a network that learned from spike streams alone, by mutual learning with a blind-spot network.

Weights are those of `event-perception train spikes --method ssml`, or a user's checkpoint of the simple network
such as SpikeCV's ``nbsn_83000_simple.pth`` (Apache-2.0), which holds for dark streams only.

Source: Chen, Duan, Yu, Xiong and Huang, Self-supervised mutual learning for dynamic scene reconstruction of
spiking camera, IJCAI 2022.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from event_perception.images.learned import LearnedReconstructor

if TYPE_CHECKING:  # torch takes a second to load: only where a network is made
    from event_perception.images.networks.trained import TrainedNetwork


class Ssml(LearnedReconstructor):
    """The non-blind-spot network of SSML; ``ati`` outside of its light and at the ends of the stream."""

    name = 'ssml'

    @staticmethod
    def _load(path: Path) -> 'TrainedNetwork':
        from event_perception.images.networks.trained import load_ssml

        return load_ssml(path)
