# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images by a small trained network on top of `ati`, made for a CPU.

rate = ati + doubt * network(features / K), roughly: the network sees what `ati` has measured, on the scale of the brightest
pixels K, so that it need not know the light level. It was trained on streams of this package's simulator; where the
light is other than any of those, the image is that of `ati`, which is counted and logged.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events.spike_stream import SpikeStream
from event_perception.images.aligned_estimates import AlignedEstimates
from event_perception.images.ati_estimate import AtiConfig, AtiEstimate, AtiEstimator
from event_perception.images.compact_features import compact_features
from event_perception.images.learned import LearnedCounts
from event_perception.images.spike_kernels import add_planes
from event_perception.images.spike_reconstructor import SpikeOutputConfig, SpikeReconstructor
from event_perception.images.tfp import bit_sliced_counts

SHIPPED_WEIGHTS = Path(__file__).parent / 'weights' / 'compact.safetensors'
logger = logging.getLogger('event_perception')


@dataclass(frozen=True, slots=True)
class CompactConfig:
    """Weights, the light that they know, and the scale of the scene."""

    weights: str = param('', 'File of weights trained as spikes.compact; empty: those of the package.')
    precision: Literal['float32', 'bfloat16'] = param(
        'float32',
        'Of the layers; bfloat16 is faster where the processor has units for it, and much slower elsewhere.',
    )
    least_rate: float = param(
        0.01, 'Least mean rate that the network is used at, spikes per plane.', ge=0.0, le=1.0, live=True
    )
    largest_rate: float = param(
        0.5, 'Largest mean rate that the network is used at, spikes per plane.', ge=0.0, le=1.0, live=True
    )
    scale_planes: int = param(
        400, 'First planes of a stream that the brightest rate is taken from, then held.', ge=1, le=65535
    )
    scale_quantile: float = param(0.995, 'Share of the pixels that is no brighter than that.', ge=0.5, le=1.0)
    output: SpikeOutputConfig = SpikeOutputConfig()


class Compact(SpikeReconstructor):
    """`ati`, improved by a network where that knows the light.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.

    Attributes:
        images: How the images so far came about.
        mean_rate: Mean rate of the last image, spikes per plane.

    Raises:
        DataError: If the weights cannot be read or are of another network.
    """

    config_type: ClassVar[type[CompactConfig]] = CompactConfig

    def __init__(self, config: CompactConfig | None = None, *, height: int, width: int) -> None:
        from event_perception.images.networks.compact import load_compact

        self.config = config = config or CompactConfig()
        super().__init__(config.output, height=height, width=width)
        self._estimator = AtiEstimator(AtiConfig(), height=height, width=width)
        self._align = AlignedEstimates(height, width, self._estimator.config.threads)
        self._network = load_compact(
            Path(config.weights) if config.weights else SHIPPED_WEIGHTS, config.precision
        )
        self.lookahead_planes = self._estimator.config.search_planes
        self.images, self.mean_rate = LearnedCounts(), 0.0
        self._restarts = 0
        self._scale: float | None = None
        self._forget_scale()

    def push(self, stream: SpikeStream) -> None:
        """Add the next planes; a gap or another stream drops what came before and is counted.

        Raises:
            DataError: If they come from a sensor of another size.
        """
        super().push(stream)
        if self.counts.restarts != self._restarts:
            self._restarts = self.counts.restarts
            self._forget_scale()
        missing = self.config.scale_planes - self._seen
        if missing > 0 and len(stream):
            planes = stream.canonical(0, missing)
            add_planes(self._slices, planes)
            self._seen += len(planes)
            self._scale = None

    @property
    def scale(self) -> float:
        """Rate of the brightest pixels in the first planes of the stream, which the network sees as 1.

        Raises:
            DataError: If no planes were pushed.
        """
        if self._seen == 0:
            raise DataError('no scale without spike planes; push a stream first')
        if self._scale is None:
            counts = bit_sliced_counts(self._slices)[: self._height * self._width]
            self._scale = float(np.quantile(counts, self.config.scale_quantile)) / self._seen
        return self._scale

    def _forget_scale(self) -> None:
        n_bytes = (self._height * self._width + 7) // 8
        self._slices = np.zeros((self.config.scale_planes.bit_length(), n_bytes), np.uint8)
        self._seen = 0
        self._scale = None

    def _rates(self, plane: int) -> NDArray[np.float32]:
        estimate = self._estimator.estimate(self._history, plane)
        self.mean_rate = float(estimate.rates.mean())
        rates = self._improved(estimate) if self._knows_light() else estimate.rates
        return (rates[::-1] if self._history.flipped else rates).reshape(-1)

    def _knows_light(self) -> bool:
        c, inside = self.config, self.images
        if c.least_rate <= self.mean_rate <= c.largest_rate and self.scale > 0:
            self.images = replace(inside, by_network=inside.by_network + 1)
            return True
        if not inside.outside_light:
            logger.warning(
                'compact: mean rate %.3g is outside %.3g to %.3g, the rates of the training; ati makes such images '
                'instead, and they are counted as outside_light',
                self.mean_rate,
                c.least_rate,
                c.largest_rate,
            )
        self.images = replace(inside, outside_light=inside.outside_light + 1)
        return False

    def _improved(self, estimate: AtiEstimate) -> NDArray[np.float32]:
        features = compact_features(estimate, self.scale, self._align)
        light = np.maximum(self._network(features), np.float32(0))
        return np.asarray(light * np.float32(self.scale), np.float32)
