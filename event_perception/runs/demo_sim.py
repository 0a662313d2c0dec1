# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The demo without hardware: a simulated robot, its camera turned into an event camera, perception, and the truth.

Five processes on a domain of their own, all on simulated time: stand-in for Isaac Sim -> simulator -> perception,
and two recorders, one of what perception says and one of what is true.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from event_perception.errors import DataError, EventPerceptionError
from event_perception.evaluation import pictures, plots
from event_perception.flow.field import FlowField
from event_perception.io import read_trajectory
from event_perception.io.trajectory import Trajectory
from event_perception.runs import simulated_truth
from event_perception.runs.demo import Say, require_ros
from event_perception.runs.processes import Nodes, cpu_time_s
from event_perception.runs.reference import seconds
from event_perception.runs.report import Figure, write_report
from event_perception.simulation.stand_in import TURNING, StandIn

DURATION_S = 10.0
SEED = 0
START_TIMEOUT_S = 180.0  # a first start compiles every kernel
STAND_IN = {
    'scene': TURNING,
    'seed': SEED,
    'settle_s': 2.0,  # odometry, depth and calibration have more than one listener each, and all must see us
    'linger_s': 1.0,
}
SIMULATOR = {
    'use_sim_time': True,
    'image_topic': '/rgb',
    'depth_topic': '/depth',
    'odom_topic': '/odom',
    'reliable': True,
    'queue_frames': 30,
    'wait_frames': 6,
    'dvs.threshold_on': 0.3,
    'dvs.threshold_off': 0.3,
}
PERCEPTION = {'use_sim_time': True, 'images.period_s': 0.05, 'flow.period_s': 0.1, 'inbox.max_lag_s': 1.0}
RECORDER = {'pictures': '[flow, image]', 'picture_period_s': 0.1}
NOTE = (
    'A camera that turns on the spot in a furnished room, shown at 60 Hz by a stand-in with the topics of Isaac Sim; a '
    'simulator node makes events of it (re-projected in between by depth and odometry), a perception node sees only '
    'those. Separate processes, simulated time, ROS 2 (Fast DDS). Angles and flow are against exact truth.'
)
NODES = ('simulator_node', 'perception_node', 'recorder_node', 'sim_truth_node')


