# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop, the same for every task.

For each step: batch(seed, process, step) -> loss -> gradient, averaged over the processes, cut in norm ->
Adam at the learning rate of the step. Batches are drawn by a generator seeded with those three numbers, so the n-th
step is the same whether or not the training was interrupted before.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from event_perception.errors import DataError
from event_perception.learning.checkpoints import load_checkpoint, save_checkpoint, save_weights
from event_perception.learning.plan import TrainingPlan
from event_perception.learning.processes import Processes, joined_processes
from event_perception.learning.task import Batch, TrainingConfig, TrainingTask
from event_perception.learning.training_folder import TrainingFolder, description

End = Literal['done', 'time is up', 'interrupted']


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended: the steps done in all, why it ended, and the last validation."""

    steps: int
    end: End
    metrics: dict[str, float]


def train(
    plan: TrainingPlan,
    path: Path,
    *,
    resume: bool = False,
    minutes: float | None = None,
    device: str = 'cpu',
    progress: Callable[[str], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train a network into a folder: config.yaml, curve.csv, validation.csv, pictures, checkpoint, weights.

    Args:
        plan: What is trained, and how.
        path: A new folder, or with ``resume`` one that holds a checkpoint.
        resume: Whether to go on from the checkpoint.
        minutes: Stop after this long; what was reached is kept and can be gone on with.
        device: cpu or cuda; under torchrun every process takes the GPU of its own number.
        progress: Told how it goes, a line at a time.
        stop: Asked after every step whether to stop.

    Raises:
        DataError: If the folder is not empty, or there is nothing to resume.
        ConfigError: If the device is not there.
    """
    folder = TrainingFolder(path)
    with joined_processes(device) as (processes, own_device), _repeatable(plan.training.deterministic):
        if resume and not folder.checkpoint.exists():
            raise DataError(f'{path} holds no checkpoint to resume from; train without --resume first')
        if processes.first:
            folder.describe(plan) if resume else folder.create(plan)
        deadline = math.inf if minutes is None else perf_counter() + 60 * minutes
        loop = _Loop(plan, folder, processes, own_device, progress or (lambda text: None))
        if resume:
            loop.resume()
        return loop.run(
            lambda: 'interrupted' if stop() else 'time is up' if perf_counter() > deadline else None
        )


