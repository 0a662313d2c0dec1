# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one network: each on its own batches, with the mean of all gradients.

Processes are started by ``torchrun``, which tells them apart through the environment. Gradients are averaged as
one vector after the backward pass: for networks of a few million weights that is as fast as overlapping both, and it
asks nothing of the loss.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from event_perception.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """This process among all."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def average_gradients(self, network: nn.Module) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        joined = torch.cat([g.reshape(-1) for g in gradients])
        torch.distributed.all_reduce(joined)
        joined /= self.count
        for gradient, part in zip(gradients, joined.split([g.numel() for g in gradients])):
            gradient.copy_(part.view_as(gradient))

    def any(self, flag: bool, device: str) -> bool:
        """Whether the flag is set in any process: all must stop at the same step."""
        if self.count == 1:
            return flag
        value = torch.tensor([float(flag)], device=device)
        torch.distributed.all_reduce(value)
        return bool(value.item() > 0)


@contextmanager
def joined_processes(device: str) -> Iterator[tuple[Processes, str]]:
    """The processes that torchrun started, and the device of this one; outside of torchrun, this one alone.

    Raises:
        ConfigError: If a GPU is asked for and there is none.
    """
    if device == 'cuda' and not torch.cuda.is_available():
        raise ConfigError('device=cuda: torch sees no CUDA device; use cpu, or install torch with CUDA')
    count = int(os.environ.get('WORLD_SIZE', '1'))
    if count == 1:
        yield Processes(), device
        return
    if device == 'cuda':
        device = f'cuda:{os.environ.get("LOCAL_RANK", "0")}'
        torch.cuda.set_device(device)
    torch.distributed.init_process_group('nccl' if device.startswith('cuda') else 'gloo')
    try:
        yield Processes(int(os.environ['RANK']), count), device
    finally:
        torch.distributed.destroy_process_group()