def run_demo_sim(
    directory: Path, *, say: Say, duration_s: float = DURATION_S, rate: float = 1.0
) -> dict[str, Any]:
    """Simulate, perceive, and write a report that compares with the truth.

    Args:
        directory: A new or empty folder.
        say: Told what happens, a line at a time.
        duration_s: Length of the simulation.
        rate: Speed against the wall clock.

    Returns:
        The table of the report.

    Raises:
        EventPerceptionError: If ROS 2 is not there or a process fails.
        DataError: If the folder is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise DataError(f'{directory} is not empty; remove it or give another folder with -o')
    require_ros()
    logs, cpu_s = _through_ros(directory, say, duration_s, rate)
    table = _table(directory, logs, cpu_s)
    lead = (*_motion_figures(directory), *_flow_figures(directory), *_image_figures(directory, duration_s))
    write_report(directory, title='event_perception: simulation demo', note=NOTE, extra=table, lead=lead)
    return table


def _through_ros(
    directory: Path, say: Say, duration_s: float, rate: float
) -> tuple[dict[str, str], dict[str, float | None]]:
    """Run all processes; returns their logs, and the CPU time of those that work while the simulation runs."""
    with Nodes() as nodes:
        say('starting perception and simulator (a first start compiles: up to two minutes)')
        nodes.start('perception_node', PERCEPTION)
        nodes.wait_for('perception_node', lambda log: 'ready' in log, START_TIMEOUT_S, 'become ready')
        nodes.start('simulator_node', SIMULATOR)
        nodes.wait_for('simulator_node', lambda log: 'ready' in log, START_TIMEOUT_S, 'become ready')
        nodes.start('recorder_node', {'directory': directory} | RECORDER)
        nodes.wait_for('recorder_node', lambda log: 'recording' in log, START_TIMEOUT_S, 'begun to record')
        nodes.start('sim_truth_node', {'directory': directory / 'truth'})
        nodes.wait_for('sim_truth_node', lambda log: 'recording' in log, START_TIMEOUT_S, 'begun to record')
        before = {name: cpu_time_s(nodes.pid(name)) for name in NODES}
        say(f'simulating {duration_s:g} s' + (' in real time' if rate == 1 else f' at {rate:g} of real time'))
        stand_in = STAND_IN | {'duration_s': duration_s, 'rate': rate}
        nodes.start('sim_camera_node', stand_in)
        deadline_s = START_TIMEOUT_S + 10 * duration_s / rate
        nodes.wait_for('sim_camera_node', lambda log: 'simulated:' in log, deadline_s, 'finished')
        after = {name: cpu_time_s(nodes.pid(name)) for name in NODES}
        nodes.wait_for('recorder_node', lambda log: 'quiet' in log, START_TIMEOUT_S, 'seen everything')
        for name in NODES:
            if nodes.stop(name) != 0:
                raise EventPerceptionError(f'{name} failed:\n{nodes.log(name)}')
        logs = {name: nodes.log(name) for name in ('sim_camera_node', 'simulator_node')}
    used = {name: _difference(after[name], before[name]) for name in before}
    return logs, used


def _table(directory: Path, logs: dict[str, str], cpu_s: dict[str, float | None]) -> dict[str, Any]:
    truth = directory / 'truth'
    metrics = json.loads((directory / 'metrics.json').read_text())
    perception, seen = metrics['perception'], metrics['seen']
    pace = stand_in_summary(logs['sim_camera_node'])
    emulated = counts_of(logs['simulator_node'])
    _, _, rate = simulated_truth.angular_velocity(directory, truth)
    flow = simulated_truth.flow(simulated_truth.flow_pairs(directory, truth))
    turned = simulated_truth.orientation(directory, truth)
    simulated_s = pace['simulated_s']
    return {
        'egomotion against truth': {
            'RMS, deg/s': rate['rms_deg_s'],
            'per axis, deg/s': rate['rms_deg_s_per_axis'],
            'median error, deg/s': rate['median_error_deg_s'],
            'true RMS, deg/s': rate['reference_rms_deg_s'],
            'twists compared': rate['twists compared'],
        },
        'flow against truth': {
            'end point error, px/s': flow.get('epe_px_s'),
            'end point error over 100 ms, px': flow.get('epe_px'),
            'true speed, px/s': flow.get('true_speed_px_s'),
            'fields compared': flow['fields compared'],
        },
        'orientation against truth': {
            'RMS, deg': turned['orientation_rmse_deg'],
            'at the end, deg': turned['orientation_end_deg'],
            'drift over 1 s, deg': turned['rpe_rmse_deg'],
        },
        'pace': {
            'real-time factor of the simulation': pace['real_time_factor'],
            'frames shown': pace['frames'],
            'frames emulated': emulated.get('frames emulated', 0),
            'events, Mev/s': emulated.get('events', 0) / simulated_s * 1e-6,
            'views a frame': emulated.get('views', 0) / max(emulated.get('frames emulated', 0), 1),
        },
        'CPU, share of one core': {
            'sim_camera_node': pace['cpu_s'] / pace['wall_s'],
        }
        | {name: None if used is None else used / pace['wall_s'] for name, used in cpu_s.items()}
        | {'all together': _sum(pace['cpu_s'], *cpu_s.values(), over_s=pace['wall_s'])},
        'lost': {
            'frames that never came to the simulator': pace['frames'] - emulated.get('images', 0),
            'frames dropped by the simulator': emulated.get('frames dropped', 0),
            'frames without depth': emulated.get('without_depth', 0),
            'frames without odometry': emulated.get('without_pose', 0),
            'packets lost on the way': int(perception['packets lost']),
            'events dropped by perception': int(perception['events dropped']),
        },
        'perception': {
            'events received': int(perception['events received']),
            'windows': int(perception['windows']),
            'converged, %': float(perception['converged (%)']),
            'latency of twist p95, ms': float(perception['latency of twist p95 (ms)']),
        },
        'messages out': {name: seen[name] for name in ('twist', 'odometry', 'flow', 'image')},
    }


def stand_in_summary(log: str) -> dict[str, float]:
    """Frames, times and CPU time that the stand-in tells at its end.

    Raises:
        EventPerceptionError: If it does not.
    """
    pattern = (
        r'simulated: (\d+) frames, ([\d.]+) s in ([\d.]+) s \(real-time factor ([\d.]+)\), CPU ([\d.]+) s'
    )
    found = re.search(pattern, log)
    if found is None:
        raise EventPerceptionError(f'the stand-in does not say how it went:\n{log}')
    names = ('frames', 'simulated_s', 'wall_s', 'real_time_factor', 'cpu_s')
    return dict(zip(names, map(float, found.groups())))


def counts_of(log: str) -> dict[str, int]:
    """Totals that a node tells at its end, ``done: name count, name count``."""
    _, _, text = log.rpartition('done: ')
    first_line = text.partition('\n')[0]
    pairs = (entry.rpartition(' ') for entry in first_line.split(', ') if entry)
    return {name: int(count) for name, _, count in pairs}


def _sum(*used_s: float | None, over_s: float) -> float | None:
    return None if None in used_s else sum(s or 0.0 for s in used_s) / over_s


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _motion_figures(directory: Path) -> list[Figure]:
    twists, true_omega, _ = simulated_truth.angular_velocity(directory, directory / 'truth')
    t_s = seconds(twists.t_ns - twists.t_ns[:1])
    curves = []
    for k, name in enumerate(('x', 'y', 'z')):
        curves.append(plots.Series(f'{name}', t_s, np.rad2deg(twists.omega_rad_s[:, k]), dots=True))
        curves.append(plots.Series(f'{name} true', t_s, np.rad2deg(true_omega[:, k]), dashed=True))
    rates = plots.line_plot(curves, title='Angular velocity and truth', x_label='time, s', y_label='deg/s')
    return [(rates, 'camera optical frame; dots estimated, dashed true'), _orientation_figure(directory)]


def _orientation_figure(directory: Path) -> Figure:
    ours = read_trajectory(directory / 'trajectory.tum')
    true = read_trajectory(directory / 'truth' / 'trajectory.tum')
    start_ns = int(ours.t_ns[0])
    curves = []
    for name, trajectory, dashed in (('', ours, False), (' true', true, True)):
        t_s, turned = _turned_deg(trajectory, start_ns)
        curves += [
            plots.Series(f'{axis}{name}', t_s, turned[:, k], dashed=dashed) for k, axis in enumerate('xyz')
        ]
    svg = plots.line_plot(
        curves, title='Orientation and truth', x_label='time, s', y_label='rotation vector, deg'
    )
    return svg, 'turn since the first estimate; dashed true'


def _turned_deg(trajectory: Trajectory, start_ns: int) -> tuple[Any, Any]:
    """Times since the start, s, and rotation vectors since then, deg."""
    from scipy.spatial.transform import Rotation

    rotation = Rotation.from_matrix(trajectory.T_world_body[:, :3, :3])
    first = int(np.argmin(np.abs(trajectory.t_ns - start_ns)))
    turned = (rotation[first].inv() * rotation).as_rotvec(degrees=True)
    return seconds(trajectory.t_ns[first:] - start_ns), turned[first:]


def _flow_figures(directory: Path) -> list[Figure]:
    """The pair with the fastest true motion, drawn on one scale."""
    pairs = simulated_truth.flow_pairs(directory, directory / 'truth')
    shown = [pair for pair in pairs if pair[0].valid.any()]
    if not shown:
        return []
    ours, true = max(shown, key=lambda pair: pictures.typical_speed(pair[1]))
    scale = pictures.typical_speed(true)

    def figure(field: FlowField, caption: str) -> Figure:
        return pictures.png_bytes(pictures.flow_picture(field, max_px_s=scale)), caption

    error = pictures.png_bytes(pictures.error_picture(ours, true))
    return [
        figure(ours, 'flow estimated from events'),
        figure(true, 'flow, exact truth'),
        (error, 'end point error over 100 ms: white 0, red 3 px or more, grey unknown'),
    ]


def _image_figures(directory: Path, duration_s: float) -> list[Figure]:
    """An image made of events, and what the simulated camera shows at that instant."""
    images = sorted((directory / 'images').glob('*.png'), key=lambda f: int(f.stem))
    if not images:
        return []
    image = images[len(images) // 2]
    picture = StandIn(TURNING, seed=SEED, duration_s=duration_s).picture(int(image.stem))
    return [
        (pictures.png_bytes(picture), 'what the simulated camera shows'),
        (image.read_bytes(), 'image from events only, the same instant'),
    ]
