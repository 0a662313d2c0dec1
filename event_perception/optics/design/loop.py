# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The design loop: loss, gradient, a step of Adam, back into the allowed set; resumable.

Variables are scaled by the step that suits each of them: value = start + rate * w, and Adam moves w. So a curvature
of 0.01 per mm, a gap of 5 mm and an angle move by comparable shares, and an element with rate 0 stays fixed. If a
step leads where nothing can be computed (all rays lost, a camera inside the body) it is taken back and halved, and
counted.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from event_perception.errors import DataError
from event_perception.learning.checkpoints import load_checkpoint, save_checkpoint
from event_perception.optics.design.folder import DesignFolder
from event_perception.optics.design.problem import DesignLoopConfig, DesignProblem, Values

LARGEST_LISTED = 64  # elements: larger tensors (networks) have no curve each


@dataclass(frozen=True, eq=False)
class DesignResult:
    """How a design ended: its values, the values it began with, steps done and steps taken back."""

    values: Values
    start: Values
    loss: float
    steps: int
    rejected: int
    finished: bool


def optimise(
    problem: DesignProblem,
    config: DesignLoopConfig,
    folder: DesignFolder,
    *,
    progress: Callable[[str], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> DesignResult:
    """Run a design to its end, or on from the checkpoint of the folder.

    Args:
        problem: What is designed.
        config: How.
        folder: Receives history and checkpoints.
        progress: Told how it goes, a line at a time.
        stop: Asked after every step whether to stop; the checkpoint keeps what was reached.

    Raises:
        DataError: If the start is impossible, or too many steps are.
    """
    state = _State(problem)
    optimiser = torch.optim.Adam(state.scaled.parameters(), lr=config.learning_rate)
    step = 0
    if folder.checkpoint.exists():
        step = load_checkpoint(folder.checkpoint, state, optimiser)
        folder.forget_from(step)
    while step < config.steps and not stop():
        figures = _one_step(problem, config, state, optimiser, step)
        step += 1
        folder.add(figures | state.listed())
        if progress:
            progress(f'step {step}/{config.steps}  loss {figures["loss"]:.6g}')
        if step % config.checkpoint_every == 0 or step == config.steps:
            save_checkpoint(folder.checkpoint, state, optimiser, step, {})
    save_checkpoint(folder.checkpoint, state, optimiser, step, {})
    values = state.best() if config.keep == 'best' else state.values(attached=False)
    with torch.no_grad():
        loss = float(problem.loss(values, step)[0])
    return DesignResult(values, state.start, loss, step, int(state.rejected), step >= config.steps)


def _one_step(
    problem: DesignProblem, config: DesignLoopConfig, state: '_State', optimiser: torch.optim.Adam, step: int
) -> dict[str, float]:
    """Evaluate, note, move; figures of the values before the move."""
    torch.manual_seed(config.seed * 1_000_003 + step)
    loss, figures = _evaluate(problem, config, state, step)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(state.scaled.parameters(), config.clip_norm or math.inf)
    if not (torch.isfinite(norm) and torch.isfinite(loss)):
        raise DataError(
            f'step {step}: loss {float(loss.detach()):g}, norm of its gradient {float(norm):g}: not finite; resume with '
            'a lower loop.learning_rate, from a copy of the last checkpoint'
        )
    state.note(float(loss.detach()))
    fall = 0.5 * (1 + math.cos(math.pi * step / config.steps)) if config.schedule == 'cosine' else 1.0
    for group in optimiser.param_groups:
        group['lr'] = config.learning_rate * fall
    optimiser.step()
    state.project(problem)
    return {'step': step, 'loss': float(loss.detach()), 'gradient_norm': float(norm), **figures}


def _evaluate(
    problem: DesignProblem, config: DesignLoopConfig, state: '_State', step: int
) -> tuple[Tensor, dict[str, float]]:
    """The loss where we are; if that is impossible, half-way back to where it was possible, and so on."""
    for _ in range(config.rejections + 1):
        try:
            return problem.loss(state.values(), step)
        except DataError as error:
            if step == 0 or int(state.rejected) >= config.rejections:
                raise DataError(
                    f'step {step}, {int(state.rejected)} steps taken back before: {error}'
                ) from error
            state.half_way_back()
    raise DataError(f'step {step}: no possible values between here and the step before')


class _State(nn.Module):
    """Scaled variables, where they were when last possible, and the best values so far; all of it goes on disk."""

    def __init__(self, problem: DesignProblem) -> None:
        super().__init__()
        self.start = {name: value.detach().clone() for name, value in problem.start().items()}
        rates: Mapping[str, Any] = problem.rates()
        self._rate = {n: torch.as_tensor(rates[n], dtype=v.dtype).expand_as(v) for n, v in self.start.items()}
        zeros = {name: torch.zeros_like(value) for name, value in self.start.items()}
        self.scaled = nn.ParameterDict({name: nn.Parameter(zero.clone()) for name, zero in zeros.items()})
        self._kept: dict[str, dict[str, str]] = {'possible': {}, 'best': {}}
        for kind, names in self._kept.items():
            for name, zero in zeros.items():
                names[name] = f'{kind}_{name}'.replace('.', '_')
                self.register_buffer(names[name], zero.clone())
        self.rejected: Tensor
        self.best_loss: Tensor
        self.register_buffer('rejected', torch.zeros((), dtype=torch.long))
        self.register_buffer('best_loss', torch.tensor(math.inf, dtype=torch.float64))

    def values(self, *, attached: bool = True) -> Values:
        """The variables in their own units."""
        now = {n: self.start[n] + self._rate[n] * w for n, w in self.scaled.items()}
        return now if attached else {n: v.detach() for n, v in now.items()}

    def best(self) -> Values:
        """Those of the lowest loss."""
        return {n: self.start[n] + self._rate[n] * self._buffer('best', n) for n in self.start}

    def note(self, loss: float) -> None:
        """These values are possible, and have this loss."""
        kinds = ['possible', 'best'] if loss < float(self.best_loss) else ['possible']
        self.best_loss.fill_(min(loss, float(self.best_loss)))
        for kind in kinds:
            for name, w in self.scaled.items():
                self._buffer(kind, name).copy_(w.detach())

    def half_way_back(self) -> None:
        """Halve the last step."""
        self.rejected += 1
        with torch.no_grad():
            for name, w in self.scaled.items():
                w.copy_(0.5 * (w + self._buffer('possible', name)))

    def project(self, problem: DesignProblem) -> None:
        """Move to the nearest allowed values."""
        with torch.no_grad():
            allowed = problem.project(self.values(attached=False))
            for name, w in self.scaled.items():
                rate = self._rate[name]
                moved = (allowed[name] - self.start[name]) / torch.where(rate == 0, 1.0, rate)
                w.copy_(torch.where(rate == 0, 0.0, moved))

    def listed(self) -> dict[str, float]:
        """Single numbers for the history: all that are free, of tensors that are not large."""
        row: dict[str, float] = {}
        for name, value in self.values(attached=False).items():
            if value.numel() <= LARGEST_LISTED:
                free = (self._rate[name] != 0).reshape(-1).tolist()
                row |= {f'{name}[{i}]': float(v) for i, v in enumerate(value.reshape(-1)) if free[i]}
        return row

    def _buffer(self, kind: str, name: str) -> Tensor:
        return self.get_buffer(self._kept[kind][name])
