# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Forward, downward and pitched cameras: what each tells of the planar motion of a robot.

``python -m event_perception.evaluation.mount_study [-o FOLDER]`` prints the table of docs/optics.md and, with a
folder, draws the errors over the pitch.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

from event_perception.evaluation.plots import Series, line_plot
from event_perception.motion.camera import CameraModel
from event_perception.optics.information import (
    InformationConfig,
    floor_and_wall,
    standard_deviations,
    still_pose,
    twist_information,
)
from event_perception.optics.mount import pitched_mount

PLANAR = ('vx', 'vy', 'wz')
DROP_M = 0.5
CONFIG = InformationConfig(directions=8, stride_px=4, speed_limit_px_s=0.0)
MOUNTS = {
    'forward, wall at 3 m': (0.0, 3.0),
    'forward, wall at 10 m': (0.0, 10.0),
    'pitched 45 degrees': (45.0, 3.0),
    'downward': (90.0, 3.0),
}


def planar_errors(pitch_deg: float, wall_m: float, config: InformationConfig = CONFIG) -> dict[str, float]:
    """Bounds on the errors of vx, vy (mm/s) and yaw rate (mrad/s), and the correlation of the last two.

    A camera of 346x260 pixels and 60 degrees, 0.5 m over the floor, the robot at 1 m/s and 0.3 rad/s.
    """
    fx = 173 / math.tan(math.radians(30))
    camera = CameraModel(fx=fx, fy=fx, cx=172.5, cy=129.5, height=260, width=346)
    information = twist_information(
        pitched_mount(math.radians(pitch_deg)),
        camera,
        floor_and_wall(DROP_M, wall_m),
        still_pose((1.0, 0.0, 0.0), (0.0, 0.0, 0.3)),
        config,
        components=PLANAR,
    )
    sigma = standard_deviations(information)[0]
    covariance = torch.linalg.inv(information)[0]
    found = {name: 1e3 * float(s) for name, s in zip(PLANAR, sigma)}
    return found | {'correlation vy wz': float(covariance[1, 2] / (sigma[1] * sigma[2]))}


def mount_table() -> dict[str, dict[str, float]]:
    """The four mounts of the table."""
    return {name: planar_errors(*case) for name, case in MOUNTS.items()}


def pitch_picture(wall_m: float = 3.0) -> str:
    """Errors over the pitch, as SVG."""
    pitches = np.arange(0.0, 91.0, 5.0)
    config = InformationConfig(directions=8, stride_px=8, speed_limit_px_s=0.0)
    rows = [planar_errors(float(p), wall_m, config) for p in pitches]
    curves = [Series(name, pitches, [row[name] for row in rows]) for name in PLANAR]
    title = f'Camera {DROP_M} m over the floor, wall at {wall_m:g} m'
    return line_plot(curves, title=title, x_label='pitch below the horizon, degrees', y_label='mm/s, mrad/s')


def main(arguments: list[str] | None = None) -> str:
    """The table as JSON; with a folder, the picture as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-o', '--output', type=Path, metavar='FOLDER')
    options = parser.parse_args(arguments)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / 'mount_pitch.svg').write_text(pitch_picture())
    return json.dumps(mount_table(), indent=2)


if __name__ == '__main__':
    sys.stdout.write(main() + '\n')
