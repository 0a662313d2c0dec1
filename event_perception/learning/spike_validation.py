# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Validation of spike networks: streams of pictures that no training sees, the truth, and what others make of them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from event_perception import images
from event_perception.evaluation.image_quality import psnr
from event_perception.events import SpikeStream
from event_perception.learning.spike_clips import SpikeClipConfig, SpikeClipMaker
from event_perception.learning.task import Validation

HELD_OUT_SEED = 1_000_003
"""Of pictures, motion and noise; added to the seed of the pictures trained on, so that none is shared."""
PERIOD_NS = 25_000
SHOWN = 4


class SpikeValidation:
    """Always the same streams, by own pictures of another seed; compared with TFP and ATI on the same planes.

    Args:
        config: What the streams trained on are like.
        count: Number of streams.
        label_planes: Window of the TFP that is compared with.
    """

    def __init__(self, config: SpikeClipConfig, count: int, label_planes: int) -> None:
        held_out = replace(
            config, picture_seed=config.picture_seed + HELD_OUT_SEED, pictures='', own_pictures=max(count, 1)
        )
        self._clips = SpikeClipMaker(held_out)(np.random.default_rng(HELD_OUT_SEED), count)
        self._others = {
            'label': self._classical('tfp', window_planes=label_planes),
            'ati': self._classical('ati'),
        }

    def __call__(self, networks: Mapping[str, nn.Module], device: str) -> Validation:
        """Mean PSNR of every network and method, and how far the first network is ahead of the label, dB."""
        pictures = {name: self._read(network, device) for name, network in networks.items()} | self._others
        metrics = {f'{name}_db': self._mean_psnr(light) for name, light in pictures.items()}
        first = next(iter(networks))
        metrics['margin_db'] = metrics[f'{first}_db'] - metrics['label_db']
        rows = [*pictures.values(), self._clips.light]
        sheet = np.concatenate([np.concatenate(list(row[:SHOWN]), axis=1) for row in rows])
        return Validation(metrics, {'_'.join([*pictures, 'truth']): sheet})

    def _read(self, network: nn.Module, device: str) -> NDArray[np.float32]:
        """Light by a network, one stream at a time, (n, H, W)."""
        lights = []
        with torch.no_grad():
            for planes, gain in zip(self._clips.planes, self._clips.gain):
                rates = network(torch.from_numpy(planes).to(device).float()[None])
                lights.append(rates[0, 0].cpu().numpy() / gain)
        return np.array(lights, np.float32)

    def _classical(self, method: str, **params: object) -> NDArray[np.float32]:
        """Light by a method of the package, (n, H, W)."""
        n, height, width = self._clips.planes.shape[1:]
        lights = []
        for planes, gain in zip(self._clips.planes, self._clips.gain):
            reconstructor = images.create(
                method, height=height, width=width, **{'output.full_scale_rate': float(gain)}, **params
            )
            reconstructor.push(SpikeStream(planes, height=height, width=width, plane_period_ns=PERIOD_NS))
            lights.append(reconstructor.image(n // 2 * PERIOD_NS))
        return np.array(lights)

    def _mean_psnr(self, light: NDArray[np.float32]) -> float:
        return float(np.mean([psnr(mine, truth) for mine, truth in zip(light, self._clips.light)]))
