# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated recording as an Event Camera Dataset folder, and its truth as files that ``eval`` reads.

Format: Mueggler et al., "The Event-Camera Dataset and Simulator", IJRR 2017: text files, times in seconds,
polarity 0 or 1, calibration "fx fy cx cy k1 k2 p1 p2 k3", IMU "t ax ay az gx gy gz", poses "t x y z qx qy qz qw".
"""

from pathlib import Path
from typing import TextIO

import numpy as np

from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.io.egomotion_csv import EgomotionCsvWriter
from event_perception.io.seconds import seconds_text
from event_perception.io.trajectory import TumWriter
from event_perception.motion.camera import CameraModel
from event_perception.motion.result import EgomotionResult
from event_perception.simulation.export import ExportConfig, grey_image, instants
from event_perception.simulation.sequence import SimulatedSequence

DAVIS240C = (180, 240)  # rows and columns that readers assume when events.txt does not say
NS = 1_000_000_000


def write_ecd(sequence: SimulatedSequence, folder: Path, config: ExportConfig | None = None) -> int:
    """Write events.txt, calib.txt, imu.txt, images.txt with images, and the truth of ``write_truth``.

    A sensor that is not 180 rows of 240 gets a first line ``width height`` in events.txt.

    Args:
        sequence: What to write.
        folder: A folder that does not exist yet.
        config: Which streams, how often.

    Returns:
        Number of events.

    Raises:
        DataError: If the folder exists, or calib.txt cannot hold the distortion.
    """
    config = config or ExportConfig()
    if folder.exists():
        raise DataError(f'{folder} exists; recordings are never overwritten: give another name')
    calibration = _calibration(sequence.camera)
    folder.mkdir(parents=True)
    (folder / 'calib.txt').write_text(calibration + '\n', encoding='ascii')
    _write_imu(sequence, folder / 'imu.txt', config)
    _write_images(sequence, folder, config)
    write_truth(sequence, folder, config)
    with (folder / 'events.txt').open('x', encoding='ascii') as file:
        if (sequence.camera.height, sequence.camera.width) != DAVIS240C:
            file.write(f'{sequence.camera.width} {sequence.camera.height}\n')
        return sum(_write_events(file, events) for events in sequence.chunks())


def write_truth(sequence: SimulatedSequence, folder: Path, config: ExportConfig | None = None) -> None:
    """Write groundtruth.txt, egomotion.csv and flow/<t_ns>.npz into a folder, as a reference for ``eval``."""
    config = config or ExportConfig()
    folder.mkdir(parents=True, exist_ok=True)
    stamps = instants(sequence, config.pose_rate_hz)
    poses, omegas, velocities = sequence.pose(stamps), sequence.omega(stamps), sequence.v(stamps)
    with TumWriter(folder / 'groundtruth.txt') as trajectory:
        for t, T in zip(stamps, poses):
            trajectory.write(int(t), T)
    with EgomotionCsvWriter(folder / 'egomotion.csv') as table:
        for t, omega, v in zip(stamps, omegas, velocities):
            table.write(_as_result(int(t), omega, v))
    for t in instants(sequence, config.flow_rate_hz):
        flow = sequence.flow(int(t))
        (folder / 'flow').mkdir(exist_ok=True)
        np.savez_compressed(folder / 'flow' / f'{t}.npz', flow_px_s=flow.flow_px_s, valid=flow.valid)


def _as_result(t_ns: int, omega: np.ndarray, v: np.ndarray) -> EgomotionResult:
    """Truth in the form of an estimate without error."""
    return EgomotionResult(
        t_ns, t_ns, t_ns, omega, v, np.zeros((6, 6)), True, 'simulated truth', 0, 0, float('nan')
    )


def _calibration(camera: CameraModel) -> str:
    if camera.distortion_model == 'equidistant' or len(camera.distortion) > 5:
        raise DataError(
            f'calib.txt holds k1 k2 p1 p2 k3 only, not {camera.distortion_model} with '
            f'{len(camera.distortion)} coefficients; write a bag instead'
        )
    coefficients = (*camera.distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    return ' '.join(f'{v:.12g}' for v in (camera.fx, camera.fy, camera.cx, camera.cy, *coefficients))


def _write_events(file: TextIO, events: EventArray) -> int:
    seconds, rest = np.divmod(events.t_ns, NS)
    columns = (seconds, rest, events.x, events.y, events.p > 0)
    lines = (
        f'{s}.{r:09d} {x} {y} {p:d}\n' for s, r, x, y, p in zip(*(column.tolist() for column in columns))
    )
    file.writelines(lines)
    return len(events)


def _write_imu(sequence: SimulatedSequence, path: Path, config: ExportConfig) -> None:
    record = sequence.imu(config.imu)
    with path.open('x', encoding='ascii') as file:
        for t, accel, gyro in zip(record.t_ns, record.accel_m_s2, record.gyro_rad_s):
            values = ' '.join(f'{v:.9g}' for v in (*accel, *gyro))
            file.write(f'{seconds_text(int(t))} {values}\n')


def _write_images(sequence: SimulatedSequence, folder: Path, config: ExportConfig) -> None:
    import cv2

    stamps = instants(sequence, config.image_rate_hz)
    if not stamps.size:
        return
    (folder / 'images').mkdir()
    with (folder / 'images.txt').open('x', encoding='ascii') as index:
        for k, t in enumerate(stamps):
            name = f'images/frame_{k:08d}.png'
            if not cv2.imwrite(str(folder / name), grey_image(sequence, int(t))):
                raise DataError(f'{folder / name} could not be written')
            index.write(f'{seconds_text(int(t))} {name}\n')
