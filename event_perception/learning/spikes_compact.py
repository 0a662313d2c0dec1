# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Training of the compact network: a pool of clips with their features, then patches of it with their mirrors.

Clips are long (401 planes), because that is what `ati` looks at; making them and their features costs far more than
a step of so small a network, so a pool is made once, from the seed of the pool alone, and patches are drawn from it.
The loss is the mean over patches of log(squared error): a tenth of it is what the mean PSNR gains, whatever light and
motion the patch has, so that the network may not buy dark scenes with losses in bright ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from event_perception.config import param
from event_perception.events.spike_stream import SpikeStream
from event_perception.images.aligned_estimates import AlignedEstimates
from event_perception.images.ati_estimate import AtiConfig, AtiEstimator
from event_perception.images.compact_features import compact_features
from event_perception.images.networks.compact import CompactNetwork, CompactNetworkConfig, begin_with
from event_perception.images.spike_history import SpikeHistory
from event_perception.learning.spike_clips import SpikeClipConfig, SpikeClipMaker, SpikeClips
from event_perception.learning.task import Batch, Validation

VALIDATION_SEED = 7


@dataclass(frozen=True, slots=True)
class CompactTaskConfig:
    """Network, clips and patches."""

    batch: int = param(16, 'Patches per step.', ge=1)
    patch_px: int = param(64, 'Side of a patch, px.', ge=16)
    pool: int = param(400, 'Clips made before the first step.', ge=1)
    pool_seed: int = param(1, 'Seed of the pool.', ge=0)
    validation_clips: int = param(24, 'Clips of pictures not trained on.', ge=1)
    brightest: float = param(
        1.1, 'Most that the brightest pixels of a picture may be taken for.', ge=0.1, le=4.0
    )
    darkest: float = param(0.55, 'Least that they may be taken for.', ge=0.05, le=4.0)
    least_squared_error: float = param(
        1e-5,
        'Added to squared errors before the logarithm of the loss: what is good enough.',
        ge=1e-9,
        le=1.0,
    )
    initial: str = param(
        '', 'File of weights to begin with; what they have no input for begins at zero. Empty: from nothing.'
    )
    network: CompactNetworkConfig = CompactNetworkConfig()
    clips: SpikeClipConfig = SpikeClipConfig(
        n_planes=401, height=96, width=96, least_gain=0.03, usual_share=0.25, noisy_share=0.4, own_pictures=30
    )


