# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a design: configuration, history of the steps, checkpoint, result, report."""

import csv
import json
from pathlib import Path
from typing import Any

import yaml

from event_perception.config import flat_to_nested, flatten
from event_perception.errors import DataError
from event_perception.runs.folder import environment, finite

STEPS = 'loop.steps'  # the one setting that may change when a design is resumed


class DesignFolder:
    """Writes what a design leaves behind.

    Args:
        path: A new folder, or one that holds the same design, which is then resumed.
        name: Which design.
        config: Everything it was configured with, loop included.

    Raises:
        DataError: If the folder holds something else.
    """

    def __init__(self, path: Path, name: str, config: Any) -> None:
        self.path = path
        self.checkpoint = path / 'checkpoint.safetensors'
        described = {'design': name} | flatten(config)
        if self.checkpoint.exists():
            self._same(described)
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise DataError(f'{path} is not empty and holds no checkpoint of a design; give a new folder')
        path.mkdir(parents=True, exist_ok=True)
        (path / 'config.yaml').write_text(yaml.safe_dump(flat_to_nested(described), sort_keys=False))
        (path / 'environment.json').write_text(json.dumps(environment(), indent=2))

    def add(self, row: dict[str, float]) -> None:
        """Add a row to ``history.csv``."""
        file = self.path / 'history.csv'
        new = not file.exists()
        with file.open('a', newline='') as lines:
            writer = csv.DictWriter(lines, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)

    def history(self) -> dict[str, list[float]]:
        """Columns of ``history.csv``."""
        file = self.path / 'history.csv'
        if not file.exists():
            return {}
        with file.open(newline='') as lines:
            rows = list(csv.DictReader(lines))
        return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else [])}

    def forget_from(self, step: int) -> None:
        """Drop rows of steps that the checkpoint does not know."""
        file = self.path / 'history.csv'
        if file.exists():
            header, *rows = file.read_text().splitlines(keepends=True)
            file.write_text(header + ''.join(row for row in rows if int(row.partition(',')[0]) < step))

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write ``metrics.json``."""
        (self.path / 'metrics.json').write_text(json.dumps(finite(metrics), indent=2))

    def _same(self, described: dict[str, Any]) -> None:
        before = yaml.safe_load((self.path / 'config.yaml').read_text())
        now = yaml.safe_load(yaml.safe_dump(flat_to_nested(described)))
        for tree in (before, now):
            tree['loop'].pop(STEPS.partition('.')[2])
        if before != now:
            raise DataError(
                f'{self.path} holds a design with another configuration; only {STEPS} may change when it is resumed: '
                'give a new folder'
            )
