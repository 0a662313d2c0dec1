# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a training: its plan, its curve as table and picture, validation pictures, checkpoint, weights."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np

from event_perception.config import flatten
from event_perception.errors import DataError
from event_perception.evaluation.plots import Series, line_plot
from event_perception.learning.plan import TrainingPlan
from event_perception.learning.task import Validation
from event_perception.runs.folder import environment

CURVE = ('step', 'loss', 'learning_rate', 'gradient_norm', 'seconds')


class TrainingFolder:
    """Writes what a training leaves behind.

    Args:
        path: The folder.

    Attributes:
        checkpoint: File of all that is needed to go on.
        weights: File of the network alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / 'checkpoint.safetensors'
        self.weights = path / 'weights.safetensors'

    def create(self, plan: TrainingPlan) -> None:
        """Begin a new folder.

        Raises:
            DataError: If it holds anything.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise DataError(
                f'{self.path} is not empty; give a new folder, or --resume to go on with this one'
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self.describe(plan)

    def describe(self, plan: TrainingPlan) -> None:
        """Write what is trained how, and on what."""
        (self.path / 'config.yaml').write_text(plan.to_yaml())
        (self.path / 'environment.json').write_text(json.dumps(environment(), indent=2))

    def forget_after(self, step: int) -> None:
        """Drop rows of the tables that were written after the checkpoint."""
        for name in ('curve.csv', 'validation.csv'):
            rows = self._rows(name)
            if rows:
                self._write(name, tuple(rows[0]), [tuple(r.values()) for r in rows if int(r['step']) <= step])

    def add_to_curve(self, row: tuple[float, ...]) -> None:
        """Add a row of ``CURVE``."""
        self._append('curve.csv', CURVE, row)

    def add_validation(self, step: int, validation: Validation) -> None:
        """Add the numbers of a validation, and write its pictures."""
        self._append('validation.csv', ('step', *validation.metrics), (step, *validation.metrics.values()))
        for name, image in validation.images.items():
            folder = self.path / 'validation'
            folder.mkdir(exist_ok=True)
            pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
            cv2.imwrite(str(folder / f'{step:07d}_{name}.png'), pixels)

    def draw(self) -> None:
        """Draw both tables over the steps."""
        pictures = [self._plot('curve.csv', ('loss',), 'loss')]
        names = tuple(self._rows('validation.csv')[:1][0])[1:] if self._rows('validation.csv') else ()
        pictures += [self._plot('validation.csv', (name,), name) for name in names]
        for name, picture in zip(('curve', *(f'validation_{n}' for n in names)), pictures):
            (self.path / f'{name}.svg').write_text(picture)

    def _plot(self, file: str, columns: tuple[str, ...], label: str) -> str:
        rows = self._rows(file)
        steps = [float(row['step']) for row in rows]
        series = [Series(name, steps, [float(row[name]) for row in rows]) for name in columns]
        return line_plot(series, title=self.path.name, x_label='steps', y_label=label)

    def _rows(self, name: str) -> list[dict[str, str]]:
        file = self.path / name
        if not file.exists():
            return []
        with file.open(newline='') as lines:
            return list(csv.DictReader(lines))

    def _append(self, name: str, columns: tuple[str, ...], row: tuple[float, ...]) -> None:
        file = self.path / name
        new = not file.exists()
        with file.open('a', newline='') as lines:
            writer = csv.writer(lines)
            writer.writerows([columns, row] if new else [row])

    def _write(self, name: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        with (self.path / name).open('w', newline='') as lines:
            csv.writer(lines).writerows([columns, *rows])


def description(plan: TrainingPlan) -> dict[str, object]:
    """What goes into the metadata of weights: the task and its parameters, enough to build the network again."""
    return {'task': plan.name, 'config': flatten(plan.task.config), 'seed': plan.training.seed}
