# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Is a mount that the Fisher information chose better at the task? Planar motion of a robot from hard events.

    python -m event_perception.evaluation.mount_task_study -o FOLDER --seeds 0 1 2 3

runs ``design mount`` for a small camera (or resumes it), then drives the robot along the figure of eight in rooms
with other textures, makes events with the compiled emulator, estimates the camera motion from events and depth with
``EgomotionEstimator``, and compares (vx, vy, yaw rate) of the body with the truth, for the mount at the start, two
others by hand, and the designed one. Windows that the estimator refuses count with zero motion.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from event_perception.config import update
from event_perception.events import DepthImage, EventArray, EventWindow, TwistPrior, concatenate
from event_perception.motion import CameraModel, EgomotionConfig, EgomotionEstimator
from event_perception.motion.lie import se3_exp
from event_perception.optics.design.mount import MountDesign
from event_perception.optics.design.run import design_config, run_design
from event_perception.optics.information import Motion
from event_perception.optics.mount import Mount, pitched_mount
from event_perception.simulation import rooms
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import dvs_preset
from event_perception.simulation.planes import PlaneScene

Matrix = NDArray[np.float64]
WINDOW_S, FRAMES = 0.05, 26
BINS_PX = (4.0, 2.0, 1.5, 1.0)  # coarse to fine, for 128x96 pixels
PRIOR = (1.5, 0.3, 0.02, 0.02, 0.02, 0.9)  # m/s and rad/s of the body; that of the design where it moves
SENSOR = dvs_preset('clean', input_transfer='log', random_initial_phase=True, shot_noise_rate_hz=0.1)


def designed(folder: Path, steps: int) -> tuple[MountDesign, Mount]:
    """The problem at 128x96, and the mount that the loop ends with."""
    base = design_config('mount')
    config = update(base, {'mount.width': 128, 'mount.height': 96, 'mount.samples': 12, 'loop.steps': steps})
    run_design('mount', folder, config)
    problem = MountDesign(config.mount)
    return problem, problem.mount(load_file(folder / 'result.safetensors'))


def window(
    scene: PlaneScene, camera: CameraModel, mount: Mount, motion: Motion, k: int, seed: int
) -> tuple[EventArray, DepthImage]:
    """Hard events of one window of constant body twist, and depth at its middle."""
    twist = np.concatenate([motion.v_m_s[k].numpy(), motion.omega_rad_s[k].numpy()])
    T_world_base, T_base_camera = (
        _pose(R, p)
        for R, p in ((motion.rotation[k], motion.position_m[k]), (mount.rotation, mount.position_m))
    )
    emulator = DvsEmulator(height=camera.height, width=camera.width, config=replace(SENSOR, seed=seed))
    parts = []
    for t in np.linspace(0.0, WINDOW_S, FRAMES):
        T = T_world_base @ se3_exp((t - WINDOW_S / 2) * twist) @ T_base_camera
        parts.append(emulator.push(scene.render(camera, T, 0.0), round(t * 1e9)))
    depth = scene.depth(camera, T_world_base @ T_base_camera, 0.0)
    return concatenate(parts), DepthImage(round(WINDOW_S * 5e8), depth)


def body_motion(
    camera: CameraModel, mount: Mount, events: EventArray, depth: DepthImage
) -> tuple[Matrix, bool]:
    """(vx, vy, yaw rate) of the body from one window, with a planar prior, and whether the estimator stands by it."""
    slot = EventWindow.from_events(events, t0_ns=0, t1_ns=round(WINDOW_S * 1e9))
    rigid = replace(EgomotionConfig().rigid, bin_sizes_px=BINS_PX)
    estimator = EgomotionEstimator(camera, replace(EgomotionConfig(), rigid=rigid))
    result = estimator.update(slot, _on_the_floor(mount), depth)
    if not (result.converged and np.isfinite(result.v).all() and np.isfinite(result.omega).all()):
        return np.zeros(3), False
    R, p = mount.rotation.numpy(), mount.position_m.numpy()
    omega = R @ result.omega
    v = R @ result.v - np.cross(omega, p)
    return np.array([v[0], v[1], omega[2]]), True


def errors(problem: MountDesign, mount: Mount, seed: int) -> tuple[Matrix, int]:
    """Of all windows of the path (n, 3), and how many were refused."""
    scene = PlaneScene(rooms.walls(problem.config.room_m), seed=seed, texel_m=0.01)  # type: ignore[arg-type]
    motion, found, refused = problem.motion, [], 0
    for k in range(len(motion.v_m_s)):
        events, depth = window(scene, problem.camera, mount, motion, k, seed * 1000 + k)
        estimate, stands = body_motion(problem.camera, mount, events, depth)
        refused += not stands
        truth = np.array([*motion.v_m_s[k, :2], motion.omega_rad_s[k, 2]])
        found.append(estimate - truth)
    return np.array(found), refused


def table(options: argparse.Namespace) -> str:
    """RMS errors by mount, mean and deviation over seeds."""
    problem, best = designed(options.output / 'mount', options.steps)
    c = problem.config
    scales = np.array([c.scale_vx_m_s, c.scale_vy_m_s, c.scale_wz_rad_s])
    x, y, z = c.start_position_m
    mounts = {
        'start: forward': problem.begin,
        'by hand: 45 degrees': pitched_mount(math.radians(45), (x, y, z)),
    }
    mounts |= {'by hand: downward': pitched_mount(math.radians(90), (x, y, z)), 'designed': best}
    lines = [
        '| mount | pitch, deg | vx, mm/s | vy, mm/s | yaw rate, mrad/s | scaled error | refused |',
        '|-' * 7 + '|',
    ]
    for name, mount in mounts.items():
        found = [errors(problem, mount, seed) for seed in options.seeds]
        rms = 1e3 * np.sqrt(np.mean([np.mean(e**2, 0) for e, _ in found], 0))
        scaled = [np.sqrt(np.mean((e / scales) ** 2)) for e, _ in found]
        spread = f'{np.mean(scaled):.4f} +- {np.std(scaled, ddof=len(scaled) > 1):.4f}'
        pitch = math.degrees(float(mount.pitch_rad))
        lines.append(
            f'| {name} | {pitch:.0f} | {" | ".join(f"{r:.1f}" for r in rms)} | {spread} | {sum(r for _, r in found)} |'
        )
        (options.output / 'table.md').write_text('\n'.join(lines))
    return '\n'.join(lines)


def _on_the_floor(mount: Mount) -> TwistPrior:
    """What is known without events: a wheeled robot moves in its plane, no faster than ``PRIOR`` says."""
    to_camera = mount.twist_matrix().detach().numpy()
    covariance = to_camera @ np.diag(np.square(PRIOR)) @ to_camera.T
    return TwistPrior(round(WINDOW_S * 5e8), np.zeros(3), np.zeros(3), covariance)


def _pose(R: torch.Tensor, p: torch.Tensor) -> Matrix:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R.detach().numpy(), p.detach().numpy()
    return T


def main(arguments: list[str] | None = None) -> str:
    """The table, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('-o', '--output', type=Path, default=Path('mount_task'), help='folder of the design')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2, 3])
    parser.add_argument('--steps', type=int, default=150, help='of the design')
    return table(parser.parse_args(arguments))


if __name__ == '__main__':
    torch.set_num_threads(1)
    print(main())  # noqa: T201
