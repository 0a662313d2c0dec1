# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Training of flow networks: from the truth of simulated clips, or from the sharpness of events alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from event_perception.config import param
from event_perception.evaluation.pictures import flow_colours
from event_perception.flow.networks.correlation import CorrelationFlow
from event_perception.flow.networks.recurrent import RecurrentFlow
from event_perception.flow.networks.spiking import HybridFlow
from event_perception.learning.flow_clips import FlowClip, FlowClipConfig, FlowClipMaker, turned
from event_perception.learning.flow_losses import (
    end_point_loss,
    focus_loss,
    pixels_with_events,
    roughness,
)
from event_perception.learning.task import Batch, Validation

VALIDATION_SEED = 1_000_003  # of clips that no training draws
Gradient = Literal['weak', 'raw', 'straight_through', 'sigmoid']
RECONSTRUCTION: dict[str, str | None] = {'weak': 'linear', 'raw': None}


@dataclass(frozen=True, slots=True)
class FlowTaskConfig:
    """What a flow network learns from."""

    supervision: Literal['truth', 'contrast'] = param(
        'truth', 'Learn from the simulated flow, or from the sharpness of warped events alone.'
    )
    gradient: Gradient = param(
        'weak', 'Derivative of binning: weak, raw, or a surrogate (straight_through, sigmoid).'
    )
    batch: int = param(8, 'Clips of one step.', ge=1, le=1024)
    unseen_weight: float = param(
        0.1, 'Weight of pixels without events in the supervised loss.', ge=0.0, le=1.0
    )
    early_weight: float = param(
        0.5, 'Weight of an earlier field of the same window against the next better one.', ge=0.0, le=1.0
    )
    smoothness: float = param(0.05, 'Weight of roughness beside the gain of focus, per px/px.', ge=0.0)
    bin_px: float = param(1.5, 'Side of the bins whose sharpness is measured, px.', ge=0.5, le=8.0)
    validation_clips: int = param(24, 'Clips that are not trained on.', ge=1)
    clips: FlowClipConfig = FlowClipConfig()


@dataclass(frozen=True, slots=True)
class RecurrentTaskConfig(FlowTaskConfig):
    """The compact recurrent network."""

    slices: int = param(5, 'Slices of each half of the window.', ge=1, le=50)
    width: int = param(24, 'Channels at half of the size.', ge=4, le=256)
    iterations: int = param(2, 'How often the network looks at the events.', ge=1, le=10)
    output_std: float = param(
        0.0,
        'Spread of the weights of the last layer at the start. At exactly no motion all events lie on the kinks of the '
        'raw vote, whose derivative there is 0: a raw training by contrast cannot leave it.',
        ge=0.0,
        le=1.0,
    )


@dataclass(frozen=True, slots=True)
class HybridTaskConfig(FlowTaskConfig):
    """The hybrid network with a spiking encoder."""

    slices: int = param(5, 'Slices of each half of the window.', ge=1, le=50)
    width: int = param(64, 'Channels of the first layer.', ge=4, le=256)
    threshold: float = param(0.75, 'Threshold of the neurons.', ge=0.01, le=10.0)


@dataclass(frozen=True, slots=True)
class CorrelationTaskConfig(FlowTaskConfig):
    """The all-pairs network; it needs two windows at least."""

    bins: int = param(15, 'Slices of a window.', ge=2, le=64)
    iterations: int = param(6, 'Corrections.', ge=1, le=32)


