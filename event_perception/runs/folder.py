# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The folder that a run leaves behind: one file a stage, what it was run with, and how it went.

The command line and the recorder of the demo write the same folder, so that `eval` and the report read both.
"""

import json
import platform
import sys
from functools import singledispatchmethod
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

import event_perception
from event_perception.config import flat_to_nested, flatten
from event_perception.errors import DataError
from event_perception.flow.field import FlowField
from event_perception.images.frame import ReconstructedImage
from event_perception.io.egomotion_csv import EgomotionCsvWriter
from event_perception.io.odometry_csv import OdometryCsvWriter
from event_perception.io.trajectory import TumWriter
from event_perception.motion.result import EgomotionResult
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.pipeline import Output, WarpedEvents
from event_perception.pipeline_config import PipelineConfig
from event_perception.runs.stopwatch import Stopwatch

LIBRARIES = ('numpy', 'scipy', 'numba', 'opencv-python-headless', 'torch', 'rosbags', 'ros-rclpy')


class RunFolder:
    """Writes outputs as they come.

    Args:
        path: A folder that does not exist yet or is empty: results are never overwritten.
        config: What the run was configured with; goes into ``config.yaml``.

    Raises:
        DataError: If the folder holds anything.
    """

    def __init__(self, path: Path, config: PipelineConfig) -> None:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise DataError(f'{path} is not empty; results are never overwritten: give a new folder')
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._save_float = config.images.save_float
        self._egomotion: EgomotionCsvWriter | None = None
        self._trajectory: TumWriter | None = None
        self._odometry: OdometryCsvWriter | None = None
        (path / 'config.yaml').write_text(yaml.safe_dump(flat_to_nested(flatten(config)), sort_keys=False))
        (path / 'environment.json').write_text(json.dumps(environment(), indent=2))

    def __enter__(self) -> 'RunFolder':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in (self._egomotion, self._trajectory, self._odometry):
            if writer is not None:
                writer.close()

    @singledispatchmethod
    def write(self, output: Output, stopwatch: Stopwatch | None = None) -> None:
        """Add one output to its file; the stopwatch knows how long it took.

        Raises:
            DataError: If there is no file for such an output.
        """
        raise DataError(f'no file for a {type(output).__name__}')

    @write.register
    def _(self, output: EgomotionResult, stopwatch: Stopwatch | None = None) -> None:
        if self._egomotion is None:
            self._egomotion = EgomotionCsvWriter(self.path / 'egomotion.csv')
        solve_ms = float('nan') if stopwatch is None else stopwatch.take_ms('egomotion', output.t_ref_ns)
        self._egomotion.write(output, solve_ms)

    @write.register
    def _(self, output: OdometryEstimate, stopwatch: Stopwatch | None = None) -> None:
        if self._trajectory is None or self._odometry is None:
            self._trajectory = TumWriter(self.path / 'trajectory.tum')
            self._odometry = OdometryCsvWriter(self.path / 'odometry.csv')
        self._trajectory.write(output.t_ns, output.T_odom_camera)
        self._odometry.write(output.t_ns, output.status, output.correction_rad, output.pose_covariance)

    @write.register
    def _(self, output: FlowField, stopwatch: Stopwatch | None = None) -> None:
        file = self._folder('flow') / f'{output.t_ref_ns}.npz'
        np.savez(file, flow_px_s=output.flow_px_s, valid=output.valid)

    @write.register
    def _(self, output: ReconstructedImage, stopwatch: Stopwatch | None = None) -> None:
        self.write_picture('images', output.t_ns, np.rint(output.value * 255).astype(np.uint8))
        if self._save_float:
            np.save(self._folder('images') / f'{output.t_ns}.npy', output.value)

    @write.register
    def _(self, output: WarpedEvents, stopwatch: Stopwatch | None = None) -> None:
        file = self._folder('warped') / f'{output.t_ns}.npz'
        np.savez_compressed(file, unwarped=output.unwarped, warped=output.warped)

    def write_picture(self, name: str, t_ns: int, pixels: NDArray[np.uint8]) -> None:
        """Add a picture (H, W) or (H, W, 3) BGR to the folder ``name``."""
        cv2.imwrite(str(self._folder(name) / f'{t_ns}.png'), pixels)

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write ``metrics.json``; values that are not finite become null."""
        (self.path / 'metrics.json').write_text(json.dumps(finite(metrics), indent=2))

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder


def finite(value: Any) -> Any:
    """The same tree with what JSON cannot hold (nan, infinities, numpy numbers) made plain."""
    if isinstance(value, dict):
        return {str(key): finite(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(element) for element in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def environment() -> dict[str, Any]:
    """What a result may depend on: versions and machine."""
    return {
        'event_perception': event_perception.__version__,
        'python': sys.version.split()[0],
        'platform': platform.platform(),
        'libraries': {name: _version(name) for name in LIBRARIES},
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
