# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Weights that others published as pickled torch files: read as data only, renamed, and checked name by name."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from event_perception.errors import DataError
from event_perception.learning.checkpoints import fill, read

WRAPPERS = ('state_dict', 'model_state_dict', 'model', 'net', 'network', 'params')


def load_foreign_weights(
    path: Path, network: nn.Module, rename: Callable[[str], str] = lambda name: name
) -> None:
    """Fill a network from a user's ``.pth``, ``.pt`` or ``.safetensors`` file.

    Pickled files are read with ``weights_only``: they cannot run code. A prefix ``module.`` (of parallel
    training) and one wrapping dictionary are taken off.

    Args:
        path: The file.
        network: To be filled; every name and shape must fit.
        rename: Name in the file to name in the network.

    Raises:
        DataError: If the file holds other than tensors by name, or does not fit.
    """
    tensors = read(path)[0] if path.suffix == '.safetensors' else _unpickled(path)
    named = {rename(name.removeprefix('module.')): value for name, value in tensors.items()}
    fill(network, named, str(path))


def _unpickled(path: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f'{path}: no such file of weights') from error
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise DataError(
            f'{path} does not hold weights alone ({str(error).splitlines()[0]}); only tensors are read from pickled '
            'files, because anything else could run code'
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise DataError(f'{path} holds no tensors by name; give a state_dict')
    return dict(content)