class FlowTask:
    """What the training of all flow networks has in common.

    Args:
        config: What is learned from.
    """

    config_type: ClassVar[type] = FlowTaskConfig
    training: ClassVar[Mapping[str, Any]] = {
        'learning_rate': 1e-3,
        'warm_up_steps': 50,
        'weight_decay': 1e-4,
        'validate_every': 500,
    }

    def __init__(self, config: Any) -> None:
        self.config = config
        self._clips = FlowClipMaker(config.clips)

    def build(self) -> nn.Module:
        """A new network."""
        raise NotImplementedError

    def batch(self, random: np.random.Generator) -> Batch:
        """Clips at random, turned at random."""
        numbers = random.integers(self.config.clips.clips, size=self.config.batch)
        return _stacked([turned(self._clips.clip(int(number)), random) for number in numbers])

    def loss(self, network: nn.Module, batch: dict[str, Tensor], step: int) -> Tensor:
        """Mean over the windows of the clips."""
        windows, state, total = batch['points'].shape[1], None, batch['points'].new_zeros(())
        height, width = batch['flow'].shape[-2:]
        for k in range(windows):
            points, polarity = batch['points'][:, k], batch['polarity'][:, k]
            fields, state = network(points, polarity, height=height, width=width, state=state)
            for age, field in enumerate(reversed(fields)):
                part = self._field_loss(field, points, polarity, batch['flow'][:, k])
                total = total + self.config.early_weight**age * part
        return total / windows

    def _field_loss(self, field: Tensor, points: Tensor, polarity: Tensor, truth: Tensor) -> Tensor:
        c = self.config
        if c.supervision == 'truth':
            seen = pixels_with_events(points, polarity, *truth.shape[-2:])
            return end_point_loss(field, truth, seen, c.unseen_weight)
        reconstruction = RECONSTRUCTION.get(c.gradient, c.gradient)
        sharp = focus_loss(points, polarity, field, bin_px=c.bin_px, reconstruction=reconstruction)
        return sharp + c.smoothness * roughness(field)

    def validate(self, network: nn.Module, device: str) -> Validation:
        """Errors in the last window of clips drawn from another seed, at pixels with events."""
        batch = {name: torch.from_numpy(a).to(device) for name, a in self._validation_batch().items()}
        state, (height, width) = None, batch['flow'].shape[-2:]
        for k in range(batch['points'].shape[1]):
            points, polarity, truth = (batch[name][:, k] for name in ('points', 'polarity', 'flow'))
            fields, state = network(points, polarity, height=height, width=width, state=state)
        seen = pixels_with_events(points, polarity, height, width)
        error = (fields[-1] - truth).norm(dim=1)
        metrics = {
            'epe_px': float(error[seen].mean()),
            'epe_of_zero_px': float(truth.norm(dim=1)[seen].mean()),
            'outliers_3px_percent': 100 * float((error[seen] > 3).float().mean()),
            'epe_everywhere_px': float(error.mean()),
        }
        return Validation(metrics, _pictures(fields[-1], truth, seen))

    def _validation_batch(self) -> Batch:
        return _stacked([self._clips.clip(VALIDATION_SEED + i) for i in range(self.config.validation_clips)])


class RecurrentFlowTask(FlowTask):
    """`train flow --method recurrent`."""

    config_type: ClassVar[type] = RecurrentTaskConfig

    def build(self) -> nn.Module:
        """A new network."""
        c = self.config
        reconstruction = RECONSTRUCTION.get(c.gradient, c.gradient)
        return RecurrentFlow(
            c.slices, c.width, c.iterations, reconstruction=reconstruction, output_std=c.output_std
        )


class HybridFlowTask(FlowTask):
    """`train flow --method hybrid`."""

    config_type: ClassVar[type] = HybridTaskConfig

    def build(self) -> nn.Module:
        """A new network."""
        return HybridFlow(self.config.width, self.config.threshold, self.config.slices)


class CorrelationFlowTask(FlowTask):
    """`train flow --method correlation`."""

    config_type: ClassVar[type] = CorrelationTaskConfig

    def build(self) -> nn.Module:
        """A new network."""
        return CorrelationFlow(self.config.bins, self.config.iterations)


def _stacked(clips: list[FlowClip]) -> Batch:
    return {
        name: np.stack([getattr(clip, name) for clip in clips]) for name in ('points', 'polarity', 'flow')
    }


def _pictures(flow: Tensor, truth: Tensor, seen: Tensor) -> dict[str, Any]:
    """Estimate and truth of the first clips side by side, at pixels with events."""
    n = min(4, flow.shape[0])
    masked = [(f[:n] * seen[:n, None]).cpu().numpy() for f in (flow, truth)]
    v_max = float(np.abs(masked[1]).max()) or 1.0
    rows = [np.concatenate([flow_colours(f[i], v_max) for f in masked], axis=1) for i in range(n)]
    return {'flow': np.concatenate(rows).astype(np.float32) / 255}
