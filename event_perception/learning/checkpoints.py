# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Weights and the state of a training on disk, as safetensors: arrays by name and text, no code.

``weights.safetensors`` holds a network alone, in its metadata what it is; ``checkpoint.safetensors`` holds
everything that a training needs to go on as if it had not stopped: weights, moments of the optimiser and the
number of steps done. Randomness needs no state, as it is a function of seed and step. Files are replaced whole, so
that one that is there is complete.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from event_perception.errors import DataError

NETWORK, OPTIMISER = 'network.', 'optimiser.'


def save_weights(path: Path, network: nn.Module, description: Mapping[str, Any]) -> None:
    """Write the weights of a network, and what it is, as JSON values."""
    _write(path, dict(network.state_dict()), description)


def load_weights(path: Path, network: nn.Module) -> dict[str, Any]:
    """Fill a network from a file of weights, on the device where the network is.

    Returns:
        The description that was written with them.

    Raises:
        DataError: If the file is not readable, or a name or shape differs from those of the network.
    """
    tensors, description = read(path)
    fill(network, tensors, str(path))
    return description


def fill(network: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy tensors into a network; every name and every shape must be the network's.

    Raises:
        DataError: If one is missing, unknown or of another shape; the network is unchanged then.
    """
    wanted = network.state_dict()
    missing, unknown = sorted(set(wanted) - set(tensors)), sorted(set(tensors) - set(wanted))
    if missing or unknown:
        raise DataError(
            f'{source} does not fit {type(network).__name__}: missing {_some(missing)}, unknown {_some(unknown)}; '
            'give weights of this very network'
        )
    for name, value in tensors.items():
        if value.shape != wanted[name].shape:
            raise DataError(
                f'{source}: {name} has shape {tuple(value.shape)}, the network {tuple(wanted[name].shape)}; give '
                'weights of this very network'
            )
    network.load_state_dict(dict(tensors))


def save_checkpoint(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    description: Mapping[str, Any],
) -> None:
    """Write all that a training needs to go on after ``step`` steps."""
    tensors = {NETWORK + name: value for name, value in network.state_dict().items()}
    for i, state in optimiser.state_dict()['state'].items():
        tensors |= {f'{OPTIMISER}{i}.{key}': torch.as_tensor(value) for key, value in state.items()}
    _write(path, tensors, {**description, 'step': step})


def load_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Take up a training where it stopped.

    Returns:
        Number of steps done.

    Raises:
        DataError: If the file is not readable or belongs to another network.
    """
    tensors, description = read(path)
    weights = {n.removeprefix(NETWORK): t for n, t in tensors.items() if n.startswith(NETWORK)}
    fill(network, weights, str(path))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(OPTIMISER):
            index, key = name.removeprefix(OPTIMISER).split('.', 1)
            state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({'state': state, 'param_groups': optimiser.state_dict()['param_groups']})
    return int(description['step'])


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors of a file, on the CPU, and its description.

    Raises:
        DataError: If it is not a file of safetensors.
    """
    try:
        with safe_open(path, framework='pt') as file:
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
            metadata = file.metadata() or {}
    except FileNotFoundError as error:
        raise DataError(f'{path}: no such file of weights') from error
    except (SafetensorError, OSError) as error:
        raise DataError(f'{path} is not a complete safetensors file: {error}') from error
    return tensors, {name: json.loads(text) for name, text in metadata.items() if name != 'format'}


def _write(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    temporary = path.with_name(path.name + '.part')
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(plain, temporary, {name: json.dumps(value) for name, value in description.items()})
    temporary.replace(path)


def _some(names: list[str]) -> str:
    return (
        ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '') if names else 'none'
    )
