# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Short-term plasticity: a synapse per pixel whose utilisation u settles at a value that tells the spike rate.

At a spike, dt planes after the one before: u <- u0 + (u + f (1 - u) - u0) exp(-dt / F). With a constant
interval d, u converges, and solving the update for d gives the rate

    rho_u = -1 / (F ln((u - u0) / (f - u0 + u (1 - f)))).

A published program writes F in place of f in the denominator, which is wrong by 17 dB. The model has a second
variable, the resource R, with its own read-out. It is not computed: 1 - R is lost in single precision from
intervals of 20 planes on, u does not depend on it, and the mean of both read-outs is worse than u alone.

The image is rho_u, but not more than 1 / age, the planes since the last spike.

Source: Zheng, Zheng, Yu, Shi, Tian and Huang, High-speed image reconstruction through short-term plasticity for
spiking cameras, CVPR 2021; the model is that of Tsodyks, Pawelzik and Markram, Neural Computation 1998.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.images.spike_kernels import SPREAD_WORDS, push_plasticity
from event_perception.images.spike_reconstructor import RecurrentSpikeReconstructor, SpikeOutputConfig


@dataclass(frozen=True, slots=True)
class StpConfig:
    """The synapse."""

    facilitation_planes: float = param(10.0, 'Time constant F of the utilisation, planes.', ge=1.0, le=1000.0)
    utilisation_rest: float = param(0.15, 'Utilisation u0 at rest.', ge=0.01, le=0.5)
    utilisation_gain: float = param(
        0.15, 'Share f of the unused part that a spike adds to u.', ge=0.01, le=0.5
    )
    output: SpikeOutputConfig = SpikeOutputConfig()


class Stp(RecurrentSpikeReconstructor):
    """Rate from the utilisation of a plastic synapse; causal, images in time order.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """

    config_type: ClassVar[type[StpConfig]] = StpConfig

    def __init__(self, config: StpConfig | None = None, *, height: int, width: int) -> None:
        self.config = config or StpConfig()
        super().__init__(self.config.output, height=height, width=width)

    def _reset(self) -> None:
        # A pixel that has not fired yet fired infinitely long ago: its first spike leaves u at rest.
        self._u = np.full(self._n_states, self.config.utilisation_rest, np.float32)
        self._decay = np.zeros(self._n_states, np.float32)

    def _advance(self, planes: NDArray[np.uint8]) -> None:
        step = np.exp(-1.0 / self.config.facilitation_planes)
        c = self.config
        push_plasticity(
            self._u,
            self._decay,
            planes,
            SPREAD_WORDS,
            np.float32(step),
            np.float32(c.utilisation_rest),
            np.float32(c.utilisation_gain),
        )

    def _read(self) -> NDArray[np.float32]:
        return plasticity_rates(self._u, self._decay, self.config)


def plasticity_rates(
    u: NDArray[np.float32], decay: NDArray[np.float32], config: StpConfig
) -> NDArray[np.float32]:
    """Spikes per plane from utilisation u and exp(-age / F), float32, zero where u is at rest."""
    rest, gain = np.float32(config.utilisation_rest), np.float32(config.utilisation_gain)
    with np.errstate(divide='ignore', invalid='ignore'):
        fraction = (u - rest) / (gain - rest + u * (1 - gain))
        rate = -1 / (np.float32(config.facilitation_planes) * np.log(fraction))
        age = -np.float32(config.facilitation_planes) * np.log(decay)
        allowed = 1 / np.maximum(age, np.float32(1))
    settled: NDArray[np.float32] = np.where(u > rest, np.minimum(rate, allowed), np.float32(0))
    return settled
