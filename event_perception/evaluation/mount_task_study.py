# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Is a mount that the Fisher information chose better at the task? Planar motion of a robot from hard events.

    python -m event_perception.evaluation.mount_task_study -o FOLDER --seeds 0 1 2 3

runs ``design mount`` for a small camera (or resumes it), then drives the robot along the figure of eight in rooms
with a finely textured floor, makes events with the compiled emulator, estimates (vx, vy, yaw rate) of the body with
``PlanarEgomotion`` from events and depth, and compares them with the truth: for the mount at the start, others by
hand, and the designed one, beside what the information model expects of each. Every window is searched from cold;
one that the estimator refuses counts with zero motion.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from scipy.stats import spearmanr

from event_perception.config import update
from event_perception.evaluation.pictures import grey_picture, png_bytes
from event_perception.events import DepthImage, EventArray, EventWindow, concatenate
from event_perception.motion import CameraModel
from event_perception.motion.lie import se3_exp
from event_perception.motion.planar_egomotion import PlanarEgomotion
from event_perception.optics.design.mount import MountDesign
from event_perception.optics.design.run import design_config, run_design
from event_perception.optics.information import Motion, task_variance_loss
from event_perception.optics.mount import Mount, pitched_mount
from event_perception.simulation import rooms
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import dvs_preset
from event_perception.simulation.planes import PlaneScene
from event_perception.simulation.textures import TextureConfig

Matrix = NDArray[np.float64]
WINDOW_S, FRAMES = 0.1, 51  # a pixel from frame to frame at most
TEXEL_M = 0.006
GREYS = 12  # of pictures, for small files
FINER = 3  # rays a pixel, along each side
LOW_M = (-0.35, -0.3, 0.15)  # where the camera may sit: not nearer to the floor than 0.25 m
HIGH_M = 0.5  # of a mast, over the base
FLOOR = TextureConfig(
    contrast=0.4, largest=0.5, smallest=0.012, roughness=0.7, shapes=1.0, shapes_per_unit=60.0, shape_size=0.05
)  # fmt: skip
REACH_PX = 8.0  # of the second model
SENSOR = dvs_preset('clean', input_transfer='log', random_initial_phase=True, shot_noise_rate_hz=0.1)


def designed(folder: Path, steps: int) -> tuple[MountDesign, Mount]:
    """The problem at 128x96, and the mount that the loop ends with."""
    base = design_config('mount')
    changes = {
        'mount.width': 128,
        'mount.height': 96,
        'mount.samples': 12,
        'mount.low_m': LOW_M,
        'loop.steps': steps,
    }
    changes['mount.information.window_s'] = WINDOW_S
    changes['mount.information.stride_px'] = 8
    config = update(base, changes)
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
        parts.append(emulator.push(seen(scene, camera, T), round(t * 1e9)))
    depth = scene.depth(camera, T_world_base @ T_base_camera, 0.0)
    return concatenate(parts), DepthImage(round(WINDOW_S * 5e8), depth)


def seen(scene: PlaneScene, camera: CameraModel, T_world_camera: Matrix) -> Matrix:
    """Log light, each pixel the mean light of its area: the far floor has more texture than pixels."""
    fine = scene.render(camera.scaled(FINER), T_world_camera, 0.0)
    area = np.exp(fine).reshape(camera.height, FINER, camera.width, FINER).mean((1, 3))
    return np.log(area)


def body_motion(
    camera: CameraModel, mount: Mount, events: EventArray, depth: DepthImage
) -> tuple[Matrix, bool]:
    """(vx, vy, yaw rate) of the body from one window, and whether the estimator stands by it."""
    slot = EventWindow.from_events(events, t0_ns=0, t1_ns=round(WINDOW_S * 1e9))
    found = PlanarEgomotion(camera, _pose(mount.rotation, mount.position_m)).estimate(slot, depth)
    return (found.motion if found.converged else np.zeros(3)), found.converged


def scene_of(problem: MountDesign, seed: int) -> PlaneScene:
    """The empty room, its floor finely textured."""
    floor, *others = rooms.walls(problem.config.room_m)  # type: ignore[arg-type]
    return PlaneScene([replace(floor, texture=FLOOR), *others], seed=seed, texel_m=TEXEL_M)


def errors(problem: MountDesign, mount: Mount, seed: int) -> tuple[Matrix, int]:
    """Of all windows of the path (n, 3), and how many were refused."""
    scene = scene_of(problem, seed)
    motion, found, refused = problem.motion, [], 0
    for k in range(len(motion.v_m_s)):
        events, depth = window(scene, problem.camera, mount, motion, k, seed * 1000 + k)
        estimate, stands = body_motion(problem.camera, mount, events, depth)
        refused += not stands
        truth = np.array([*motion.v_m_s[k, :2], motion.omega_rad_s[k, 2]])
        found.append(estimate - truth)
    return np.array(found), refused