class CompactTask:
    """Features of simulated spikes to the light that caused them."""

    config_type: ClassVar[type] = CompactTaskConfig
    training: ClassVar[Mapping[str, Any]] = {
        'steps': 20_000,
        'learning_rate': 1.5e-3,
        'warm_up_steps': 300,
        'precision': 'bfloat16',
        'clip_norm': 1.0,
    }

    def __init__(self, config: CompactTaskConfig | None = None) -> None:
        self.config = config or CompactTaskConfig()
        self._lock = Lock()

    def build(self) -> CompactNetwork:
        """The network, as the weights to begin with have it."""
        network = CompactNetwork(self.config.network)
        if self.config.initial:
            begin_with(network, Path(self.config.initial))
        return network

    def batch(self, random: np.random.Generator) -> Batch:
        """Patches of features and of light, mirrored, turned and at some other brightest light."""
        c, pool = self.config, self._pool
        features, light = [], []
        for _ in range(c.batch):
            k = random.integers(len(pool.light))
            y, x = (int(random.integers(n - c.patch_px + 1)) for n in pool.light.shape[1:])
            window = np.s_[..., y : y + c.patch_px, x : x + c.patch_px]
            mirrored, turns = random.choice((-1, 1)), int(random.integers(4))
            brightest = np.float32(random.uniform(c.darkest, c.brightest))
            pair = (pool.features[k][window], pool.light[k][window])
            f, truth = (np.rot90(a[..., ::mirrored], turns, (-2, -1)) for a in pair)
            features.append(np.asarray(f, np.float32) / brightest)
            light.append(np.asarray(truth, np.float32) / brightest)
        return {'features': np.stack(features), 'light': np.stack(light)}

    def loss(self, network: nn.Module, batch: dict[str, Tensor], step: int) -> Tensor:
        """Mean over patches of log(squared error of the network / that of ati)."""
        features, truth = batch['features'], batch['light'][:, None]
        error = ((network(features).float() - truth) ** 2).mean(dim=(1, 2, 3))
        before = ((features[:, :1] - truth) ** 2).mean(dim=(1, 2, 3))
        least = self.config.least_squared_error
        return ((error + least) / (before + least)).log().mean()

    def validate(self, network: nn.Module, device: str) -> Validation:
        """Gain in PSNR over ati, dB: mean, least, and of fast, dark and still clips; the first pictures."""
        samples = self._validation
        features = torch.from_numpy(samples.features.astype(np.float32)).to(device)
        light = np.concatenate([network(f[None]).float().cpu().numpy()[0] for f in features])
        truth = samples.light.astype(np.float32)
        before, after = (_psnr(image, truth) for image in (samples.features[:, 0].astype(np.float32), light))
        gain_db = after - before
        fast, dark = samples.clips.speed_px_plane > 0.35, samples.clips.gain < 0.1
        metrics = {
            'ati_db': float(before.mean()),
            'compact_db': float(after.mean()),
            'gain_db': float(gain_db.mean()),
        }
        groups = {'least': gain_db == gain_db.min(), 'fast': fast, 'dark': dark}
        metrics |= {
            f'gain_{name}_db': float(gain_db[chosen].mean())
            for name, chosen in groups.items()
            if chosen.any()
        }
        shown = [
            np.hstack([samples.features[k, 0].astype(np.float32), light[k], truth[k]])
            for k in range(min(4, len(light)))
        ]
        return Validation(metrics, {'ati_compact_truth': np.vstack(shown)})

    @property
    def _pool(self) -> 'Samples':
        with self._lock:  # batches come from several threads
            return self._made_pool

    @cached_property
    def _made_pool(self) -> 'Samples':
        return make_samples(self.config.clips, self.config.pool, self.config.pool_seed)

    @cached_property
    def _validation(self) -> 'Samples':
        clips = self.config.clips
        unseen = SpikeClipConfig(
            n_planes=clips.n_planes, height=clips.height, width=clips.width, least_gain=clips.least_gain,
            usual_share=clips.usual_share, own_pictures=16, picture_seed=clips.picture_seed + 1000,
        )  # fmt: skip
        return make_samples(unseen, self.config.validation_clips, VALIDATION_SEED)


@dataclass(frozen=True, eq=False)
class Samples:
    """Features (n, 23, H, W) and light (n, H, W), float16 to save memory, and the clips without their planes."""

    features: NDArray[np.float16]
    light: NDArray[np.float16]
    clips: SpikeClips


def make_samples(config: SpikeClipConfig, count: int, seed: int, at_once: int = 8) -> Samples:
    """Clips and their features, each scaled by its own gain."""
    make, parts = SpikeClipMaker(config), list[SpikeClips]()
    estimator = AtiEstimator(AtiConfig(), height=config.height, width=config.width)
    align = AlignedEstimates(config.height, config.width)
    features, none = list[NDArray[np.float16]](), np.empty((0, 0, 0, 0), np.uint8)
    for first in range(0, count, at_once):
        random = np.random.default_rng((seed, first))
        clips = make(random, min(at_once, count - first))
        for planes, gain in zip(clips.planes, clips.gain):
            features.append(_features(estimator, align, planes, float(gain)).astype(np.float16))
        parts.append(SpikeClips(none, clips.light, clips.gain, clips.speed_px_plane, clips.noisy))
    names = ('light', 'gain', 'speed_px_plane', 'noisy')
    joined = SpikeClips(none, *(np.concatenate([getattr(p, name) for p in parts]) for name in names))
    return Samples(np.stack(features), joined.light.astype(np.float16), joined)


def _features(
    estimator: AtiEstimator, align: AlignedEstimates, planes: NDArray[np.uint8], gain: float
) -> NDArray[np.float32]:
    n, height, width = planes.shape
    history = SpikeHistory(height=height, width=width, keep_planes=n)
    history.push(SpikeStream(planes, height=height, width=width, plane_period_ns=1))
    return compact_features(estimator.estimate(history, n // 2), gain, align)


def _psnr(images: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float64]:
    error = np.mean((np.clip(images, 0, 1).astype(float) - truth) ** 2, axis=(1, 2))
    return -10 * np.log10(error + 1e-9)
