# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images by the adaptive triangular interval, the best of the methods that have learned nothing."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from event_perception.images.ati_estimate import AtiConfig, AtiEstimator
from event_perception.images.spike_reconstructor import SpikeReconstructor

__all__ = ['Ati', 'AtiConfig']


class Ati(SpikeReconstructor):
    """Triangular mean of the intervals around the instant, over a window chosen by light and motion.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.

    Raises:
        ConfigError: If the windows do not ascend.
    """

    config_type: ClassVar[type[AtiConfig]] = AtiConfig

    def __init__(self, config: AtiConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or AtiConfig()
        super().__init__(config.output, height=height, width=width)
        self.lookahead_planes = config.search_planes
        self._estimator = AtiEstimator(config, height=height, width=width)

    def _rates(self, plane: int) -> NDArray[np.float32]:
        self._estimator.config = self.config  # some parameters may change while a node runs
        rates = self._estimator.estimate(self._history, plane).rates
        return (rates[::-1] if self._history.flipped else rates).reshape(-1)