def by_hand(problem: MountDesign) -> dict[str, Mount]:
    """The start, and others that a person might choose."""
    ahead = problem.config.start_position_m
    low, high = (ahead[0], ahead[1], ahead[2]), (ahead[0], ahead[1], HIGH_M)
    return {
        'start: forward': problem.begin,
        'by hand: 20 degrees': pitched_mount(math.radians(20), low),
        'by hand: 45 degrees': pitched_mount(math.radians(45), low),
        'by hand: downward': pitched_mount(math.radians(90), low),
        'by hand: downward, high': pitched_mount(math.radians(90), high),
    }


def expected(problem: MountDesign, mount: Mount, scales: Matrix) -> float:
    """The scaled error that the information model expects; only ratios count."""
    prior = torch.full((3,), problem.config.prior_sigma**-2, dtype=torch.float64)
    with torch.no_grad():
        variance = task_variance_loss(problem.information(mount), torch.as_tensor(scales), prior).exp()
    return math.sqrt(float(variance) / 3)


def limited(problem: MountDesign) -> MountDesign:
    """The same problem with an information model that knows blur by motion and the finest detail of the floor."""
    information = replace(
        problem.config.information, reach_px=REACH_PX, detail_m=FLOOR.smallest, roughness=FLOOR.roughness
    )
    return MountDesign(replace(problem.config, information=information))


def views(problem: MountDesign, mounts: list[Mount], seed: int, k: int = 1) -> bytes:
    """PNG: what each mount sees in the middle of a window, and the signed events of the window below."""
    columns, scene = [], scene_of(problem, seed)
    for mount in mounts:
        events, _ = window(scene, problem.camera, mount, problem.motion, k, seed * 1000 + k)
        T = _pose(problem.motion.rotation[k], problem.motion.position_m[k]) @ _pose(
            mount.rotation, mount.position_m
        )
        light = np.exp(seen(scene, problem.camera, T)) / 255
        signed = np.zeros((problem.camera.height, problem.camera.width))
        np.add.at(signed, (events.y, events.x), np.where(events.p > 0, 1.0, -1.0))
        columns.append(np.concatenate([light**0.45, 0.5 + signed / 8]).clip(0, 1))
    picture = np.round(np.concatenate(columns, axis=1) * GREYS) / GREYS
    return png_bytes(grey_picture(picture.repeat(2, 0).repeat(2, 1)))


def table(options: argparse.Namespace) -> str:
    """RMS errors by mount, mean and deviation over seeds, beside what the information model expects."""
    problem, best = designed(options.output / 'mount', options.steps)
    (options.output / 'views.png').write_bytes(views(problem, [problem.begin, best], options.seeds[0]))
    c = problem.config
    scales = np.array([c.scale_vx_m_s, c.scale_vy_m_s, c.scale_wz_rad_s])
    lines = [
        '| mount | pitch, deg | height, m | vx, mm/s | vy, mm/s | yaw rate, mrad/s | scaled error | model | with limits | refused |',
        '|-' * 10 + '|',
    ]
    measured: list[float] = []
    models: list[list[float]] = []
    problems = [problem, limited(problem)]
    for name, mount in (by_hand(problem) | {'designed': best}).items():
        found = [errors(problem, mount, seed) for seed in options.seeds]
        rms = 1e3 * np.sqrt(np.mean([np.mean(e**2, 0) for e, _ in found], 0))
        scaled = [np.sqrt(np.mean((e / scales) ** 2)) for e, _ in found]
        measured.append(np.mean(scaled))
        models.append([expected(p, mount, scales) for p in problems])
        pose = (
            f'{math.degrees(float(mount.pitch_rad)):.0f} | {float(mount.position_m[2]) + c.base_height_m:.2f}'
        )
        spread = f'{measured[-1]:.4f} +- {np.std(scaled, ddof=len(scaled) > 1):.4f}'
        cells = [
            name,
            pose,
            *(f'{r:.1f}' for r in rms),
            spread,
            *(f'{m:.4f}' for m in models[-1]),
            str(sum(r for _, r in found)),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
        (options.output / 'table.md').write_text('\n'.join(lines))
    ranks = [f'{spearmanr(measured, model).statistic:.2f}' for model in zip(*models)]
    lines += [
        '',
        f'Rank correlation of scaled error and model over these mounts: {ranks[0]}, with limits {ranks[1]}.',
    ]
    (options.output / 'table.md').write_text('\n'.join(lines))
    return '\n'.join(lines)


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
