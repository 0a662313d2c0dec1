# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where the files that come with the package are: recordings inside it, configuration beside it or in share/."""

import os
import sys
from pathlib import Path

import event_perception
from event_perception.errors import DataError

PACKAGE = Path(event_perception.__file__).resolve().parent


def recording(name: str) -> Path:
    """A bundled recording."""
    return PACKAGE / 'recordings' / name


def shared_file(name: str) -> Path:
    """A file such as ``config/davis346.yaml``: of the source tree, else of the ROS or Python prefix.

    Raises:
        DataError: If it is nowhere.
    """
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    folders = [PACKAGE.parent, *(Path(p) / 'share' / PACKAGE.name for p in prefixes if p)]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f'{name} is not installed; looked in {", ".join(map(str, folders))}')
