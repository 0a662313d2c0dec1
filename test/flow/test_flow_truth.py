# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Published forms of flow truth, and what `eval` says of flow: made here, as nothing of the originals is at hand."""

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.evaluation.evaluate_flow import displacement_of, evaluate_flow
from event_perception.io.flow_truth import MvsecFlow, read_dsec_flow, read_dsec_png, write_dsec_png
from event_perception.runs.compare import compare

HEIGHT, WIDTH = 20, 30
FLOW = np.array([100.0, -40.0])  # px/s


def constant(flow=FLOW):
    return np.broadcast_to(np.asarray(flow, np.float32)[:, None, None], (2, HEIGHT, WIDTH))


def run_folder(tmp_path, stamps_ns, flow=FLOW, valid=None):
    folder = tmp_path / 'run' / 'flow'
    folder.mkdir(parents=True)
    for t in stamps_ns:
        np.savez(
            folder / f'{t}.npz',
            flow_px_s=constant(flow),
            valid=np.ones((HEIGHT, WIDTH), bool) if valid is None else valid,
        )
    return folder


def mvsec_file(tmp_path, frames=4, unknown=()):
    x, y = (np.tile(np.float64(c) * 0.05, (frames, HEIGHT, WIDTH)) for c in FLOW)
    for row, column in unknown:
        x[:, row, column] = y[:, row, column] = 0
    path = tmp_path / 'indoor_gt_flow_dist.npz'
    np.savez(path, timestamps=1e3 + 0.05 * np.arange(frames), x_flow_dist=x, y_flow_dist=y)
    return path


def test_dsec_images_come_back_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    displacement = rng.integers(-128 * 80, 128 * 80, (2, HEIGHT, WIDTH)) / 128
    valid = rng.random((HEIGHT, WIDTH)) > 0.3
    write_dsec_png(tmp_path / 'a.png', displacement, valid)
    back, known = read_dsec_png(tmp_path / 'a.png')
    np.testing.assert_array_equal(known, valid)
    np.testing.assert_array_equal(back, np.where(valid, displacement, 0))


def test_the_bytes_of_dsec_are_red_x_green_y_blue_valid(tmp_path):
    import cv2

    write_dsec_png(tmp_path / 'a.png', constant((1.0, -2.0)), np.ones((HEIGHT, WIDTH), bool))
    blue, green, red = cv2.imread(str(tmp_path / 'a.png'), cv2.IMREAD_UNCHANGED)[3, 4]
    assert (red, green, blue) == (32768 + 128, 32768 - 256, 1)


def test_what_is_no_flow_of_dsec_is_refused(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match='16 bits'):
        read_dsec_png(tmp_path / 'a.png')
    with pytest.raises(DataError, match='255 px'):
        write_dsec_png(tmp_path / 'b.png', constant((300.0, 0.0)), np.ones((HEIGHT, WIDTH), bool))


def dsec_folder(tmp_path):
    folder = tmp_path / 'flow_truth'
    (folder / 'forward').mkdir(parents=True)
    (folder / 'forward_timestamps.txt').write_text(
        '# from_timestamp_us, to_timestamp_us\n1000000, 1100000\n1100000, 1200000\n'
    )
    for k in range(2):
        write_dsec_png(folder / 'forward' / f'{k:06}.png', 0.1 * constant(), np.ones((HEIGHT, WIDTH), bool))
    return folder


def test_eval_measures_displacements_over_the_intervals_of_dsec(tmp_path):
    truth = dsec_folder(tmp_path)
    assert [(t.t0_ns, t.t1_ns) for t in read_dsec_flow(truth)] == [
        (10**9, 1_100_000_000),
        (1_100_000_000, 1_200_000_000),
    ]
    run_folder(tmp_path, [1_050_000_000, 1_140_000_000], FLOW + np.array([30.0, 0.0]))
    result = compare(tmp_path / 'run', truth)['flow']
    assert result['horizon_s'] == pytest.approx(0.1)
    assert result['instants'] == 2
    assert result['epe_px'] == pytest.approx(3.0, abs=0.01)
    assert result['over_1_px_percent'] == 100
    assert set(result['per_window']) == {'1050000000', '1140000000'}


def test_eval_measures_against_mvsec_and_leaves_out_what_it_does_not_know(tmp_path):
    truth = mvsec_file(tmp_path, unknown=[(3, 4)])
    run_folder(tmp_path, [1_000_025_000_000])
    result = compare(tmp_path / 'run', truth)['flow']
    assert result['epe_px'] == pytest.approx(0, abs=1e-5)
    assert result['pixels'] < HEIGHT * WIDTH
    assert 'valid' in result['mask']


def test_mvsec_is_carried_from_frame_to_frame_over_any_interval(tmp_path):
    truth = MvsecFlow(mvsec_file(tmp_path)).between(1_000_020_000_000, 1_000_110_000_000)
    assert truth.duration_s == pytest.approx(0.09)
    np.testing.assert_allclose(truth.displacement_px[:, 10, 5], 0.09 * FLOW, rtol=1e-5)
    # What leaves the image on the way is not known: here everything that starts near the right and upper borders.
    assert truth.valid[10, 5] and not truth.valid[10, WIDTH - 1] and not truth.valid[0, 5]
    with pytest.raises(DataError, match='spans'):
        MvsecFlow(mvsec_file(tmp_path)).between(0, 10)


def test_files_that_are_no_flow_of_mvsec_are_refused(tmp_path):
    np.savez(tmp_path / 'a.npz', timestamps=np.zeros(3))
    with pytest.raises(DataError, match='lacks'):
        MvsecFlow(tmp_path / 'a.npz')


def test_a_velocity_in_the_middle_becomes_a_displacement_from_the_start():
    field = np.zeros((2, HEIGHT, WIDTH))
    field[0] = 4.0 * (np.arange(WIDTH) - 10)  # grows along the row: u = T 4 (x + u / 2 - 10)
    moved, _ = displacement_of(field, np.ones((HEIGHT, WIDTH), bool), 0.1)
    for column in (2, 10, 16):
        assert moved[0, 5, column] == pytest.approx(0.4 * (column - 10) / 0.8, abs=0.3)


def test_runs_that_share_nothing_cannot_be_compared(tmp_path):
    folder = run_folder(tmp_path, [5])
    with pytest.raises(DataError, match='share'):
        evaluate_flow(folder, dsec_folder(tmp_path))
