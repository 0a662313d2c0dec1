# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The data set of five trajectories: consistent, reproducible byte for byte, resumable, never overwritten."""

import json
import shutil

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.runs.simulate import simulate
from event_perception.simulation import write_dataset as module
from event_perception.simulation.write_dataset import DatasetConfig, trajectory, write_dataset

CONFIG = DatasetConfig(frames=5, rate_hz=15.0, height=40, width=48, texel_m=0.08)
NAMES = ['0_orbit', '1_orbit_fast', '2_orbit_varied', '3_radial', '4_vertical']


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp('dataset') / 'set'
    return folder, write_dataset(folder, seed=3, config=CONFIG)


def load(folder, name):
    return np.load(folder / f'{name}.npy')


def test_five_trajectories_are_there_and_complete(dataset):
    folder, written = dataset
    assert sorted(p.name for p in folder.iterdir()) == [*NAMES, 'SHA256SUMS', 'dataset.json']
    assert written['frames'] == 25 and written['events'] > 1000
    for number, name in enumerate(NAMES):
        files = {p.name: p for p in (folder / name).iterdir()}
        shapes = {n[:-4]: np.load(p).shape for n, p in files.items() if n.endswith('.npy')}
        assert shapes == {
            'images': (5, 40, 48), 'depth_m': (5, 40, 48), 'surface': (5, 40, 48), 'flow_px': (4, 2, 40, 48),
            'T_world_camera': (5, 4, 4), 'twist': (5, 6), 't_ns': (5,), 'segment_id': (5,), 'camera_matrix': (3, 3),
        }  # fmt: skip
        assert (load(folder / name, 'segment_id') == number).all()


def test_stamps_of_the_whole_set_increase_and_events_lie_between_the_frames(dataset):
    stamps = [load(dataset[0] / name, 't_ns') for name in NAMES]
    assert (np.diff(np.concatenate(stamps)) > 0).all()
    assert stamps[0].tolist() == [0, 66_666_667, 133_333_333, 200_000_000, 266_666_667]
    for name, t_ns in zip(NAMES, stamps):
        events = np.load(dataset[0] / name / 'events.npz')
        assert (np.diff(events['t_ns']) >= 0).all()
        assert t_ns[0] <= events['t_ns'][0] and events['t_ns'][-1] <= t_ns[-1] + 1000
        assert set(np.unique(events['p'])) == {-1, 1}


@pytest.mark.parametrize('name', NAMES)
def test_flow_moves_the_surface_of_a_pixel_onto_itself(dataset, name):
    """What flow predicts about depth and surface of the next frame is what the next frame shows."""
    depth, surface, flow = (load(dataset[0] / name, n) for n in ('depth_m', 'surface', 'flow_px'))
    assert 0.1 < np.abs(flow).mean() < 30
    rows, columns = np.indices((40, 48))
    x, y = np.rint(columns + flow[1, 0]).astype(int), np.rint(rows + flow[1, 1]).astype(int)
    inside = (x >= 0) & (x < 48) & (y >= 0) & (y < 40)
    assert inside.mean() > 0.5
    assert (surface[2][y[inside], x[inside]] == surface[1][inside]).mean() > 0.9
    change = depth[2][y[inside], x[inside]] / depth[1][inside]
    assert np.abs(np.median(change) - 1) < 0.05


def test_twist_is_the_derivative_of_the_pose(dataset):
    T, twist = (load(dataset[0] / '2_orbit_varied', n) for n in ('T_world_camera', 'twist'))
    moved = (T[3, :3, 3] - T[1, :3, 3]) / (2 / 15)
    np.testing.assert_allclose(T[2, :3, :3] @ twist[2, :3], moved, atol=1e-2)
    turn = (T[1, :3, :3].T @ T[3, :3, :3]) / (2 / 15)
    np.testing.assert_allclose(
        twist[2, 3:], (turn[[2, 0, 1], [1, 2, 0]] - turn[[1, 2, 0], [2, 0, 1]]) / 2, atol=2e-3
    )


def test_surface_numbers_name_rectangles_that_are_where_the_depth_says(dataset):
    folder = dataset[0] / '0_orbit'
    rectangles = json.loads((folder / 'surfaces.json').read_text())
    surface, depth, T, K = (
        load(folder, n)[0] for n in ('surface', 'depth_m', 'T_world_camera', 'camera_matrix')
    )
    K = load(folder, 'camera_matrix')
    assert surface.min() >= 0 and surface.max() < len(rectangles) == 24
    rows, columns = np.indices(surface.shape)
    ray = np.stack(
        [(columns - K[0, 2]) / K[0, 0], (rows - K[1, 2]) / K[1, 1], np.ones(surface.shape)], axis=-1
    )
    points = (ray * depth[..., None]) @ T[:3, :3].T + T[:3, 3]
    for k in np.unique(surface):
        r = rectangles[k]
        normal = np.cross(r['along_u'], r['along_v'])
        assert np.abs((points[surface == k] - r['corner_m']) @ normal).max() < 1e-3
    assert np.unique(surface).size >= 4


def test_equal_arguments_give_equal_bytes_and_another_seed_does_not(dataset, tmp_path):
    write_dataset(tmp_path / 'same', seed=3, config=CONFIG)
    names = sorted(p.relative_to(dataset[0]) for p in dataset[0].rglob('*') if p.is_file())
    assert len(names) == 2 + 5 * 11
    assert [n for n in names if (tmp_path / 'same' / n).read_bytes() != (dataset[0] / n).read_bytes()] == []
    other = trajectory(0, 4, CONFIG).log_light(0)
    assert not np.array_equal(other, trajectory(0, 3, CONFIG).log_light(0))


def test_a_stopped_run_goes_on_where_it_was(dataset, tmp_path, monkeypatch):
    def stop_at_second(folder, sequence, number, config):
        if number == 1:
            (folder / 'images.npy').write_bytes(b'half')
            raise KeyboardInterrupt
        return whole(folder, sequence, number, config)

    whole = module._write_trajectory
    monkeypatch.setattr(module, '_write_trajectory', stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / 'set', seed=3, config=CONFIG)
    made = []
    monkeypatch.setattr(module, '_write_trajectory', lambda *a: (made.append(a[2]), whole(*a)))
    write_dataset(tmp_path / 'set', seed=3, config=CONFIG)
    assert made == [1, 2, 3, 4]
    assert (tmp_path / 'set' / 'SHA256SUMS').read_bytes() == (dataset[0] / 'SHA256SUMS').read_bytes()


def test_nothing_is_overwritten(dataset, tmp_path):
    with pytest.raises(DataError, match='complete'):
        write_dataset(dataset[0], seed=3, config=CONFIG)
    with pytest.raises(DataError, match='not this data set'):
        write_dataset(dataset[0], seed=4, config=CONFIG)
    with pytest.raises(DataError, match='not this data set'):
        write_dataset(tmp_path, seed=3, config=CONFIG)


def test_the_command_passes_seed_and_duration_on(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(module, 'write_dataset', lambda *a, **k: calls.append((a, k)) or {})
    simulate('dataset', tmp_path / 'set', seed=5, duration_s=0.5)
    simulate('dataset', tmp_path / 'set', seed=5)
    assert [k['config'].frames for _, k in calls] == [30, 600] and calls[0][1]['seed'] == 5
    assert calls[0][0] == (tmp_path / 'set',)
    shutil.rmtree(tmp_path)
