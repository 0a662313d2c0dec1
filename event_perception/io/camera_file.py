# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Camera calibration from files: ROS camera_info YAML, and ``calib.txt`` of the Event Camera Dataset."""

from pathlib import Path
from typing import Any

from event_perception.errors import CalibrationError
from event_perception.io.messages import camera_from_values
from event_perception.motion.camera import CameraModel

CALIB_LENGTHS = (4, 8, 9)


def read_camera(path: Path | str, *, height: int | None = None, width: int | None = None) -> CameraModel:
    """Read a calibration; the format is recognised from the content.

    Args:
        path: A YAML file as camera_calibration writes it (image_width, image_height, camera_matrix,
            distortion_model, distortion_coefficients), or a text of ``fx fy cx cy [k1 k2 p1 p2 [k3]]``.
        height: Sensor rows, for the text, which does not say.
        width: Sensor columns, for the text.

    Raises:
        CalibrationError: If the file cannot be read, is of neither format, or lacks a size.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f'{path}: calibration cannot be read: {error}') from error
    numbers = _numbers(text)
    if numbers is not None:
        return _from_numbers(path, numbers, height, width)
    return _from_yaml(path, text)


def _numbers(text: str) -> list[float] | None:
    """The numbers of a text that holds nothing else."""
    try:
        return [float(word) for word in text.replace(',', ' ').split()] or None
    except ValueError:
        return None


def _from_numbers(path: Path, numbers: list[float], height: int | None, width: int | None) -> CameraModel:
    if len(numbers) not in CALIB_LENGTHS:
        raise CalibrationError(
            f'{path}: {len(numbers)} numbers; expected "fx fy cx cy", with "k1 k2 p1 p2" or "k1 k2 p1 p2 k3" behind'
        )
    if not height or not width:
        raise CalibrationError(
            f'{path} does not say the size of the sensor: give the ROS camera_info YAML, or height and width'
        )
    fx, fy, cx, cy, *distortion = numbers
    matrix = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    return camera_from_values(matrix, 'plumb_bob', distortion, height=height, width=width)


def _from_yaml(path: Path, text: str) -> CameraModel:
    import yaml

    try:
        tree = yaml.safe_load(text)
        size = int(tree['image_height']), int(tree['image_width'])
        matrix = _data(tree['camera_matrix'])
        model = str(tree.get('distortion_model', 'none'))
        coefficients = _data(tree.get('distortion_coefficients', []))
        frame_id = str(tree.get('frame_id', ''))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CalibrationError(
            f'{path}: not a camera_info YAML (image_height, image_width, camera_matrix.data, distortion_model, '
            f'distortion_coefficients.data): {error!r}'
        ) from error
    try:
        return camera_from_values(
            matrix, model, coefficients, height=size[0], width=size[1], frame_id=frame_id
        )
    except (CalibrationError, ValueError) as error:
        raise CalibrationError(f'{path}: {error}') from error


def _data(matrix: Any) -> list[float]:
    """Values of a matrix, with or without the rows and cols around them."""
    values = matrix['data'] if isinstance(matrix, dict) else matrix
    return [float(value) for value in values]