class _Loop:
    def __init__(
        self,
        plan: TrainingPlan,
        folder: TrainingFolder,
        processes: Processes,
        device: str,
        progress: Callable[[str], None],
    ) -> None:
        self._plan, self._folder, self._processes = plan, folder, processes
        self._device, self._progress = device, progress
        torch.manual_seed(plan.training.seed)  # the same weights in every process
        self._network = plan.task.build().to(device).train()
        self._optimiser = make_optimiser(self._network, plan.training)
        self._step, self._metrics = 0, dict[str, float]()

    def resume(self) -> None:
        """Take up the state of the checkpoint."""
        self._step = load_checkpoint(self._folder.checkpoint, self._network, self._optimiser)
        if self._processes.first:
            self._folder.forget_after(self._step)

    def run(self, reason_to_stop: Callable[[], End | None]) -> TrainingResult:
        """Steps until the last one, or until there is a reason to stop."""
        config = self._plan.training
        end: End = 'done'
        losses, norms, start = list[float](), list[float](), perf_counter()
        for step, batch in _batches(self._plan.task, config, self._processes.rank, self._step):
            loss, norm = self._do(step, batch)
            self._step = step + 1
            losses.append(loss)
            norms.append(norm)
            if self._step % config.curve_every == 0:
                self._record(step, losses, norms, perf_counter() - start)
                losses, norms = [], []
            if (
                config.validate_every
                and self._step % config.validate_every == 0
                and self._step < config.steps
            ):
                self._validate()
            if self._step % config.checkpoint_every == 0:
                self._save()
            reason = reason_to_stop()
            if self._processes.any(reason is not None, self._device):
                end = reason or 'interrupted'
                break
        self._save()
        if end != 'interrupted':
            self._validate()
        return TrainingResult(self._step, end, self._metrics)

    def _do(self, step: int, batch: Batch) -> tuple[float, float]:
        """One step of the optimiser; loss and norm of the gradient."""
        config = self._plan.training
        torch.manual_seed(_seed_of(config.seed, self._processes.rank, step))
        for group in self._optimiser.param_groups:
            group['lr'] = learning_rate(config, step)
        self._optimiser.zero_grad(set_to_none=True)
        with torch.autocast(
            self._device.partition(':')[0], torch.bfloat16, enabled=config.precision == 'bfloat16'
        ):
            loss = self._plan.task.loss(self._network, self._on_device(batch), step)
        loss.backward()
        self._processes.average_gradients(self._network)
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), config.clip_norm or math.inf)
        if not torch.isfinite(norm):
            raise DataError(
                f'step {step}: the gradient is not finite (loss {float(loss.detach()):g}); the last checkpoint is of step '
                f'{step // config.checkpoint_every * config.checkpoint_every}: resume with a lower learning_rate'
            )
        self._optimiser.step()
        return float(loss.detach()), float(norm)

    def _on_device(self, batch: Batch) -> dict[str, Tensor]:
        return {name: torch.from_numpy(np.ascontiguousarray(a)).to(self._device) for name, a in batch.items()}

    def _record(self, step: int, losses: list[float], norms: list[float], seconds: float) -> None:
        loss, norm = float(np.mean(losses)), float(np.mean(norms))
        if self._processes.first:
            rate = learning_rate(self._plan.training, step)
            self._folder.add_to_curve((self._step, loss, rate, norm, round(seconds, 3)))
        self._progress(f'step {self._step}/{self._plan.training.steps}  loss {loss:.5g}  {seconds:.0f} s')

    def _validate(self) -> None:
        if not self._processes.first:
            return
        self._network.eval()
        with torch.no_grad():
            validation = self._plan.task.validate(self._network, self._device)
        self._network.train()
        self._metrics = validation.metrics
        self._folder.add_validation(self._step, validation)
        self._folder.draw()
        self._progress(f'step {self._step}  ' + '  '.join(f'{k} {v:.4g}' for k, v in self._metrics.items()))

    def _save(self) -> None:
        if not self._processes.first:
            return
        about = description(self._plan)
        save_checkpoint(self._folder.checkpoint, self._network, self._optimiser, self._step, about)
        save_weights(self._folder.weights, self._network, {**about, 'steps': self._step})


def make_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Adam or AdamW over all weights that are to be learned."""
    kind = {'adamw': torch.optim.AdamW, 'adam': torch.optim.Adam}[config.optimiser]
    return kind(
        network.parameters(),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
    )


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Learning rate of a step: a linear rise, then the schedule."""
    rise = min(1.0, (step + 1) / config.warm_up_steps) if config.warm_up_steps else 1.0
    fall = 1.0
    if config.schedule == 'cosine':
        fall = 0.5 * (1 + math.cos(math.pi * min(step / config.steps, 1.0)))
    elif config.schedule == 'milestones':
        fall = config.milestone_factor ** sum(step >= milestone for milestone in config.milestones)
    return config.learning_rate * rise * fall


def _batches(
    task: TrainingTask, config: TrainingConfig, rank: int, first: int
) -> Iterator[tuple[int, Batch]]:
    """Steps with their batches, made ahead in threads; the order and the content do not depend on the threads."""

    def make(step: int) -> Batch:
        return task.batch(np.random.default_rng((config.seed, rank, step)))

    ahead = config.batches_ahead
    if not ahead:
        yield from ((step, make(step)) for step in range(first, config.steps))
        return
    with ThreadPoolExecutor(ahead) as threads:
        coming: deque[Future[Batch]] = deque()
        try:
            for step in range(first, config.steps):
                while len(coming) <= ahead and step + len(coming) < config.steps:
                    coming.append(threads.submit(make, step + len(coming)))
                yield step, coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


def _seed_of(*numbers: int) -> int:
    """One seed from several numbers, for what torch draws itself."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def _repeatable(wanted: bool) -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted or before, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
